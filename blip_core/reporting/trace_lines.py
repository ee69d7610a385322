"""What a person sees of one row's way: a block a stage."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from blip_core.dataset.steps import Step
from blip_core.dataset.tracing import Trace
from blip_core.reporting.lineage_tables import short

_INDENT = 2
_MARGIN = 14  # where texts begin
_NARROWEST = 20

Facts = Mapping[str, Any]
Lines = list[tuple[str, str]]


def show_trace(console: Console, trace: Trace) -> None:
    """Print the stages of a row, last first: who answered, what was asked, painted, written and planned."""
    said = [step for step in trace.steps if step.stage == "prediction"]
    blocks = [_answers(said)] if said else []
    blocks += [_block(step) for step in trace.steps if step.stage != "prediction"]
    for number, (heading, lines) in enumerate(blocks):
        if number:
            console.print()
        console.print(heading, highlight=False, soft_wrap=True)
        for line in _folded(lines, console.width):
            console.print(line, highlight=False, soft_wrap=True)
    if trace.also_in:
        others = ", ".join(short(other.digest) for other in trace.also_in)
        console.print(
            f"\nAnother row of this id is in dataset {others}; see it with --dataset.", highlight=False
        )


def _answers(steps: Sequence[Step]) -> tuple[Text, Lines]:
    lines = [(step.facts["variant"], text) for step in steps for text in _answer_lines(step)]
    return _heading("answers", steps[0].id, ""), lines


def _block(step: Step) -> tuple[Text, Lines]:
    place = f"{step.artifact.kind} {short(step.artifact.digest)}" if step.artifact else ""
    lines = _LINES[step.stage](step.facts) if step.facts else []
    if step.unknown:
        lines.append(("", f"no more is known: {step.unknown}" if lines else f"unknown: {step.unknown}"))
    return _heading(step.stage, step.id, place), lines


def _heading(stage: str, row_id: str, place: str) -> Text:
    text = Text()
    text.append(f"{stage:<{_MARGIN}}", "bold")
    text.append(printable(row_id))
    text.append(f"   {place}" if place else "", "dim")
    return text


def _folded(lines: Lines, width: int) -> Iterator[Text]:
    """Names on the left, texts on the right; a long text folds below its own beginning."""
    before = ""
    for name, text in lines:
        shown = "" if name == before else name
        before = name
        for part in printable(text).split("\n"):
            for folded in wrap(part, max(width - _MARGIN, _NARROWEST), break_long_words=False) or [""]:
                line = Text(" " * _INDENT)
                line.append(f"{shown:<{_MARGIN - _INDENT}}", "dim")
                line.append(folded)
                line.rstrip()
                yield line
                shown = ""


def printable(text: str) -> str:
    """A text without what would move a terminal's cursor or colour its lines."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _answer_lines(step: Step) -> list[str]:
    facts = step.facts
    verdict = "right" if facts["right"] else f"wrong, {facts['truth']} is right"
    verdict = "no answer is known" if facts["right"] is None else verdict
    origin = [f"{step.artifact.kind} {short(step.artifact.digest)}"] if step.artifact else []
    origin += [f"adapter {short(facts['adapter'])}"] if facts["adapter"] else []
    origin += [f"judged on: {facts['judged_on']}"] if facts["judged_on"] else []
    ranked = facts["ranked"]
    first = f"{ranked} ({facts['p'][ranked]:.2f})   {verdict}" if ranked else _without_letter(facts)
    written = [f"described it: {facts['description']}"] if facts["description"] else []
    free = [f"wrote freely: {facts['generated']}"] if facts["generated"] else []
    return [first, *written, *free, ", ".join(origin)]


def _without_letter(facts: Facts) -> str:
    """What is said of an answer in words alone."""
    if not facts.get("offered", 1):
        return f"right would be: {facts['truth']}" if facts["truth"] else "no answer is known"
    return f"no letter; {facts['truth']} is right" if facts["truth"] else "no letter; no answer is known"


def _example(facts: Facts) -> Lines:
    gates = ", ".join(_spaced(gate) for gate in facts["gates_passed"])
    return [
        ("split", facts["split"]),
        *_asked(facts),
        ("category", facts["category"]),
        *_found(facts),
        ("passed", gates or "no gate"),
    ]


def _found(facts: Facts) -> Lines:
    """What a source tells of a row and annotation steps found out."""
    words = ", ".join(f"{name} {word or 'none'}" for name, word in facts.get("attributes", {}).items())
    scores = ", ".join(f"{name} {score:.3f}" for name, score in facts.get("scores", {}).items())
    told = (("attributes", words), ("scores", scores), ("before", facts.get("mended", "")))
    return [(name, text) for name, text in told if text]


def _asked(facts: Facts) -> Lines:
    """Question and options, the right one marked; a row with a free answer has its target alone."""
    lines: Lines = [(name, facts[name]) for name in ("context", "question") if facts.get(name)]
    options = {letter: text for letter, text in facts["options"].items() if text}
    marked: Lines = [
        (letter, f"{text}   (right)" if letter == facts["answer"] else text)
        for letter, text in options.items()
    ]
    return lines + (marked or ([("target", facts["target"])] if facts["target"] else []))


def _refused(facts: Facts) -> Lines:
    seen = [("seen", facts["detail"])] if facts["detail"] else []
    return [("at stage", facts["by"]), ("reason", facts["reason"]), *seen]


def _label(facts: Facts) -> Lines:
    of = f" of {facts['attempts_allowed']}" if "attempts_allowed" in facts else ""
    asked = _asked(facts) if "question" in facts else []
    attempt = [("attempt", f"{facts['attempt']}{of}")] if "attempt" in facts else []
    return [
        ("description", facts["description"]),
        *asked,
        *attempt,
        *_made_by("labeller", facts),
        *_prompt(facts),
    ]


def _picture(facts: Facts) -> Lines:
    if "width_px" not in facts:
        return [("sha256", short(facts["sha256"])), *_origin(facts)]
    dials = [f"{facts['steps']} steps"] if "steps" in facts else []
    dials += [f"guidance {facts['guidance_scale']:g}"] if "guidance_scale" in facts else []
    seed = [("seed", ", ".join([str(facts["seed"]), *dials]))] if "seed" in facts else []
    return [
        ("pixels", f"{facts['width_px']} x {facts['height_px']}, sha256 {short(facts['sha256'])}"),
        *_origin(facts),
        *seed,
        *_made_by("painter", facts),
        *_prompt(facts),
        *([("avoiding", facts["negative_prompt"])] if "negative_prompt" in facts else []),
    ]


def _origin(facts: Facts) -> Lines:
    return [("origin", facts["origin"])] if "origin" in facts else []


def _asked_of_table(facts: Facts) -> Lines:
    return [*_asked(facts), *([("table", facts["table"])] if facts["table"] else [])]


def _scene(facts: Facts) -> Lines:
    if "call" not in facts:
        return [("text", facts["text"])]
    return [
        ("text", facts["text"]),
        ("asked in", f"call {facts['call'] + 1}, item {facts['line']} of its list"),
        ("category", facts["category"]),
        *_made_by("writer", facts),
        *_prompt(facts),
    ]


def _recipe(facts: Facts) -> Lines:
    lines = [("profile", facts["profile"])] if facts.get("profile") else []
    lines += [("seed", f"{facts['seed']}, from which all others are derived")] if "seed" in facts else []
    source = facts.get("source", {})
    places = [str(source[name]) for name in ("path", "style") if name in source]
    return lines + ([("source", " ".join([source["kind"], *places]))] if "kind" in source else [])


def _questions(facts: Facts) -> Lines:
    return [(_fate(one), _fate_words(one)) for one in facts["questions"]] or [("", "none")]


def _fate(one: Facts) -> str:
    return str(one.get("split", "refused"))


def _fate_words(one: Facts) -> str:
    if "split" in one:
        return f"{one['id']}   {one['question']}"
    return f"{one['id']}   {one['reason']}, at stage {one['by']}"


def _composed(facts: Facts) -> Lines:
    asked = _asked(facts) if "question" in facts else []
    shown = [
        (name.removesuffix("_id"), str(facts[name]))
        for name in ("picture_id", "kind", "category", "place", "time")
        if facts.get(name)
    ]
    return [*asked, *shown, ("origin", facts["origin"])]


def _made_by(name: str, facts: Facts) -> Lines:
    """A model by its name, and by what changes when its weights do."""
    checkpoint, model = facts.get("checkpoint", ""), facts.get("model", "")
    if checkpoint and model and not model.startswith(checkpoint):
        return [(name, f"{checkpoint} ({_identity(model)})")]
    return [(name, _identity(model) or checkpoint)] if model or checkpoint else []


def _identity(model: str) -> str:
    """A digest shortened; a name and revision as it is."""
    return model if "@" in model or "-" in model else short(model)


def _prompt(facts: Facts) -> Lines:
    return [("prompt", facts["prompt"])] if facts.get("prompt") else []


def _spaced(name: str) -> str:
    return name.replace("_", " ")


_LINES: Mapping[str, Callable[[Facts], Lines]] = {
    "example": _example,
    "refused": _refused,
    "label": _label,
    "picture": _picture,
    "scene": _scene,
    "recipe": _recipe,
    "questions": _questions,
    "asked": _asked_of_table,
    "composed": _composed,
}

"""Writes the tutorial's pictures and quotes anew, after a run: `make tutorial`.

Everything shown comes from the store: the way of one row of the dataset, what three models said of one
bundled question, and the ladder. What the labeller wrote word by word is not kept; its batch is labelled once
more, and what comes out must be the label that the store holds.
"""

import io
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from blip_core import figures, labelling, strict_json
from blip_core.dataset import read_split
from blip_core.dataset.steps import Step
from blip_core.errors import StoreError
from blip_core.ports import Labeller, row_seed
from blip_core.recipes import CrossFitVariant, Recipe, load_recipe
from blip_core.records import LETTERS, SPLITS, Label, Picture, Prediction
from blip_core.reporting import from_scores
from blip_core.reporting.trace_lines import show_trace
from blip_core.store import ArtifactRef, read_rows
from blip_core.wiring import build_labeller, prepare_environment, workplace

RECIPE, PROFILE = "gallery-vqa", "pocket"
ROW = "nature-00028-p0-q1"
QUESTION = "shifted-q00133"

FOLDER = Path(__file__).parent
TUTORIAL = FOLDER / "tutorial.md"
PICTURES = FOLDER / "pictures"
ENLARGED = 4  # so that 64 pixels can be looked at
SHEET_PICTURES = 10
COLOURS = {"sheet": 256, "loss": 24, "ladder": 24}  # they stay in the history for ever
WIDTH_CHARS = 110

_QUOTE = "<!-- quoted: {name} -->\n{text}\n<!-- end -->"
_PLACE = re.compile(r"<!-- quoted: ([a-z-]+) -->\n.*?\n?<!-- end -->", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """Where the stages of the run rest."""

    recipe: Recipe
    dataset: ArtifactRef
    adapter: ArtifactRef
    scores: ArtifactRef
    predictions: Sequence[ArtifactRef]


def main() -> None:
    """Draw the pictures, and fill the quotes into the tutorial."""
    prepare_environment(workplace())
    run = find_run()
    quotes = {**row_quotes(run), **question_quotes(run), **run_quotes(run)}
    draw(run)
    text = TUTORIAL.read_text(encoding="utf-8")
    TUTORIAL.write_text(filled(text, quotes), encoding="utf-8")
    sys.stdout.write(f"wrote {TUTORIAL} and {PICTURES}\n")


def filled(text: str, quotes: dict[str, str]) -> str:
    """The tutorial with every quote in its place.

    Raises:
        KeyError: A place is called otherwise than every quote.
    """
    return _PLACE.sub(lambda found: _QUOTE.format(name=found[1], text=quotes[found[1]]), text)


def find_run() -> Run:
    """The run of the recipe, from the store.

    Raises:
        StoreError: It is not, or not all, there.
    """
    from flows.compare_variants import judge
    from flows.phases import Phases
    from flows.variants.resolving import resolve_variants
    from tasks import predict_variant
    from tasks.stage import only_planned

    recipe = load_recipe(RECIPE, PROFILE)
    with only_planned() as stages:
        made = Phases(recipe)
        for phase in made.names:
            made.tune(phase)
        dataset, adapter = made.datasets[made.last], made.adapters[made.last]
        scores = judge.fn(recipe, made.datasets, made.adapters, resolve_variants(recipe, work=False))
    missing = [stage.name for stage in stages if not stage.cached]
    if missing:
        raise StoreError(f"{', '.join(missing)} is not in the store; run `foundry run {RECIPE}` first")
    store = workplace().store
    keys = [
        predict_variant.key(recipe, one, dataset, None if recipe.phase_of(one) is None else adapter)
        for one in recipe.variants
        if not isinstance(one, CrossFitVariant)
    ]
    found = [store.find(key) for key in keys]
    return Run(recipe, dataset, adapter, scores, [one.ref() for one in found if one])


def row_quotes(run: Run) -> dict[str, str]:
    """What the stages made on the way to one row of the dataset."""
    from flows.cli.tracing import find_trace

    trace = find_trace(ROW, run.dataset.digest)
    steps = {step.stage: step for step in trace.steps}
    scene, picture, label = steps["scene"], steps["picture"], steps["label"]
    enlarged(picture.png).save(PICTURES / "painted.png", optimize=True)
    shown = io.StringIO()
    show_trace(Console(file=shown, width=WIDTH_CHARS, color_system=None), trace)
    return {
        "scene-prompt": block(scene.facts["prompt"]),
        "scene-list": block(list_of(scene)),
        "scene-line": f"Item {scene.facts['line']} became the scene `{scene.id}`.",
        "picture-prompt": block(picture.facts["prompt"]),
        "picture-facts": f"`{picture.id}`: seed {picture.facts['seed']}, {picture.facts['steps']} steps.",
        "label-text": block(label_text(run, label.id)),
        "label-shuffled": block(options_of(steps["example"])),
        "row": block(row_of(run, label.id), "json"),
        "split": f"This row is in the split `{steps['example'].facts['split']}`.",
        "trace": block("\n".join(line.rstrip() for line in shown.getvalue().splitlines())),
    }


def list_of(scene: Step) -> str:
    """What the language model wrote in the call that a scene is from.

    Raises:
        StoreError: No answer in the store holds it.
    """
    texts = [
        text
        for artifact in workplace().store.artifacts("scenes-shard")
        for text in strict_json.loads((artifact.path / "texts.json").read_text(encoding="utf-8"))
        if f"{scene.facts['line']}. {scene.facts['text']}" in text
    ]
    if not texts:
        raise StoreError(f"no answer of the writer holds the scene {scene.id}; run again")
    return str(texts[0]).strip()


class Recorder:
    """A labeller that keeps every text by the seed it was asked for with."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self.texts: dict[int, str] = {}

    def label(self, pictures: Sequence[Any], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        texts = self._labeller.label(pictures, prompts, seeds)
        self.texts |= dict(zip(seeds, texts, strict=True))
        return texts

    def close(self) -> None:
        self._labeller.close()


def label_text(run: Run, label_id: str) -> str:
    """What the labeller wrote of a picture, before it was parsed and its options shuffled.

    Raises:
        StoreError: Asked again it says something else than the store holds.
    """
    from tasks import label_pictures, paint_pictures

    found = {artifact.key: artifact for artifact in workplace().store.artifacts()}
    parents = found[run.dataset.key].metadata["made_from"]
    pictures = read_rows(found[parents["pictures"]].path / paint_pictures.FILE, Picture)
    labels = read_rows(found[parents["labels"]].path / label_pictures.FILE, Label)
    known = next(label for label in labels if label.id == label_id)
    batch = batch_of(pictures, known.picture_id, run.recipe)
    recorder = Recorder(build_labeller(run.recipe))
    made, _ = labelling.label_pictures(recorder, batch, run.recipe.labels, run.recipe.seed)
    recorder.close()
    if said_of(known) not in map(said_of, made):
        raise StoreError(f"asked again, the labeller says something else of {label_id} than the store holds")
    return recorder.texts[row_seed(run.recipe.seed, labelling.STAGE, label_id, known.attempt)].strip()


def said_of(label: Label) -> tuple[object, ...]:
    """What a label says, without how sure the labeller was, which nobody asks for here."""
    return (label.id, label.description, label.question, label.options, label.answer)


def batch_of(pictures: Sequence[Picture], picture_id: str, recipe: Recipe) -> Sequence[Picture]:
    """The pictures that were asked about at once with one, on which the last bits of a model depend."""
    from tasks.shards import ROWS_PER_SHARD

    place = [picture.id for picture in pictures].index(picture_id)
    at_once = max(1, recipe.labels.batch_size // recipe.labels.per_picture)
    start = place - place % ROWS_PER_SHARD % at_once
    return pictures[start : start + at_once]


def options_of(step: Step) -> str:
    """A question with its options in their order, and the right letter."""
    options = step.facts["options"]
    lines = [f"{letter}. {options[letter]}" for letter in LETTERS]
    return "\n".join([step.facts["question"], *lines, f"Answer: {step.facts['answer']}"])


def row_of(run: Run, row_id: str) -> str:
    """A row of the dataset as JSON; of its picture the number of bytes."""
    from tasks.stage import path_of

    for split in SPLITS:
        for row in read_split(path_of(run.dataset), split):
            if row.id == row_id:
                image = f"({len(row.image):,} bytes)"
                return strict_json.dumps({**row.to_row(), "image": image}, indent=1, ensure_ascii=False)
    raise StoreError(f"the dataset has no row {row_id}")


def question_quotes(run: Run) -> dict[str, str]:
    """What the variants said of one bundled question.

    Raises:
        StoreError: It shows something else than the text around it says.
    """
    from flows.cli.tracing import find_trace
    from tasks.predict_variant import read_predictions

    asked = next(step for step in find_trace(QUESTION).steps if step.stage == "composed")
    enlarged(asked.png).save(PICTURES / "asked.png", optimize=True)
    rows = [next(row for row in read_predictions(ref) if row.id == QUESTION) for ref in run.predictions]
    if [row.is_right for row in rows] != [False, False, True]:
        raise StoreError(f"{QUESTION} is no question that tuning turned from wrong to right; name another")
    lines = ["| variant | describes | ranks first | writes freely | right |", "|---|---|---|---|---|"]
    return {
        "question": block(options_of(asked)),
        "question-id": f"`{QUESTION}`",
        "answers": "\n".join([*lines, *map(answer_line, rows)]),
    }


def answer_line(row: Prediction) -> str:
    """One variant's answer as a row of a table."""
    share = {"A": row.p_a, "B": row.p_b, "C": row.p_c, "D": row.p_d}[row.ranked]
    written = " ".join(row.generated.split()) or "nothing"
    return (
        f"| `{row.variant}` | {' '.join(row.description.split())} | {row.ranked} ({share:.2f}) | {written} | "
        f"{'yes' if row.is_right else 'no'} |"
    )


def run_quotes(run: Run) -> dict[str, str]:
    """What the run came to, in figures."""
    from tasks.compare import read_scores
    from tasks.stage import metadata_of

    made, tuned = metadata_of(run.dataset), metadata_of(run.adapter)
    splits = ", ".join(f"{split} {made['splits'][split]:,}" for split in SPLITS)
    refused = ", ".join(f"{count} {reason}" for reason, count in made["rejected"].items() if count) or "none"
    ladder = from_scores(read_scores(run.scores))
    return {
        "counts": f"Rows: {splits}. Refused: {refused}.",
        "tuning": (
            f"{tuned['trainable']:,} weights, {tuned['steps']:,} steps, loss {tuned['first_loss']:.2f} to "
            f"{tuned['last_loss']:.2f}; the adapter is the one of step {tuned['best_step']}, where the "
            f"validation loss was lowest ({tuned['best_validation_loss']:.3f})."
        ),
        "ladder": ladder_table(ladder),
        "pair": pair_words(run),
    }


def ladder_table(ladder: Any) -> str:
    """The ladder as Markdown."""
    lines = ["| variant | accuracy (95 %) | against | difference (95 %) | p |", "|---|---|---|---|---|"]
    for rung in ladder.rungs:
        own, pair = rung.accuracy, ladder.comparison_for(rung.name)
        cells = [
            rung.name,
            f"{100 * own.value:.1f} % ({100 * own.low:.1f} to {100 * own.high:.1f})",
            "",
            "",
            "",
        ]
        if pair:
            p_value = "< 0.001" if pair.p < 0.001 else f"{pair.p:.3f}"
            ends = f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
            cells[2:] = [pair.a, f"{100 * pair.difference:+.1f} ({ends})", p_value]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def pair_words(run: Run) -> str:
    """How often one of the last two variants was right alone."""
    from tasks.predict_variant import read_predictions

    before, after = ({row.id: row.is_right for row in read_predictions(ref)} for ref in run.predictions[-2:])
    names = [variant.name for variant in run.recipe.variants[-2:]]
    lost = sum(before[row] and not after[row] for row in before)
    won = sum(after[row] and not before[row] for row in before)
    return f"Of {len(before):,} questions `{names[1]}` alone got {won} right, and `{names[0]}` alone {lost}."


def draw(run: Run) -> None:
    """Draw what is not about one row: the dataset's pictures, the loss, the ladder."""
    from blip_core.reporting.curves import CURVE, read_curve
    from tasks.compare import read_scores
    from tasks.stage import path_of

    rows = {row.picture_id: row for row in reversed(list(read_split(path_of(run.dataset), "train")))}
    shown = list(rows.values())[::-1][:SHEET_PICTURES]
    captions = [f"{row.question}\n{row.answer}: {row.target}" for row in shown]
    sheet = figures.contact_sheet([row.image for row in shown], captions)
    sheet.save(PICTURES / "sheet.png")
    figures.loss_curve(read_curve(path_of(run.adapter) / CURVE), PICTURES / "loss.png")
    figures.ladder(from_scores(read_scores(run.scores)).scores, PICTURES / "ladder.png")
    for name, colours in COLOURS.items():
        make_small(PICTURES / f"{name}.png", colours)


def make_small(path: Path, colours: int) -> None:
    """Keep a picture with few colours."""
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def enlarged(data: bytes) -> Image.Image:
    """A picture pixel by pixel, four times as large."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return image.resize((image.width * ENLARGED, image.height * ENLARGED), Image.Resampling.NEAREST)


def block(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


if __name__ == "__main__":
    main()

"""The card of an adapter: what it is, how it is loaded elsewhere, what it scores, where it comes from.

What the card needs and PEFT's own config does not say is kept beside it in `foundry.json`, so that the card
can be written again once scores are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.errors import CheckpointError
from blip_core.recipes.checkpoint import Checkpoint

CARD = "README.md"
FACTS = "foundry.json"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
SIDECARS = {"query_tokens": "query_tokens.safetensors", "language_model": "language_model.safetensors"}
"""Files of parts that are trained where they stand, without PEFT: a parameter that is no module's weight,
which PEFT forgets, and the language model, of which PEFT would hold a second copy."""

NO_LORA = "dummy-target-modules"
"""What PEFT's config names as modules where there is no LoRA: `DUMMY_TARGET_MODULES` of PEFT."""

BLIP2 = "blip-2"
"""The kind of base that is not written down: adapters were made of others only later."""

_CLASSES = ("ForConditionalGeneration", "Processor")
_CLASS_PREFIXES = {BLIP2: "Blip2", "instructblip": "InstructBlip"}  # of the classes of transformers
ADAPTER_FILES = (CARD, CONFIG, WEIGHTS, *SIDECARS.values(), FACTS)
_POINTS = 100


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What is known of an adapter when it is saved.

    Attributes:
        base: id of the checkpoint it was tuned on.
        revision: commit or tag of it on the hub; empty where none was named.
        dtype: type the base was loaded in.
        family: of its language model, as `t5`.
        quantisation: of the language model while tuning.
        trained: weights that were trained.
        full: parts that were trained in full.
        notes: of the training, in Markdown.
        peft: version that saved it.
        backbone: kind of the base, `blip-2` or `instructblip`.
    """

    base: str
    revision: str
    dtype: str
    family: str
    quantisation: str
    trained: int
    full: tuple[str, ...]
    notes: str
    peft: str
    backbone: str = BLIP2

    @property
    def checkpoint(self) -> Checkpoint:
        """The base as a recipe names it."""
        return Checkpoint.model_validate(
            {"id": self.base, "revision": self.revision or None, "dtype": self.dtype}
        )


@dataclass(frozen=True, slots=True)
class CardScore:
    """Accuracy of one variant, 0 to 1, with its 95 % interval; of texts, the measure that ranks them."""

    variant: str
    accuracy: float
    low: float
    high: float
    questions: int
    measure: str = "accuracy"


@dataclass(frozen=True, slots=True)
class CardDifference:
    """Accuracy of `variant` less that of `against`, -1 to 1, with its 95 % interval and p-value.

    The p-value may be adjusted for the other comparisons that were made.
    """

    variant: str
    against: str
    difference: float
    low: float
    high: float
    p: float
    is_adjusted: bool = False


@dataclass(frozen=True, slots=True)
class CardLineage:
    """Where an adapter comes from; what is not known is empty."""

    dataset: str = ""
    recipe: str = ""
    profile: str = ""
    seed: int | None = None
    commit: str = ""


def write_facts(folder: Path, facts: AdapterFacts) -> None:
    told = asdict(facts)
    if facts.backbone == BLIP2:
        del told["backbone"]
    (folder / FACTS).write_text(strict_json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read_facts(folder: Path) -> AdapterFacts | None:
    """What was known when an adapter was saved; None of an adapter that was made elsewhere.

    Raises:
        CheckpointError: The file is there and says something else.
    """
    if not (folder / FACTS).exists():
        return None
    told = {"backbone": BLIP2} | _read_json(folder / FACTS)
    names = [field.name for field in fields(AdapterFacts)]
    lacking = [name for name in names if name not in told]
    if lacking:
        raise CheckpointError(f"{folder / FACTS} does not say {', '.join(lacking)}; tune the adapter again")
    if told["backbone"] not in _CLASS_PREFIXES:
        raise CheckpointError(
            f"{folder / FACTS} names a base of the kind {told['backbone']!r}; "
            f"allowed: {', '.join(_CLASS_PREFIXES)}"
        )
    return AdapterFacts(**{name: told[name] for name in names} | {"full": tuple(told["full"])})


def _read_json(path: Path) -> dict[str, Any]:
    try:
        told = strict_json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); is it the folder of an adapter?") from error
    if not isinstance(told, dict):
        raise CheckpointError(f"{path} must hold a JSON object")
    return told


def card_scores(scores: Mapping[str, Any]) -> tuple[list[CardScore], list[CardDifference]]:
    """What a card shows of the content of a run's `scores.json`; p is the adjusted one where there is one."""
    has_letters = all("accuracy" in one for one in scores["variants"].values())
    measure = "accuracy" if has_letters else str(scores["measure"]["words"])
    variants = [
        CardScore(name, score["value"], score["low"], score["high"], score["n"], measure)
        for name, score in _main_scores(scores).items()
    ]
    differences = [
        CardDifference(one["b"], one["a"], one["difference"], one["low"], one["high"], *_p_of(one))
        for one in scores["comparisons"]
    ]
    return variants, differences


def _main_scores(scores: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Accuracy by variant; where texts are written, the measure that ranks them."""
    return {name: one.get("accuracy") or one["main"] for name, one in scores["variants"].items()}


def _p_of(comparison: Mapping[str, Any]) -> tuple[float, bool]:
    adjusted = comparison.get("p_adjusted")
    return float(comparison["p_value"] if adjusted is None else adjusted), adjusted is not None


def write_card(
    folder: Path,
    scores: Sequence[CardScore] = (),
    differences: Sequence[CardDifference] = (),
    lineage: CardLineage | None = None,
    target: Path | None = None,
) -> Path:
    """Write the card of a saved adapter; may be called again when more is known.

    Args:
        folder: of the adapter, as `save_adapter` left it.
        scores: one a variant that was judged.
        differences: between two of them.
        lineage: where the adapter comes from.
        target: file to write; without, README.md in the folder. An adapter of the store never changes:
            its card with scores goes elsewhere.

    Returns:
        The card's path.

    Raises:
        CheckpointError: The folder holds no adapter that was saved here.
    """
    facts = read_facts(folder)
    if facts is None:
        raise CheckpointError(f"{folder} has no {FACTS}: the adapter was not made here, and has its own card")
    config = _read_json(folder / CONFIG)
    sections = [
        _front(facts),
        _about(facts, config),
        _loading(facts),
        _scored(scores, differences),
        _origin(lineage),
        facts.notes,
    ]
    path = target or folder / CARD
    path.write_text("\n\n".join(section for section in sections if section) + "\n", encoding="utf-8")
    return path


def _front(facts: AdapterFacts) -> str:
    base = facts.checkpoint
    known = "" if base.is_pocket or base.is_local else f"base_model: {base.id}\n"
    tags = f"[lora, {facts.backbone}, visual-question-answering]"
    return f"---\nlibrary_name: peft\n{known}tags: {tags}\n---"


def _about(facts: AdapterFacts, config: Mapping[str, Any]) -> str:
    revision = f" at revision `{facts.revision}`" if facts.revision else " (revision not recorded)"
    whole = f"{_list_of(facts.full)} trained in full" if facts.full else ""
    trains = " and ".join(part for part in (_lora(facts, config), whole) if part)
    return (
        f"# Adapter for {_base_name(facts)}\n\n"
        f"{facts.trained:,} trained parameters: {trains}. Base: `{_base_name(facts)}`{revision}; "
        f"quantisation while tuning: `{facts.quantisation}`, of the language model alone. "
        f"Made with PEFT {facts.peft}."
    )


def _lora(facts: AdapterFacts, config: Mapping[str, Any]) -> str:
    if config["target_modules"] == NO_LORA:
        return ""
    size = f"r = {config['r']}, alpha = {config['lora_alpha']:g}, dropout = {config['lora_dropout']:g}"
    return f"LoRA ({size}) on modules that match `{config['target_modules']}`"


def _list_of(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _base_name(facts: AdapterFacts) -> str:
    """Whoever reads the card has no use for a path of the machine that wrote it."""
    return Path(facts.base).name if facts.checkpoint.is_local else facts.base


def _loading(facts: AdapterFacts) -> str:
    return f"""## Load it

`BASE` is {_base_kind(facts)}, `ADAPTER` the folder of this card.

```python
{loading_lines(facts)}
```

The type is the one it was tuned in. With the language model in whole precision answers differ a little from
those of a quantised one."""


def _base_kind(facts: AdapterFacts) -> str:
    if facts.checkpoint.is_pocket:
        return "the folder of a model that comes with blip-foundry, in `blip_core/pocket/models`"
    return "the folder of the base" if facts.checkpoint.is_local else "a hub id or the folder of a copy"


def loading_lines(facts: AdapterFacts) -> str:
    """Lines of Python that load base and adapter with transformers and PEFT alone."""
    revision = f', revision="{facts.revision}"' if facts.revision else ""
    files = [file for part, file in SIDECARS.items() if part in facts.full]
    sidecar_import = "from safetensors.torch import load_file\n" if files else ""
    sidecar = "".join(
        f'model.load_state_dict(load_file(f"{{ADAPTER}}/{file}"), strict=False)\n' for file in files
    )
    left = 'processor.tokenizer.padding_side = "left"\n' if facts.family != "t5" else ""
    model, processor = (f"{_CLASS_PREFIXES[facts.backbone]}{name}" for name in _CLASSES)
    return (
        f"from peft import PeftModel\n{sidecar_import}"
        f"from transformers import {model}, {processor}\n\n"
        f'BASE, ADAPTER = "{_base_name(facts)}", "."\n'
        f'model = {model}.from_pretrained(BASE, dtype="{facts.dtype}"{revision})\n'
        f"{sidecar}"
        "model = PeftModel.from_pretrained(model, ADAPTER).eval()\n"
        f"processor = {processor}.from_pretrained(BASE{revision})\n"
        f"{left}"
        "processor.num_query_tokens = model.config.num_query_tokens  # without it pictures are ignored"
    )


def _scored(scores: Sequence[CardScore], differences: Sequence[CardDifference]) -> str:
    if not scores:
        return ""
    rows = [
        f"| {one.variant} | {one.accuracy:.3f} | {one.low:.3f} to {one.high:.3f} | {one.questions:,} |"
        for one in scores
    ]
    said = [_difference(one) for one in differences]
    table = [f"| variant | {scores[0].measure} | 95 % interval | questions |", "|---|---|---|---|", *rows]
    return "\n".join(["## Scores", "", *table, *([""] if said else []), *said])


def _difference(one: CardDifference) -> str:
    p = "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"
    return (
        f"- {one.variant} less {one.against}: {_POINTS * one.difference:+.1f} points, 95 % interval "
        f"{_POINTS * one.low:+.1f} to {_POINTS * one.high:+.1f}, {'adjusted ' * one.is_adjusted}{p}"
    )


def _origin(lineage: CardLineage | None) -> str:
    if lineage is None:
        return ""
    told = {
        "dataset": lineage.dataset,
        "recipe": lineage.recipe,
        "profile": lineage.profile,
        "seed": "" if lineage.seed is None else str(lineage.seed),
        "commit of blip-foundry": lineage.commit,
    }
    lines = [f"- {name}: `{value}`" for name, value in told.items() if value]
    return "\n".join(["## Where it comes from", "", *lines]) if lines else ""

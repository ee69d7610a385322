"""Which settings let a stage run on a smaller card; every suggestion was planned before it is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blip_core.planning.cards import CONTEXT_BYTES, GB, fits
from blip_core.planning.footprint import Footprint
from blip_core.recipes import Recipe

Largest = Callable[[Recipe], Footprint]

ENOUGH_ROWS = 4  # in one pass; below, other ways to save memory cost less time
_BATCH: Mapping[str, str] = {
    "scenes": "scenes.batch_size",
    "pictures": "pictures.batch_size",
    "labels": "labels.batch_size",
    "finetune": "finetune.micro_batch_size",
    "predict": "inference.batch_size",
}
_HALF = "bfloat16"  # as wide as float32 in range: nothing overflows that did not before
_FURTHER: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "scenes": (("scenes.model.dtype", _HALF),),
    "pictures": (("pictures.model.dtype", _HALF),),
    "labels": (("labels.model.dtype", _HALF),),
    "encode": (("finetune.base.dtype", _HALF), ("finetune.quantisation", "nf4")),
    "finetune": (
        ("finetune.base.dtype", _HALF),
        ("finetune.quantisation", "nf4"),
        ("finetune.gradient_checkpointing", True),
        ("finetune.max_text_tokens", 128),
    ),
    "predict": (
        ("baseline.dtype", _HALF),
        ("finetune.base.dtype", _HALF),
        ("inference.quantisation", "nf4"),
    ),
}
_MODEL_OF_ROLE: Mapping[str, str] = {"baseline.dtype": "baseline", "finetune.base.dtype": "base"}


@dataclass(frozen=True, slots=True)
class Advice:
    """How a stage comes to fit a card.

    Attributes:
        stage: its name.
        card_gb: size of the card.
        changes: settings by field; none where no setting helps.
        peak_bytes: with these changes; without any, what no setting changes: weights and what is kept.
    """

    stage: str
    card_gb: int
    changes: Mapping[str, Any]
    peak_bytes: int

    @property
    def sets(self) -> list[str]:
        """The changes as they are typed."""
        return [f"--set {name}={_typed(value)}" for name, value in self.changes.items()]


def advise(stage: str, recipe: Recipe, card_gb: int, largest: Largest) -> Advice:
    """Find settings under which a stage that does not fit a card does.

    Smaller batches come first; where these would have to be very small, memory is saved in other ways, too.

    Args:
        stage: its name.
        recipe: under which it does not fit.
        card_gb: size of the card.
        largest: plans the stage under another recipe and gives its footprint.
    """
    changes: dict[str, Any] = {}
    ways: list[tuple[dict[str, Any], int]] = []
    least = largest(recipe)
    for further in [None, *_FURTHER.get(stage, ())]:
        if further is not None:
            if not _saves(recipe, *further):
                continue
            changes[further[0]] = further[1]
            least = largest(changed(recipe, changes))
        if fits(least.total, card_gb):
            return Advice(stage, card_gb, dict(changes), least.total)
        rows = _rows_that_may_fit(stage, changed(recipe, changes), card_gb, least)
        if rows >= ENOUGH_ROWS:
            found = _with_fewer_rows(changes, rows, stage, recipe, card_gb, largest)
            if found:
                return found
        ways.append((dict(changes), rows))
    for chosen, rows in reversed(ways):  # the last one saves most
        found = _with_fewer_rows(chosen, rows, stage, recipe, card_gb, largest)
        if found:
            return found
    return Advice(stage, card_gb, {}, least.weights + least.kept)


def _saves(recipe: Recipe, field: str, value: Any) -> bool:
    """Whether a change asks for less than the recipe does."""
    now = value_at(recipe, field)
    if value == _HALF:
        return bool(now == "float32")
    return bool(now > value) if isinstance(now, int) and not isinstance(now, bool) else bool(now != value)


def _rows_that_may_fit(stage: str, recipe: Recipe, card_gb: int, whole: Footprint) -> int:
    """A power of two of rows: what a batch allocates is nearly proportional to its rows."""
    rows = _rows(stage, recipe)
    room = card_gb * GB - CONTEXT_BYTES - whole.weights - whole.kept
    return _power_of_two(min(int(rows * room / whole.working), rows - 1)) if room > 0 else 0


def _with_fewer_rows(
    changes: Mapping[str, Any], rows: int, stage: str, recipe: Recipe, card_gb: int, largest: Largest
) -> Advice | None:
    """So many rows at once, or as few as fit, planned again."""
    while rows >= 1:
        new = {**changes, _BATCH[stage]: rows}
        peak = largest(changed(recipe, new)).total
        if fits(peak, card_gb):
            return Advice(stage, card_gb, new, peak)
        rows //= 2
    return None


def _rows(stage: str, recipe: Recipe) -> int:
    if stage == "finetune":
        return recipe.finetune.micro_batch_size or recipe.finetune.batch_size
    field = _BATCH.get(stage)
    return int(value_at(recipe, field)) if field else 0


def _power_of_two(number: int) -> int:
    """The largest one up to a number; 0 below 1."""
    return 1 << (number.bit_length() - 1) if number > 0 else 0


def value_at(recipe: Recipe, field: str) -> Any:
    """The value of a field, named by its path."""
    value: Any = recipe
    for name in field.split("."):
        value = getattr(value, name)
    return value


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with some fields changed, checked as any other.

    Raises:
        pydantic.ValidationError: The fields contradict each other.
    """
    if not changes:
        return recipe
    content = recipe.model_dump()
    for field, value in changes.items():
        _put(content, field.split("."), value)
        for variant in content["variants"]:  # which stand for these models, see `recipes.loader`
            if variant["role"] == _MODEL_OF_ROLE.get(field):
                variant["model"]["dtype"] = value
    return Recipe.model_validate(content)


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        content = content[name]
    content[path[-1]] = value


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

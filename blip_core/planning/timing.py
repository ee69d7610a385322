"""How long stages take, and on what card that holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blip_core.planning.cards import CARDS, Card, card_named, card_of_device, fits, processor
from blip_core.planning.counting import Counts
from blip_core.planning.live_bytes import Where
from blip_core.planning.rates import Rate, known_rate
from blip_core.planning.stages import SHARED_OUT, Stage
from blip_core.recipes import Recipe

DERIVED = "derived"
UNKNOWN = "not known"
SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a stage takes.

    Attributes:
        stage: its name.
        rows: that it works; of tuning, in all epochs.
        seconds: of wall time; 0 where it is not known.
        device_hours: of all processes together; 0 where the time is not known.
        origin: `derived`, `measured here`, `measured elsewhere` or `not known`.
        date: of the measurement; empty where there is none.
        device: what it holds for; empty where nobody wrote it down.
    """

    stage: str
    rows: float
    seconds: float
    device_hours: float
    origin: str
    date: str
    device: str

    @property
    def is_known(self) -> bool:
        return self.origin != UNKNOWN

    def to_dict(self) -> dict[str, Any]:
        """The timing as programs read it: what is not known is null."""
        return asdict(self) if self.is_known else {**asdict(self), "seconds": None, "device_hours": None}


def choose_card(
    name: str,
    recipe: Recipe,
    where: Where,
    peaks: Mapping[str, int],
    elsewhere: Sequence[Rate] = (),
) -> Card:
    """What times hold for that were not measured here.

    Raises:
        RecipeError: There is no card of that name.
    """
    if name:
        return card_named(name)
    if where == "cpu":
        return processor(recipe.device.threads)
    import torch

    own = card_of_device(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else None
    holding = [one for one in CARDS.values() if all(fits(peak, one.memory_gb) for peak in peaks.values())]
    measured = {card_of_device(rate.device) for rate in elsewhere}
    known = next((one for one in holding if one in measured), None)
    return own or known or next(iter(holding), list(CARDS.values())[-1])


def time_stage(
    stage: Stage, recipe: Recipe, rates: Sequence[Rate], card: Card, elsewhere: Sequence[Rate] = ()
) -> Timing:
    """How long a stage takes: as it was measured where it was, else derived from its operations.

    Of a CPU nothing is derived: how much of its peak it reaches differs fifty-fold by model and machine. Nor
    is it of a stage whose operations nobody traced.
    """
    known = known_rate(stage.name, recipe, rates, elsewhere)
    if known is not None:
        seconds = stage.rows / known.rows_per_second
        hours = seconds * stage.processes / SECONDS_AN_HOUR
        shared = seconds / _gpus(stage, recipe)
        return Timing(stage.name, stage.rows, shared, hours, known.origin, known.date, known.device)
    if card.memory_gb == 0 or stage.footprint.is_coarse:
        return Timing(stage.name, stage.rows, 0.0, 0.0, UNKNOWN, "", card.name)
    seconds = card.seconds(stage.work)
    hours = seconds / SECONDS_AN_HOUR
    together = stage.processes * _gpus(stage, recipe)
    return Timing(stage.name, stage.rows, seconds / together, hours, DERIVED, "", card.name)


def _gpus(stage: Stage, recipe: Recipe) -> float:
    """GPUs among which the shards of a stage are shared out; of workers on a CPU a rate knows already."""
    device = recipe.device
    if device.kind != "cuda" or stage.group not in SHARED_OUT:
        return 1.0
    return max(1.0, device.sharing * (min(1.0, device.worker_gpus) if device.executor == "ray" else 1.0))


def time_plugged(recipe: Recipe, counts: Counts) -> Iterator[Timing]:
    """The stages that a model of another package works: of what it takes nothing is known here."""
    made, source = recipe.source.is_made_here, recipe.source
    parts = {
        "scenes": (recipe.scenes.plugin if made else None, counts.scenes),
        "pictures": (recipe.pictures.plugin if source.kind == "prompts" else None, counts.pictures),
        "labels": (recipe.labels.plugin if source.is_labelled else None, counts.labels),
    }
    for stage, (part, rows) in parts.items():
        if part is not None and rows:
            yield Timing(stage, rows, 0.0, 0.0, UNKNOWN, "", f"{part.name}, of another package")

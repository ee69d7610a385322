"""All gates in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from blip_core.curation.blank_pictures import refuse_blank_pictures
from blip_core.curation.exact_duplicates import refuse_exact_duplicates
from blip_core.curation.gate import STAGE, Kept
from blip_core.curation.letter_balance import balance_letters
from blip_core.curation.near_duplicates import Near, tie_near_duplicates
from blip_core.curation.text import check_texts
from blip_core.errors import EmptyDataset
from blip_core.recipes.curation import Curation
from blip_core.records import Example, Rejection, sum_up

__all__ = ["STAGE", "Curated", "GateCount", "curate"]

ENOUGH_TO_JUDGE = 50  # rows; of fewer, the gates may have good reason to refuse nearly all
MIN_KEPT_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class GateCount:
    """How many rows came to a gate, and how many it refused."""

    gate: str
    seen: int
    refused: int


@dataclass(slots=True)
class Curated:
    """What the gates let pass and what not.

    Attributes:
        kept: rows in the order they came.
        rejections: rows that were refused, gate by gate.
        near: what rows are tied to because their pictures look alike, see `near_duplicates`.
        gates: the gates that were on, in order.
    """

    kept: list[Example]
    rejections: list[Rejection] = field(default_factory=list)
    near: Near = field(default_factory=dict)
    gates: list[GateCount] = field(default_factory=list)

    def apply(self, gate: str, enabled: bool, judge: Callable[[Sequence[Example]], Kept]) -> None:
        """Send what is kept so far through one more gate."""
        if not enabled:
            return
        kept, refused = judge(self.kept)
        self.gates.append(GateCount(gate, len(self.kept), len(refused)))
        self.kept = kept
        self.rejections += refused


def curate(examples: Sequence[Example], settings: Curation) -> Curated:
    """Send examples through the gates that are on.

    Args:
        examples: oldest first: of two rows alike the first is kept, and the second follows its split.
        settings: which gates are on, and their dials.

    Raises:
        EmptyDataset: The gates refuse nearly all of the rows.
    """
    curated = Curated(list(examples))
    curated.apply("lengths", settings.lengths.enabled, lambda rows: check_texts(rows, settings.lengths))
    curated.apply(
        "blank_pictures",
        settings.blank_pictures.enabled,
        lambda rows: refuse_blank_pictures(rows, settings.blank_pictures),
    )
    curated.apply(
        "exact_duplicates",
        settings.exact_duplicates.enabled,
        lambda rows: refuse_exact_duplicates(rows, settings.exact_duplicates),
    )

    def tie(rows: Sequence[Example]) -> Kept:
        kept, refused, curated.near = tie_near_duplicates(rows, settings.near_duplicates)
        return kept, refused

    curated.apply("near_duplicates", settings.near_duplicates.enabled, tie)
    curated.apply(
        "letter_balance",
        settings.letter_balance.enabled,
        lambda rows: balance_letters(rows, settings.letter_balance),
    )
    _check_share(curated, len(examples))
    return curated


def _check_share(curated: Curated, seen: int) -> None:
    """Stop when nearly all is refused: what little is left would train a model on accidents."""
    if seen < ENOUGH_TO_JUDGE or len(curated.kept) >= MIN_KEPT_SHARE * seen:
        return
    by_gate = ", ".join(f"{count.gate} {count.refused} of {count.seen}" for count in curated.gates)
    raise EmptyDataset(
        f"The gates kept {len(curated.kept)} of {seen} rows. Refused by gate: {by_gate}. "
        f"By reason: {sum_up(curated.rejections)}. Look at what these rows have in common: "
        "mend the labels or the pictures, or loosen the gate (curation.GATE), or switch it off "
        "(curation.GATE.enabled = false)"
    )

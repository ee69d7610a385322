"""The one JSON object that a run hands to programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from blip_core import strict_json
from blip_core.reporting.ladder import Ladder
from blip_core.scoring import BY_LETTER, Finding
from blip_core.scoring.published import BesidePublished

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """The dataset: its folder, digest, rows per split and refused rows by reason.

    `gates` holds, by gate in their order, how many rows came to it and how many it refused.
    """

    path: str
    digest: str
    rows: Mapping[str, int]
    rejected: Mapping[str, int]
    gates: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """One variant; shares lie between 0 and 1, those that were not asked for are None.

    Attributes:
        accuracy: share of right letters; None where texts are written.
        ci95: interval of `value`.
        n: rows.
        generation_accuracy: share of right letters written freely.
        invalid: share of free answers that name no letter.
        circular: share right in all rotations.
        measure: that variants are ranked by.
        value: mean of it, in its own unit; of letters the accuracy.
        measures: mean of every measure of texts by name; empty where there are options.
    """

    accuracy: float | None
    ci95: Interval
    n: int
    generation_accuracy: float | None
    invalid: float | None
    circular: float | None = None
    measure: str = BY_LETTER.name
    value: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """How much more often `b` is right than `a`, from -1 to 1; `p_adjusted` counts all comparisons."""

    a: str
    b: str
    difference: float
    ci95: Interval
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class AdapterSummary:
    """The adapter's folder and digest, and what was counted while it was tuned."""

    path: str
    digest: str
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PhaseSummary:
    """A phase by its name: its dataset and its adapter, as above; what it did not make is None."""

    dataset: DatasetSummary | None
    adapter: AdapterSummary | None


@dataclass(frozen=True, slots=True)
class ScoresSummary:
    """The folder that holds `scores.json` and `measurements.parquet`, and its digest."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class ChampionSummary:
    """Whether the adapter earned the alias `champion` by the recipe's rule, and why or why not."""

    won: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageSummary:
    """Wall time of a stage, whether its result lay there already, and what servers were asked for it."""

    seconds: float
    cached: bool
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MlflowSummary:
    """Where the run is recorded; `run_id` is empty as long as no server has heard of it."""

    tracking_uri: str
    run_id: str


@dataclass(frozen=True, slots=True)
class GrowthSummary:
    """What came of extending a dataset.

    Attributes:
        line: name of recipe and profile.
        version: digest of the last version.
        parent: digest of the version that it extends; empty for the first.
        is_new: whether this run made it.
        rows: of the version.
        added: rows beyond the parent's.
        asked: questions that were asked about new scenes, each of which might have become a row.
        refused_share: of those that became none, 0 to 1.
        balance: of letters and categories, see `blip_core.dataset.growth`.
        drift: how far the new rows' letters, kinds and categories lie from the parent's, 0 to 1.
        stopped: why it ended before its target; empty where it did not.
        alerts: what somebody should look at, a sentence each.
    """

    line: str
    version: str
    parent: str
    is_new: bool
    rows: int
    added: int
    asked: int
    refused_share: float
    balance: float
    drift: Mapping[str, float] = field(default_factory=dict)
    stopped: str = ""
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a program may want to know of a run; what a run did not make is None or empty.

    `report` is the path of its page; only runs that compare variants have one.
    """

    dataset: DatasetSummary | None
    variants: Mapping[str, VariantSummary]
    comparisons: tuple[ComparisonSummary, ...]
    adapter: AdapterSummary | None
    stages: Mapping[str, StageSummary]
    mlflow: MlflowSummary
    report: str = ""
    champion: ChampionSummary | None = None
    findings: tuple[Finding, ...] = ()
    published: tuple[BesidePublished, ...] = ()
    phases: Mapping[str, PhaseSummary] = field(default_factory=dict)
    scores: ScoresSummary | None = None
    growth: GrowthSummary | None = None

    @property
    def earlier_adapters(self) -> dict[str, AdapterSummary]:
        """Adapters of the phases before the last one, by phase."""
        made = {name: phase.adapter for name, phase in list(self.phases.items())[:-1]}
        return {name: adapter for name, adapter in made.items() if adapter}

    def to_dict(self) -> dict[str, Any]:
        """The object as JSON values."""
        values: dict[str, Any] = strict_json.loads(self.to_json())
        return values

    def to_json(self) -> str:
        """The object on one line; a number that JSON cannot hold is an error."""
        return strict_json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(
            dataset=_dataset(values["dataset"]),
            variants={name: _variant(one) for name, one in values["variants"].items()},
            comparisons=tuple(_comparison(one) for one in values["comparisons"]),
            adapter=_adapter(values["adapter"]),
            stages={name: StageSummary(**one) for name, one in values["stages"].items()},
            mlflow=MlflowSummary(**values["mlflow"]),
            report=values["report"],
            champion=_champion(values.get("champion")),
            findings=findings_of(values),
            published=published_of(values),
            phases={name: _phase(one) for name, one in values.get("phases", {}).items()},
            scores=ScoresSummary(**told) if (told := values.get("scores")) else None,
            growth=_growth(values.get("growth")),
        )


def _dataset(values: Mapping[str, Any] | None) -> DatasetSummary | None:
    if not values:
        return None
    gates = {name: (seen, refused) for name, (seen, refused) in values.get("gates", {}).items()}
    return DatasetSummary(**{**values, "gates": gates})


def _growth(values: Mapping[str, Any] | None) -> GrowthSummary | None:
    return GrowthSummary(**{**values, "alerts": tuple(values["alerts"])}) if values else None


def _adapter(values: Mapping[str, Any] | None) -> AdapterSummary | None:
    return AdapterSummary(**values) if values else None


def _phase(values: Mapping[str, Any]) -> PhaseSummary:
    return PhaseSummary(_dataset(values["dataset"]), _adapter(values["adapter"]))


def summarise_variants(ladder: Ladder) -> dict[str, VariantSummary]:
    """The rungs of a ladder by name."""
    return {
        rung.name: VariantSummary(
            accuracy=rung.accuracy.value if ladder.ranking == BY_LETTER else None,
            ci95=(rung.accuracy.low, rung.accuracy.high),
            n=rung.accuracy.n,
            generation_accuracy=rung.free.accuracy if rung.free else None,
            invalid=rung.free.invalid if rung.free else None,
            circular=rung.circular.value if rung.circular else None,
            measure=ladder.ranking.name,
            value=rung.accuracy.value,
            measures=rung.measures,
        )
        for rung in ladder.rungs
    }


def summarise_comparisons(ladder: Ladder) -> tuple[ComparisonSummary, ...]:
    """The comparisons of a ladder, in its order."""
    return tuple(
        ComparisonSummary(one.a, one.b, one.difference, (one.low, one.high), one.p_value, one.p)
        for one in ladder.comparisons
    )


def findings_of(values: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings of a run from JSON values; there are none in those of earlier versions."""
    return tuple(Finding(**{**one, "ci95": tuple(one["ci95"])}) for one in values.get("findings", ()))


def published_of(values: Mapping[str, Any]) -> tuple[BesidePublished, ...]:
    """Published scores beside those of a run, from JSON values; most runs have none."""
    return tuple(
        BesidePublished(**{**one, "ci95": tuple(one["ci95"])}) for one in values.get("published", ())
    )


def _variant(values: Mapping[str, Any]) -> VariantSummary:
    return VariantSummary(**{**values, "ci95": tuple(values["ci95"])})


def _comparison(values: Mapping[str, Any]) -> ComparisonSummary:
    return ComparisonSummary(**{**values, "ci95": tuple(values["ci95"])})


def _champion(values: Mapping[str, Any] | None) -> ChampionSummary | None:
    return ChampionSummary(values["won"], tuple(values["reasons"])) if values else None

"""Scores that were published, held beside those that were measured here."""

from collections.abc import Sequence
from dataclasses import dataclass

from blip_core.errors import RecipeError
from blip_core.finite import check_finite
from blip_core.recipes.recipe import Recipe
from blip_core.recipes.variants import Published, Variant
from blip_core.scoring.bootstrap import RESAMPLES
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.measures import measure_named, measures_of
from blip_core.scoring.texts import mean_with_interval


@dataclass(frozen=True, slots=True)
class BesidePublished:
    """One published score and the one that was measured.

    Attributes:
        variant: who was measured.
        measure: by which both were judged.
        words: what the measure says, for people.
        published: the published score, in the measure's unit.
        measured: the mean over the rows that judge here.
        ci95: ends of its 95 % interval, whole pictures resampled.
        n: rows.
        difference: measured less published.
        published_of: checkpoint that the published score is of.
        measured_of: checkpoint that was measured.
        source: where the published score stands.
        span: largest value of the measure less its smallest; None without bounds.
    """

    variant: str
    measure: str
    words: str
    published: float
    measured: float
    ci95: tuple[float, float]
    n: int
    difference: float
    published_of: str
    measured_of: str
    source: str
    span: float | None

    def __post_init__(self) -> None:
        check_finite(f"{self.measure} of {self.variant}", {"mean": self.measured, "low end": self.ci95[0]})

    @property
    def is_same_model(self) -> bool:
        """Whether both are scores of one checkpoint."""
        return self.published_of == self.measured_of


def check_published(recipe: Recipe) -> None:
    """Make sure that each published score can be measured, before any work is begun.

    Raises:
        RecipeError: A measure is unknown, or does not judge the recipe's rows.
    """
    for variant, told in _told(recipe):
        try:
            measure = measure_named(told.measure)
        except RecipeError as error:
            raise RecipeError(f"variant {variant.name}, published: {error}") from None
        if not measure.judges(recipe.task):
            allowed = ", ".join(one.name for one in measures_of(recipe.task))
            raise RecipeError(
                f"variant {variant.name}, published: {measure.name} does not judge rows of the task "
                f"{recipe.task}; allowed: {allowed}"
            )


def beside_published(
    recipe: Recipe, measurements: Sequence[Measurement], draws: int = RESAMPLES
) -> list[BesidePublished]:
    """Every published score that has something measured beside it, in the order of the variants."""
    found = []
    for variant, told in _told(recipe):
        measure = measure_named(told.measure)
        judged = [one for one in measurements if one.variant == variant.name and one.measure == measure.name]
        if not judged:
            continue
        mean = mean_with_interval(judged, measure, recipe.seed, draws)
        found.append(
            BesidePublished(
                variant=variant.name,
                measure=measure.name,
                words=measure.words,
                published=told.value,
                measured=mean.value,
                ci95=(mean.low, mean.high),
                n=mean.n,
                difference=mean.value - told.value,
                published_of=told.model,
                measured_of=variant.model.id,
                source=told.source,
                span=measure.span,
            )
        )
    return found


def _told(recipe: Recipe) -> list[tuple[Variant, Published]]:
    variants = [one for one in recipe.variants if isinstance(one, Variant)]
    return [(variant, told) for variant in variants for told in variant.published]

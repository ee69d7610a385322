"""The phases of a run: each grows its rows and tunes an adapter on them."""

from collections.abc import Mapping
from typing import Any

from prefect import flow

from blip_core.recipes import BASE, OWN, Recipe
from blip_core.store import ArtifactRef
from flows.forms import ResolvedRecipe
from tasks.annotate_rows import annotate_rows
from tasks.build_dataset import build_dataset
from tasks.collect_rows import collect_rows
from tasks.curate_rows import curate_rows
from tasks.label_pictures import label_pictures
from tasks.mix_rows import mix_rows
from tasks.paint_pictures import paint_pictures
from tasks.read_pictures import read_pictures
from tasks.read_table import read_table
from tasks.stage import is_only_planned
from tasks.tune_adapter import tune_adapter
from tasks.write_scenes import write_scenes

NOTHING: Mapping[str, Any] = {}


class Phases:
    """What the phases of a run have made: each dataset and adapter once, when it is first asked for.

    Args:
        recipe: the resolved recipe.
        dataset: the last phase's rows, where somebody names them.
        adapter: the last phase's adapter, where somebody names it.
    """

    def __init__(
        self, recipe: Recipe, dataset: ArtifactRef | None = None, adapter: ArtifactRef | None = None
    ) -> None:
        self._recipe = recipe
        self._phases = {phase.name: phase for phase in recipe.each_phase()}
        self.names = tuple(phase.name for phase in recipe.tuned_phases())
        self.last = recipe.last_phase
        self.datasets: dict[str, ArtifactRef] = {self.last: dataset} if dataset else {}
        self.adapters: dict[str, ArtifactRef] = {self.last: adapter} if adapter else {}

    def grow(self, name: str) -> ArtifactRef:
        """The rows of a phase: its own, or a mixture with those of earlier ones."""
        if name not in self.datasets:
            phase = self._phases[name]
            recipe = self._recipe.in_phase(phase)
            earlier = {one: self.grow(one) for one in phase.weights if one != OWN}
            drafting = {one: self.tune(one) for one in recipe.drafting_phases if phase.grows_own}
            make = grow_dataset.fn if is_only_planned() else grow_dataset
            self.datasets[name] = make(recipe, phase.weights, earlier, drafting)
        return self.datasets[name]

    def tune(self, name: str) -> ArtifactRef:
        """The adapter of a phase, tuned on its rows."""
        if name not in self.adapters:
            phase = self._phases[name]
            start = None if phase.start == BASE else self.tune(phase.start)
            make = tune.fn if is_only_planned() else tune
            self.adapters[name] = make(self._recipe.in_phase(phase), self.grow(name), start)
        return self.adapters[name]


@flow(name="grow-dataset", flow_run_name="grow-dataset {recipe.label}", validate_parameters=False)
def grow_dataset(
    recipe: ResolvedRecipe,
    weights: Mapping[str, float] = NOTHING,
    earlier: Mapping[str, ArtifactRef] = NOTHING,
    drafting: Mapping[str, ArtifactRef] = NOTHING,
) -> ArtifactRef:
    """Grow the dataset of a phase from nothing but prompts, or from the source it names.

    Args:
        recipe: the resolved recipe, as the phase has it.
        weights: of the sets that are mixed; none, the phase's own rows alone.
        earlier: datasets of earlier phases, by the names of those that are mixed.
        drafting: adapters of earlier phases that write some of its texts.
    """
    if not weights:
        return _own_rows(recipe, drafting)
    sets = {name: _own_rows(recipe, drafting) if name == OWN else earlier[name] for name in weights}
    return mix_rows(recipe=recipe, sets=sets, weights=dict(weights))


def _own_rows(recipe: Recipe, drafting: Mapping[str, ArtifactRef]) -> ArtifactRef:
    if recipe.source.has_own_texts:
        return _annotated(recipe, drafting) if recipe.annotations else read_table(recipe=recipe)
    if not recipe.source.is_made_here:
        pictures = read_pictures(recipe=recipe)
    else:
        scenes = write_scenes(recipe=recipe)
        pictures = paint_pictures(recipe=recipe, scenes=scenes)
    labels = label_pictures(recipe=recipe, pictures=pictures) if recipe.asks_labeller else None
    if recipe.annotations or labels is None:
        return _annotated(recipe, drafting, pictures, labels)
    return build_dataset(recipe=recipe, pictures=pictures, labels=labels)


def _annotated(
    recipe: Recipe,
    drafting: Mapping[str, ArtifactRef],
    pictures: ArtifactRef | None = None,
    labels: ArtifactRef | None = None,
) -> ArtifactRef:
    """Rows that go through the annotation steps, one after the other, before the gates see them."""
    rows = collect_rows(recipe=recipe, pictures=pictures, labels=labels)
    for name, step in recipe.steps.items():
        rows = annotate_rows(recipe=recipe, step=name, rows=rows, adapter=drafting.get(step.drafts_by))
    return curate_rows(recipe=recipe, rows=rows, pictures=pictures)


@flow(name="tune", flow_run_name="tune {recipe.label}", validate_parameters=False)
def tune(recipe: ResolvedRecipe, dataset: ArtifactRef, start: ArtifactRef | None = None) -> ArtifactRef:
    """Tune the adapter of a phase on its rows.

    Args:
        recipe: the resolved recipe, as the phase has it.
        dataset: the rows to learn from.
        start: the adapter that is gone on from; without, a fresh one.
    """
    return tune_adapter(recipe=recipe, dataset=dataset, start=start)

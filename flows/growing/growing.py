"""Extends the last version of a dataset to a target: the shortest length that has reached it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from blip_core import curation
from blip_core.dataset.comparing import Difference, compare_datasets, rows_of
from blip_core.dataset.growth import Grown, Target, balance_of, rows_by_step, shortest
from blip_core.errors import BudgetSpent, RecipeError, StoreError
from blip_core.recipes import Recipe
from blip_core.scenes import number_of
from blip_core.store import ArtifactRef
from blip_core.store.decided import DecidedRows
from blip_core.store.versions import Line, Version
from blip_core.wiring import gate_identities, workplace
from flows.growing.obeying import obeying
from tasks import label_pictures, paint_pictures, shards, write_scenes
from tasks.allowance import Allowance, allowing
from tasks.stage import path_of

Make = Callable[[Recipe], ArtifactRef]
"""Makes the dataset of a recipe, or takes what the store holds of it."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What came of a growth.

    Attributes:
        recipe: as it asks for what the version holds.
        dataset: the version.
        version: what its line says of it.
        parent: the version before; None where it is the first.
        difference: from the parent, but for rows that people decided since; None where it is the first, or
            nothing came.
        stopped: why it ended before its target; empty where it did not.
        is_new: whether there is a new version.
    """

    recipe: Recipe
    dataset: ArtifactRef
    version: Version
    parent: Version | None
    difference: Difference | None
    stopped: str
    is_new: bool


def line_of(recipe: Recipe) -> Line:
    """The line of versions that a recipe extends: all that have the same rows, as far as they go."""
    made_by = {
        "scenes": write_scenes.made_by(recipe.of_any_length),
        "pictures": paint_pictures.made_by(recipe),
        "labels": label_pictures.made_by(recipe),
        "gates": {"version": curation.VERSION, **gate_identities(recipe)},
        "recipe": recipe.digest("curation", "dataset", "task", "name"),
    }
    store = workplace().store
    return Line(store, store.key("line", made_by), " ".join(filter(None, (recipe.name, recipe.profile))))


def check_grows(recipe: Recipe, target: Target) -> None:
    """Make sure that a recipe's dataset can be extended.

    Raises:
        RecipeError: It cannot, or a budget covers no shard.
    """
    reason = ""
    if recipe.phases:
        reason = "it has several phases, each with rows of its own, and a version is of one set of rows"
    elif not recipe.source.is_made_here:
        reason = (
            f"source.kind is {recipe.source.kind}: pictures come from outside, and are there or are not. Add "
            "new ones under names that come after those that are there; what was labelled is in the store"
        )
    elif recipe.annotations:
        reason = (
            "its annotation steps take facts from all rows, and work them in batches that later rows fill "
            "up, so that earlier rows would change"
        )
    elif recipe.dataset.train_rows:
        reason = "dataset.train_rows draws among all rows, so that earlier ones would go"
    if reason:
        raise RecipeError(
            f"{recipe.name} cannot be extended: {reason}; leave out rows, more, balance, hours and requests, "
            "and a new version is made"
        )
    least = max(recipe.scenes.batch_size, shards.ROWS_PER_SHARD * recipe.labels.per_picture)
    if 0 < target.requests < least:
        raise RecipeError(
            f"requests is {target.requests}, and one shard takes {least} of them, so that nothing would "
            f"come: allow at least {least}"
        )


def grow(recipe: Recipe, target: Target, make: Make) -> Growth:
    """Extend the last version of a recipe's line, or begin the line.

    Args:
        recipe: see `check_grows`; how many scenes it asks for is not looked at.
        target: when to end.
        make: makes the dataset of the recipe with so many scenes.

    Raises:
        RecipeError: See `check_grows`.
        StoreError: Another run extends the line, or its last version was pruned and comes out otherwise.
        BudgetSpent: The budget ended before the first step was whole.
    """
    check_grows(recipe, target)
    line = line_of(recipe)
    with line.alone():
        return _Growing(recipe, line, make).to(target)


def now() -> datetime:
    """The time that versions bear."""
    return datetime.now(UTC)


class _Growing:
    """One growth under way."""

    def __init__(self, recipe: Recipe, line: Line, make: Make) -> None:
        self._recipe = recipe
        self._line = line
        self._make = make
        self._made: dict[int, ArtifactRef] = {}
        self._last = line.last()
        self._decisions = DecidedRows(workplace().store, line.key).read()

    def to(self, target: Target) -> Growth:
        last = self._last
        start = self._measured(self._steps(last.scenes), self._as_decided(last)) if last else Grown(0, 0, 0.0)
        wanted = target.beyond(start.rows)
        if last and wanted.is_reached(start):
            return self._grown(start, "")
        limits, best, stopped = Allowance(target.hours, target.requests), start, ""
        try:
            with allowing(limits):
                best = self._extended(wanted, start)
        except BudgetSpent as spent:
            stopped, best = str(spent), self._whole(limits, start)
        if not best.steps:
            raise BudgetSpent(
                f"the budget ended before the first step of {shards.ROWS_PER_SHARD} scenes was whole: "
                f"{stopped}; what was made is kept, and the next run goes on from there"
            )
        return self._grown(best, stopped)

    def _extended(self, wanted: Target, start: Grown) -> Grown:
        """The shortest length that has reached a target; under a budget by way of whole shorter ones."""
        per_step = float(shards.ROWS_PER_SHARD * self._recipe.labels.per_picture)
        found, more = start, 1
        while wanted.hours or wanted.requests:
            gained = found.rows / found.steps if found.steps else per_step
            missing = ceil(max(1, wanted.rows - found.rows) / max(gained, 1.0))
            if wanted.is_bounded and missing <= more:
                break
            found = self._measured(found.steps + more)
            if wanted.is_reached(found):
                return shortest(wanted, self._measured, start, per_step)
            more *= 2
        return shortest(wanted, self._measured, found, per_step)

    def _whole(self, limits: Allowance, start: Grown) -> Grown:
        """The longest length whose shards are all there when a budget ends."""
        steps = max([limits.whole.get("labels", 0), start.steps, *self._made])
        return self._measured(steps) if steps > start.steps else start

    def _measured(self, steps: int, made: ArtifactRef | None = None) -> Grown:
        scenes = steps * shards.ROWS_PER_SHARD
        ref = made or obeying(self._make(self._recipe.with_scenes(scenes)), self._decisions)
        self._made[steps] = ref
        rows = [(number_of(row.group), row.answer, row.category) for _, row in rows_of(path_of(ref))]
        by_step = rows_by_step((scene for scene, _, _ in rows), shards.ROWS_PER_SHARD, steps)
        balance = balance_of([letter for _, letter, _ in rows], [category for _, _, category in rows])
        return Grown(steps, len(rows), balance, by_step)

    def _as_decided(self, version: Version) -> ArtifactRef:
        """A version with all that people have decided by now."""
        if version.decisions == len(self._decisions):
            return self._again(version)
        return obeying(self._make(self._recipe.with_scenes(version.scenes)), self._decisions)

    def _again(self, version: Version) -> ArtifactRef:
        """A version; one that was pruned is made again from what is left of it, and has to be the same.

        Raises:
            StoreError: It is another.
        """
        found = workplace().store.find(version.key)
        obeyed = self._decisions[: version.decisions]
        ref = found.ref() if found else obeying(self._make(self._recipe.with_scenes(version.scenes)), obeyed)
        if ref.digest != version.digest:
            raise StoreError(
                f"version {version.digest} of {self._line.name} was pruned, and what is made in its place is "
                f"{ref.digest}: earlier rows would change. Move {self._line.where} away to begin a new line"
            )
        return ref

    def _grown(self, found: Grown, stopped: str) -> Growth:
        dataset, scenes = self._made[found.steps], found.steps * shards.ROWS_PER_SHARD
        recipe, last = self._recipe.with_scenes(scenes), self._last
        if last and last.digest == dataset.digest:
            return Growth(recipe, dataset, last, last, None, stopped, is_new=False)
        parent = last.digest if last else ""
        at = now().isoformat(timespec="seconds")
        decided = len(self._decisions)
        version = Version(dataset.key, dataset.digest, parent, scenes, dataset.rows, at, decided)
        self._line.add(version)
        difference = self._difference(last, dataset) if last else None
        return Growth(recipe, dataset, version, last, difference, stopped, is_new=True)

    def _difference(self, last: Version, dataset: ArtifactRef) -> Difference:
        """From the version before, but for rows that people decided since: those change on purpose."""
        since = {str(one["id"]) for one in self._decisions[last.decisions :]}
        return compare_datasets(path_of(self._again(last)), path_of(dataset), since)

    @staticmethod
    def _steps(scenes: int) -> int:
        return ceil(scenes / shards.ROWS_PER_SHARD)

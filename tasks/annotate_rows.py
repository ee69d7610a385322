"""Stage 4, second part: one annotation step over rows, in shards."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from blip_core.annotating import Context, Models, agreement, annotate, prepare, require_rows, step_of
from blip_core.ports import Progress
from blip_core.recipes import Recipe
from blip_core.records import EXAMPLE_SCHEMA, REJECTION_SCHEMA, Example, Rejection
from blip_core.store import ArtifactRef, iter_rows, read_rows, write_rows
from blip_core.wiring import loads_models, step_identity, step_models, workplace
from tasks.collect_rows import FILE
from tasks.crews import crew_for
from tasks.rows import REJECTIONS, gather
from tasks.shards import ShardWork, by_place, in_runs, publish_shards, whole_batches
from tasks.stage import metadata_of, path_of, stage
from tasks.tune_adapter import ADAPTER

VERSION = 1
_OWN = "own-rejections.parquet"


def key(recipe: Recipe, step: str, rows: ArtifactRef, adapter: ArtifactRef | None = None) -> str:
    annotation = recipe.steps[step]
    inputs = {
        "version": VERSION,
        "step": annotation.model_dump(mode="json", exclude={"path"}),
        "seed": recipe.seed,
        "rows": rows.digest,
        **step_identity(recipe, annotation),
        **({"adapter": adapter.digest} if adapter else {}),
    }
    return workplace().store.key("annotated", inputs)


@contextmanager
def annotating_shards(
    recipe: Recipe, step: str, rows: ArtifactRef, adapter: ArtifactRef | None, facts: dict[str, Any]
) -> Iterator[ShardWork[Example]]:
    """What annotates shards of rows, with the step's models open for all of them.

    Args:
        recipe: see `annotate_rows`.
        step: the same.
        rows: the same.
        adapter: the same.
        facts: that the step has found out of all rows together.
    """
    with _models(recipe, step, adapter) as models:
        yield _shard_work(recipe, step, rows, adapter, Context(models, recipe.seed, rows.digest, facts))


def _models(recipe: Recipe, step: str, adapter: ArtifactRef | None) -> AbstractContextManager[Models]:
    return step_models(recipe, recipe.steps[step], path_of(adapter) / ADAPTER if adapter else None)


def _shard_work(
    recipe: Recipe, step: str, rows: ArtifactRef, adapter: ArtifactRef | None, context: Context
) -> ShardWork[Example]:
    code, settings = step_of(recipe.steps[step])

    def build(folder: Path, shard: Sequence[Example], report: Progress) -> Mapping[str, Any]:
        kept, refused = annotate(code, shard, settings, context)
        write_rows(folder / FILE, kept, EXAMPLE_SCHEMA)
        write_rows(folder / _OWN, [replace(one, stage=step) for one in refused], REJECTION_SCHEMA)
        report(len(shard), len(shard))
        return {"rows": len(kept)}

    whole = by_place(key(recipe, step, rows, adapter))
    return ShardWork("annotated", Example, whole, build, schema=EXAMPLE_SCHEMA)


@stage("annotate {step}", key)
def annotate_rows(
    recipe: Recipe, step: str, rows: ArtifactRef, adapter: ArtifactRef | None = None
) -> ArtifactRef:
    """Work one annotation step over rows; what is refused stands with what earlier steps refused.

    Args:
        recipe: of the phase.
        step: which of its steps, by the name of `Recipe.steps`.
        rows: what is collected or annotated so far.
        adapter: of the earlier phase that drafts, where one does.
    """
    own_key = key(recipe, step, rows, adapter)
    annotation = recipe.steps[step]
    code, settings = step_of(annotation)

    def build(folder: Path) -> dict[str, Any]:
        given = read_rows(path_of(rows) / FILE, Example)
        with _models(recipe, step, adapter) as models:
            context = Context(models, recipe.seed, rows.digest)
            context = replace(context, facts=prepare(code, given, settings, context))
            work = _shard_work(recipe, step, rows, adapter, context)
            parts = in_runs(given, whole_batches(int(getattr(settings, "batch_size", 1))))
            told = {"step": step, "rows": rows, "adapter": adapter, "facts": dict(context.facts)}
            loads = loads_models(recipe, annotation)
            with crew_for(recipe, annotating_shards, loads, **told) as crew:
                shards = publish_shards(work, parts, len(given), crew)
        kept = gather(shards, FILE, folder, Example, EXAMPLE_SCHEMA)
        gather(shards, _OWN, folder, Rejection, REJECTION_SCHEMA)
        own = read_rows(folder / _OWN, Rejection)
        require_rows(step, kept, own)
        agreed = agreement(iter_rows(folder / FILE, Example)) if annotation.name == "attributes" else {}
        earlier = read_rows(path_of(rows) / REJECTIONS, Rejection)
        write_rows(folder / REJECTIONS, [*earlier, *own], REJECTION_SCHEMA)
        return {
            "rows": kept,
            "asked": len(given),
            "refused": dict(sorted(Counter(one.reason for one in own).items())),
            "facts": dict(context.facts),
            **({"agreement": agreed} if agreed else {}),
            "provenance": metadata_of(rows).get("provenance", {}),
            "steps": [
                *metadata_of(rows).get("steps", ()),
                {"step": step, "seen": len(given), "kept": kept, "refused": len(own)},
            ],
            "settings": {
                **recipe.model_dump(mode="json", include={"name", "profile", "seed"}),
                "step": annotation.model_dump(mode="json"),
            },
            "made_from": {"rows": rows.key} | ({"adapter": adapter.key} if adapter else {}),
        }

    return workplace().store.publish(own_key, "annotated", build).ref()

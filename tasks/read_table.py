"""Stages 1 to 4 from outside: what a table or a published set asks and answers becomes a dataset."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from blip_core import curation, sources
from blip_core.errors import RecipeError, TableError
from blip_core.kinds import Kind
from blip_core.recipes import Recipe
from blip_core.recipes.source import Source
from blip_core.records import Example, Rejection
from blip_core.store import ArtifactRef
from blip_core.wiring import gate_identities, workplace
from tasks.curated import cut_by, write_curated
from tasks.gate_models import models_of_gates
from tasks.stage import stage, watcher

TEXTS = "texts"  # of a dataset's metadata: what its source brought
LICENCE = "None is stated. The rows come from a table that was handed in; ask whoever made it."


class Texts(Protocol):
    """What decides which texts a source brings: a recipe, or what a dataset remembers of one."""

    @property
    def source(self) -> Source: ...

    @property
    def task(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def kind(self) -> Kind: ...


class OwnTexts(NamedTuple):
    """What was read: rows, those refused, how answers were read, and where it comes from for the card."""

    examples: list[Example]
    refused: list[Rejection]
    answers: Mapping[str, Any]
    provenance: Mapping[str, str]


def key(recipe: Recipe) -> str:
    inputs = {
        "version": curation.VERSION,
        "recipe": recipe.digest("curation", "dataset", "task", "name"),
        "table": digest_of_texts(recipe),
        "shuffle_seed": shuffle_seed(recipe),
        **gate_identities(recipe),
        **cut_by(recipe),
    }
    return workplace().store.key("dataset", inputs)


@stage("dataset", key)
def read_table(recipe: Recipe) -> ArtifactRef:
    """Send the rows of a table or set through the gates, split what is kept and write it as a dataset."""
    own_key = key(recipe)

    def build(folder: Path) -> dict[str, Any]:
        flags: dict[str, str] = {}
        read = own_texts(recipe, flags)
        examples = read.examples
        if key(recipe) != own_key:
            raise TableError(f"the {recipe.source.kind} of rows changed while it was read; run again")
        watcher().progress(1, 3)
        curated = curation.curate(examples, recipe.curation, models_of_gates(recipe))
        watcher().progress(2, 3)
        written = write_curated(folder, recipe, curated, read.refused, read.provenance)
        watcher().progress(3, 3)
        return {
            **written,
            "asked": len(examples) + len(read.refused),
            "answers": read.answers,
            TEXTS: {"task": recipe.task, "digest": digest_of_texts(recipe)},
            "flagged": sources.count_flags(flags, (example.id for example in examples)),
        }

    return workplace().store.publish(own_key, "dataset", build).ref()


def digest_of_texts(recipe: Texts) -> str:
    """What changes when the texts that a source brings do."""
    if recipe.source.kind == "native":
        return sources.native_digest(recipe.source)
    if recipe.source.kind == "pocket":
        from blip_core.pocket.rows import world_digest

        return world_digest(recipe.source, recipe.task, recipe.seed)
    return sources.table_digest(*_files(recipe))


def own_texts(recipe: Texts, flags: dict[str, str]) -> OwnTexts:
    """The rows of a table, set or pocket world; options in another order where the recipe says so."""
    if recipe.source.kind == "pocket":
        return _compose(recipe)
    read = _read_set(recipe, flags) if recipe.source.kind == "native" else _read_table(recipe, flags)
    seed = shuffle_seed(recipe)
    return read if seed is None else read._replace(examples=sources.shuffle_rows(read.examples, seed))


def _read_table(recipe: Texts, flags: dict[str, str]) -> OwnTexts:
    files = _files(recipe)
    reading = sources.answer_reading(files.path, files.columns, files.answers, files.encoding)
    read, refused = sources.read_table(*files, flags=flags)
    provenance = {
        "table": sources.table_digest(*files),
        "columns": files.columns.describe(),
        "answers": reading.describe(),
        "licence": LICENCE,
    }
    return OwnTexts([replace(row, task=recipe.task) for row in read], refused, reading.to_row(), provenance)


def _read_set(recipe: Texts, flags: dict[str, str]) -> OwnTexts:
    if recipe.source.kind != "native":
        raise RecipeError(f"source.kind is {recipe.source.kind!r}: it is no published set")
    examples, refused = sources.read_native(recipe.source, recipe.task, flags)
    layout, origin = sources.layout_of(recipe.source.layout)
    reading = sources.AnswerReading("free texts", {}, len(examples))
    provenance = {
        "set": f"{layout.words}{f' ({origin})' if origin else ''}",
        "digest": sources.native_digest(recipe.source),
        "licence": layout.licence,
    }
    return OwnTexts(examples, refused, reading.to_row(), provenance)


def _compose(recipe: Texts) -> OwnTexts:
    if recipe.source.kind != "pocket":
        raise RecipeError(f"source.kind is {recipe.source.kind!r}: it is no pocket world")
    # Imported here because its vocabulary brings transformers.
    from blip_core.pocket import rows as composed

    rows = composed.world_rows(recipe.source, recipe.task, recipe.seed)
    provenance = {
        "world": recipe.source.world,
        "digest": composed.world_digest(recipe.source, recipe.task, recipe.seed),
        "licence": composed.LICENCE,
    }
    return OwnTexts(rows, [], sources.AnswerReading("free texts", {}, len(rows)).to_row(), provenance)


def shuffle_seed(recipe: Texts) -> int | None:
    source = recipe.source
    return recipe.seed if source.kind == "table" and source.shuffle_options else None


def _files(recipe: Texts) -> sources.TableFiles:
    if recipe.source.kind != "table":
        raise RecipeError(f"source.kind is {recipe.source.kind!r}: only a table holds questions and answers")
    return sources.files_of_kind(recipe.source, recipe.kind)

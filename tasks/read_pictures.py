"""Stage 2 from outside: pictures of a folder, a table or a plug-in, to be labelled."""

from collections import Counter
from pathlib import Path
from typing import Any

from blip_core import sources
from blip_core.errors import RecipeError, TableError
from blip_core.recipes import Recipe
from blip_core.records import PICTURE_SCHEMA, REJECTION_SCHEMA, Picture, Rejection
from blip_core.store import ArtifactRef, write_rows
from blip_core.wiring import workplace
from tasks.paint_pictures import FILE
from tasks.rows import REJECTIONS
from tasks.stage import stage, watcher

VERSION = 1


def key(recipe: Recipe) -> str:
    inputs = {"version": VERSION, "kind": recipe.source.kind, "content": _digest(recipe)}
    return workplace().store.key("pictures", inputs)


@stage("pictures", key)
def read_pictures(recipe: Recipe) -> ArtifactRef:
    """Read the pictures that lie in a folder, that a table names or a plug-in brings, each once."""
    own_key = key(recipe)

    def build(folder: Path) -> dict[str, Any]:
        flags: dict[str, str] = {}
        pictures, rejections = _read(recipe, flags)
        if key(recipe) != own_key:
            raise TableError(f"the {recipe.source.kind} of pictures changed while it was read; run again")
        watcher().progress(len(pictures), len(pictures))
        kept = write_rows(folder / FILE, pictures, PICTURE_SCHEMA)
        write_rows(folder / REJECTIONS, rejections, REJECTION_SCHEMA)
        reasons = Counter(rejection.reason for rejection in rejections)
        return {
            "rows": kept,
            "asked": kept + len(rejections),
            "refused": dict(sorted(reasons.items())),
            "left_out": _left_out(recipe),
            "flagged": sources.count_flags(flags, (picture.id for picture in pictures)),
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "source"}),
            "made_from": {},
        }

    return workplace().store.publish(own_key, "pictures", build).ref()


def _read(recipe: Recipe, flags: dict[str, str]) -> tuple[list[Picture], list[Rejection]]:
    source = recipe.source
    if source.kind == "table":
        files = sources.table_files(source, sources.PICTURE_FIELDS)
        return sources.read_table_pictures(*files, flags=flags)
    if source.kind == "folder":
        return sources.read_folder(Path(source.path).expanduser(), source.recursive, flags)
    if source.kind == "native":
        return sources.read_native_pictures(source, flags)
    if source.kind == "plugin":
        return sources.read_plugin(source, flags)
    raise _no_pictures(recipe)


def _left_out(recipe: Recipe) -> dict[str, int]:
    """Files of the folder that were not looked at, by reason."""
    source = recipe.source
    if source.kind != "folder":
        return {}
    files = sources.folder_files(Path(source.path).expanduser(), source.recursive)
    return dict(sorted(files.left_out.items()))


def _digest(recipe: Recipe) -> str:
    source = recipe.source
    if source.kind == "table":
        return sources.table_digest(*sources.table_files(source, sources.PICTURE_FIELDS))
    if source.kind == "folder":
        return sources.folder_digest(Path(source.path).expanduser(), source.recursive)
    if source.kind == "native":
        return sources.native_digest(source)
    if source.kind == "plugin":
        return sources.plugin_digest(source)
    raise _no_pictures(recipe)


def _no_pictures(recipe: Recipe) -> RecipeError:
    return RecipeError(
        f"source.kind is {recipe.source.kind!r}: pictures are read from a folder, a table, a published set "
        "or a plug-in, and there is nothing else to grow rows from"
    )

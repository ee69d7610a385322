"""MIT-States (Isola, Lim and Adelson 2015): pictures of nouns in states, a folder for each pair."""

from collections.abc import Iterator
from pathlib import Path

from blip_core.errors import TableError
from blip_core.recipes.native import MitStatesSettings
from blip_core.sources.folder import picture_names
from blip_core.sources.native.layout import Layout, NativeRow, Unusable

_NO_STATE = "adj"  # stands for the adjective in folders of pictures that were sought by the noun alone


def _images(root: Path) -> Path:
    """The folder of pictures, whether the archive's own folder is meant or the one above it."""
    return next((one for one in (root / "images", root / "release_dataset" / "images") if one.is_dir()), root)


def _files(root: Path, settings: MitStatesSettings) -> list[Path]:
    del settings
    return [_images(root)]


def _rows(root: Path, settings: MitStatesSettings) -> Iterator[NativeRow | Unusable]:
    del settings
    images = _images(root)
    above = images.relative_to(root).as_posix()
    for name in picture_names(images):
        folder, slash, _ = name.partition("/")
        picture = name if above == "." else f"{above}/{name}"
        yield _row(name, picture, folder if slash else "")


def _row(name: str, picture: str, folder: str) -> NativeRow | Unusable:
    adjective, space, noun = folder.partition(" ")
    if not space or not adjective or not noun.strip():
        return Unusable(name, "unreadable-folder", f"its folder {folder!r} is no adjective and noun")
    noun = noun.strip()
    state = {} if adjective == _NO_STATE else {"attribute": adjective}
    return NativeRow(id=name, picture=picture, category=noun, attributes={**state, "object": noun})


def _checked(root: Path, settings: MitStatesSettings) -> Iterator[NativeRow | Unusable]:
    rows = list(_rows(root, settings))
    if not any(isinstance(row, NativeRow) for row in rows):
        raise TableError(
            f"{_images(root)} holds no folder named by an adjective and a noun, as 'ancient city'"
        )
    return iter(rows)


MIT_STATES = Layout(
    "mit-states",
    "MIT-States: nouns in states, a folder for each adjective and noun",
    MitStatesSettings,
    _files,
    _checked,
    "release_dataset.zip is at web.mit.edu/phillipi/Public/states_and_transformations",
    "MIT-States states no licence; its pictures were found by a search engine and belong to whoever "
    "made them.",
)

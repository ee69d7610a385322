"""Pictures that a source of an installed package brings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from unicodedata import category as kind_of_character

from blip_core.errors import PictureError, RecipeError, StageFailure, TableError
from blip_core.plugins import Plugin, load_plugin
from blip_core.recipes import PluginSource, Section
from blip_core.records import Picture, Rejection, sum_up
from blip_core.sources.pictures import outside_picture

STAGE = "source"

Settings = TypeVar("Settings", bound=Section)
_UNUSABLE = ("Cc", "Cs")  # control characters, and bytes that are no UTF-8


class Found(NamedTuple):
    """One picture that a source found.

    Attributes:
        name: its own among all; becomes the picture's id.
        image: an encoded picture of any format that is read.
        category: what is shown, where that is known.
    """

    name: str
    image: bytes
    category: str = ""


@dataclass(frozen=True, slots=True)
class PictureSource(Generic[Settings]):
    """How a package of somebody else's brings pictures.

    Attributes:
        settings: what a recipe may set of it.
        digest: a text that changes when what would be read does: part of the key.
        pictures: reads them, always in one order.
        words: what it reads, for people, in one line.
    """

    settings: type[Settings]
    digest: Callable[[Settings], str]
    pictures: Callable[[Settings], Iterable[Found]]
    words: str = ""


def plugin_digest(source: PluginSource) -> str:
    """What changes when a source, its package or its settings do.

    Raises:
        RecipeError: The package brings no source.
        StageFailure: It fails, or gives no text.
    """
    plugin, part = _loaded(source)
    with plugin.named():
        digest = part.digest(part.settings.model_validate(source.settings))
    if not isinstance(digest, str) or not digest:
        raise StageFailure(f"{plugin} gave {digest!r} for its digest; a text is owed")
    return f"{plugin.origin} {plugin.name} {digest}"


def count_plugin(source: PluginSource) -> int:
    """How many pictures a source brings.

    Raises:
        RecipeError: The package brings no source.
        StageFailure: It fails.
    """
    plugin, part = _loaded(source)
    with plugin.named():
        return sum(1 for _ in part.pictures(part.settings.model_validate(source.settings)))


def read_plugin(
    source: PluginSource, flags: dict[str, str] | None = None
) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures of a source; those that are none are refused, with the reasons of `read_folder`.

    Args:
        source: which source, and its settings.
        flags: receives, by id, slugs of what is odd about a picture that was read; see `sources.pictures`.

    Raises:
        TableError: It brings no picture that can be read.
        StageFailure: It fails, or names a picture twice or in signs that cannot be kept.
    """
    plugin, part = _loaded(source)
    with plugin.named():
        found = [Found(*one) for one in part.pictures(part.settings.model_validate(source.settings))]
    _check_names(plugin, found)
    pictures: list[Picture] = []
    rejections: list[Rejection] = []
    for one in found:
        try:
            pictures.append(outside_picture(one.image, one.name, one.category, flags))
        except PictureError as error:
            rejections.append(Rejection(one.name, STAGE, error.reason, str(error)))
    if not pictures:
        raise TableError(f"{plugin} brought no picture that can be read; refused: {sum_up(rejections)}")
    return pictures, rejections


def _loaded(source: PluginSource) -> tuple[Plugin, PictureSource[Any]]:
    plugin = load_plugin(source.GROUP, source.name)
    if not isinstance(plugin.part, PictureSource):
        raise RecipeError(
            f"{plugin} is a {type(plugin.part).__name__}; it must be a blip_core.sources.PictureSource"
        )
    return plugin, plugin.part


def _check_names(plugin: Plugin, found: Iterable[Found]) -> None:
    seen: set[str] = set()
    for name, image, category in found:
        if not (isinstance(name, str) and isinstance(image, bytes) and isinstance(category, str)):
            raise StageFailure(f"{plugin} gave {name!r} in another shape than name, bytes and category")
        if not name or any(kind_of_character(char) in _UNUSABLE for char in name):
            raise StageFailure(f"{plugin} names a picture {name!r}; letters, digits and signs are owed")
        if name in seen:
            raise StageFailure(f"{plugin} names two pictures {name!r}; each must have a name of its own")
        seen.add(name)

"""In-shop Clothes Retrieval (Liu et al. 2016, DeepFashion): items, described, coloured, with attributes."""

from collections.abc import Iterator
from pathlib import Path

from blip_core.errors import TableError
from blip_core.recipes.native import InShopSettings
from blip_core.sources.native.files import read_json, read_text_file
from blip_core.sources.native.layout import Layout, NativeRow, Unusable

_PARTITION = "Eval/list_eval_partition.txt"
_DESCRIPTIONS = "Anno/list_description_inshop.json"
_NAMES, _ITEMS = "Anno/attributes/list_attr_cloth.txt", "Anno/attributes/list_attr_items.txt"
_ELSEWHERE = {_NAMES: "Anno/list_attr_cloth.txt", _ITEMS: "Anno/list_attr_items.txt"}  # of older archives
_HEAD = 2  # lines above the rows: their number, and what stands in them
_HAS = "1"


def _files(root: Path, settings: InShopSettings) -> list[Path]:
    del settings
    return [_found(root, name) for name in (_PARTITION, _DESCRIPTIONS, _NAMES, _ITEMS)]


def _found(root: Path, name: str) -> Path:
    other = root / _ELSEWHERE.get(name, name)
    return other if other.exists() else root / name


def _rows(root: Path, settings: InShopSettings) -> Iterator[NativeRow | Unusable]:
    partition, descriptions, names, items = _files(root, settings)
    told = _described(descriptions)
    attributes = _attributes(names, items)
    below = "Img/" if (root / "Img" / "img").is_dir() else ""
    for cells in _table(partition):
        if len(cells) != 3:  # picture, item, part
            yield Unusable(cells[0], "unreadable-row", f"it has {len(cells)} cells, and 3 are owed")
            continue
        picture, item, part = cells
        if settings.part in ("all", part):
            yield _row(picture, item, below, told.get(item), attributes.get(item, ()))


def _row(
    picture: str, item: str, below: str, told: tuple[str, str] | None, attributes: tuple[str, ...]
) -> NativeRow | Unusable:
    if told is None:
        return Unusable(picture, "missing-description", f"no description is of the item {item}")
    _, gender, garment = [*picture.split("/"), "", ""][:3]  # img/WOMEN/Dresses/id_00000002/02_1_front.jpg
    color, text = told
    words = {
        "color": color.lower(),
        "gender": gender.lower(),
        "garment": garment.replace("_", " ").lower(),
        "attributes": ", ".join(attributes),
    }
    return NativeRow(
        id=picture,
        picture=f"{below}{picture}",
        captions=(text,) if text else (),
        category=garment,
        group=item,
        attributes={name: word for name, word in words.items() if word},
    )


def _described(path: Path) -> dict[str, tuple[str, str]]:
    """Colour and text of each item.

    Raises:
        TableError: It is no list of objects with an item each, or one comes twice.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise TableError(f"{path} holds a {type(content).__name__} where a list of items is owed")
    found: dict[str, tuple[str, str]] = {}
    for place, one in enumerate(content, start=1):
        item = one.get("item") if isinstance(one, dict) else None
        if not isinstance(item, str):
            raise TableError(f"{path}, entry {place}: it is no object with an item")
        if item in found:
            raise TableError(f"{path}, entry {place}: the item {item} comes twice")
        lines = one.get("description")
        text = (
            " ".join(line.strip() for line in lines if isinstance(line, str))
            if isinstance(lines, list)
            else ""
        )
        found[item] = str(one.get("color") or ""), text.strip()
    return found


def _attributes(names: Path, items: Path) -> dict[str, tuple[str, ...]]:
    """Names of the attributes that each item has.

    Raises:
        TableError: A row has another number of values than there are names.
    """
    words = [" ".join(cells) for cells in _table(names)]
    found: dict[str, tuple[str, ...]] = {}
    for item, *values in _table(items):
        if len(values) != len(words):
            raise TableError(
                f"{items}: {item} has {len(values)} values, and {names} names {len(words)} attributes; one "
                "of them is of another version"
            )
        found[item] = tuple(word for word, value in zip(words, values, strict=True) if value == _HAS)
    return found


def _table(path: Path) -> Iterator[list[str]]:
    """Cells of the rows below the heading of one of the set's lists.

    Raises:
        TableError: It does not begin with the number of its rows, or holds another number of them.
    """
    lines = [line for line in read_text_file(path).splitlines() if line.strip()]
    if len(lines) < _HEAD or not lines[0].strip().isdecimal():
        raise TableError(f"{path} does not begin with the number of its rows; it is another file, or cut")
    rows = lines[_HEAD:]
    if len(rows) != int(lines[0]):
        raise TableError(
            f"{path} says that it has {lines[0].strip()} rows and has {len(rows)}; fetch it again"
        )
    return (line.split() for line in rows)


IN_SHOP = Layout(
    "in-shop",
    "In-shop Clothes Retrieval of DeepFashion: items with descriptions, colours and attributes",
    InShopSettings,
    _files,
    _rows,
    "the agreement and the links are at mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html",
    "DeepFashion is for non-commercial research and teaching alone; its pictures belong to the shops.",
)

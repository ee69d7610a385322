"""Picture-text pairs in TAR files, as webdataset reads and img2dataset writes them (CC3M, LAION).

The files of a pair follow each other and share their name up to the first dot: `000000012.jpg`, `.txt`,
`.json`. Members are read by Python's own tarfile, and none is ever unpacked.
"""

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from blip_core.errors import TableError
from blip_core.images import MAX_FILE_BYTES
from blip_core.recipes.native import ShardsSettings
from blip_core.sources.folder import ENDINGS
from blip_core.sources.native.layout import Layout, NativeRow, Unusable

_PICTURES = frozenset(ending.removeprefix(".") for ending in ENDINGS)
_MAX_TEXT_BYTES = 1 << 20

Member = tuple[str, str, tarfile.TarInfo]


def _files(root: Path, settings: ShardsSettings) -> list[Path]:
    found = sorted(one for one in root.glob(settings.pattern) if one.is_file())
    return found or [root / settings.pattern]


def _rows(root: Path, settings: ShardsSettings) -> Iterator[NativeRow | Unusable]:
    for path in _files(root, settings):
        try:
            with tarfile.open(path) as archive:
                yield from _pairs(archive, path.stem, settings)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise TableError(f"{path} is no whole TAR file: {error}; fetch it again") from error


def _pairs(archive: tarfile.TarFile, shard: str, settings: ShardsSettings) -> Iterator[NativeRow | Unusable]:
    members = (_named(member) for member in archive if member.isfile())
    for name, group in groupby(members, key=lambda member: member[0]):
        yield _pair(archive, f"{shard}/{name}", list(group), settings)


def _named(member: tarfile.TarInfo) -> Member:
    folder, slash, file = member.name.rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower(), member


def _pair(
    archive: tarfile.TarFile, name: str, group: list[Member], settings: ShardsSettings
) -> NativeRow | Unusable:
    by_ending = {ending: member for _, ending, member in group}
    if len(by_ending) < len(group):
        return Unusable(name, "repeated-file", "a file of the pair comes twice")
    pictures = [member for ending, member in by_ending.items() if ending in _PICTURES]
    if len(pictures) != 1:
        return Unusable(
            name, "several-pictures" if pictures else "missing-picture", f"it has {len(pictures)}"
        )
    ending = "json" if settings.caption_key else "txt"
    if ending not in by_ending:
        return Unusable(name, "missing-text", f"it has no .{ending}")
    if pictures[0].size > MAX_FILE_BYTES or by_ending[ending].size > _MAX_TEXT_BYTES:
        return Unusable(name, "too-large", f"a file of it has more than {MAX_FILE_BYTES >> 20} MiB")
    try:
        text = _bytes(archive, by_ending[ending]).decode("utf-8")
        caption = json.loads(text).get(settings.caption_key) if settings.caption_key else text
    except (ValueError, AttributeError, RecursionError) as error:
        return Unusable(name, "unreadable-text", f"its .{ending} cannot be read: {error}")
    if not isinstance(caption, str):
        return Unusable(name, "missing-text", f"its .json has no text under {settings.caption_key!r}")
    return NativeRow(id=name, picture=_bytes(archive, pictures[0]), captions=(caption,))


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


SHARDS = Layout(
    "shards",
    "picture-text pairs in TAR files, as webdataset and img2dataset have them",
    ShardsSettings,
    _files,
    _rows,
    "img2dataset writes them from a list of addresses; pattern names them where they do not end in .tar",
    "The pictures belong to whoever published them, whatever the licence of the list of their addresses.",
    has_pictures_inside=True,
)

"""Figures and contact sheets of a run, kept for its mirrors.

The journal's own copies go as soon as MLflow has them, and a mirror may be written later, or anew.
"""

import shutil
from pathlib import Path

from blip_core.tracking.journal import Entry

FOLDER = "mirrored-pictures"
_ENDINGS = (".png", ".jpg", ".jpeg")


def keep_picture(journal: Path, entry: Entry) -> None:
    """Keep what an entry recorded, if it is a picture and not kept yet.

    Raises:
        OSError: It cannot be copied.
    """
    if not _is_picture(entry):
        return
    source, kept = journal.parent / entry.data["file"], _place(journal, entry)
    if source.exists() and not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, kept)


def picture_of(journal: Path, entry: Entry) -> Path | None:
    """The picture that an entry recorded; None where it is none, or nobody has it any more."""
    if not _is_picture(entry):
        return None
    places = (_place(journal, entry), journal.parent / entry.data["file"])
    return next((path for path in places if path.is_file()), None)


def picture_name(entry: Entry) -> str:
    """What a picture is called in every mirror: its path in MLflow without the ending."""
    name = Path(entry.data["file"]).stem
    return f"{entry.data['folder']}/{name}" if entry.data["folder"] else name


def _is_picture(entry: Entry) -> bool:
    return entry.kind == "artifact" and Path(entry.data["file"]).suffix.lower() in _ENDINGS


def _place(journal: Path, entry: Entry) -> Path:
    name = f"{entry.number:06d}-{Path(entry.data['file']).name}"
    return journal.parent.with_name(FOLDER) / journal.stem / name

"""How far a journal has been sent, and where to.

Beside the journals lies `delivered-URI.txt` for each destination: the runs that it has whole. Whoever looks
for what was missed need not open them again, however many there are.
"""

import hashlib
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from blip_core import strict_json
from blip_core.connecting import without_password

logger = logging.getLogger(__name__)

_URI_CHARS = 12


@dataclass(slots=True)
class Cursor:
    """How many entries of a journal the run `mlflow_id` of an experiment at `uri` has received."""

    uri: str
    mlflow_id: str = ""
    experiment_id: str = ""
    delivered: int = 0


def read_cursor(journal: Path, uri: str) -> Cursor:
    """The cursor of a journal; one that was sent elsewhere, or nowhere, starts anew.

    So does one that cannot be read, for instance after a power cut: sending twice adds nothing.
    """
    uri = without_password(uri)  # another password makes no other place
    try:
        cursor = Cursor(**strict_json.loads(cursor_path(journal).read_text()))
    except FileNotFoundError:
        return Cursor(uri)
    except (ValueError, TypeError) as error:
        logger.warning("%s cannot be read (%s); its run is sent again.", cursor_path(journal), error)
        return Cursor(uri)
    return cursor if cursor.uri == uri else Cursor(uri)


def write_cursor(journal: Path, cursor: Cursor) -> None:
    """Write a cursor so that a reader sees the old one or the new one, whole."""
    path = cursor_path(journal)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(strict_json.dumps(asdict(cursor)))
    temporary.replace(path)


def cursor_path(journal: Path) -> Path:
    return journal.with_suffix(".sent.json")


def delivered_runs(folder: Path, uri: str) -> set[str]:
    """Ids of the runs that the MLflow at `uri` has received to the last entry."""
    try:
        return set(_roll(folder, uri).read_text().split())
    except FileNotFoundError:
        return set()


def note_delivered(journal: Path, uri: str) -> None:
    """Note that the MLflow at `uri` has the whole run of a journal; noting it twice does no harm."""
    with _roll(journal.parent, uri).open("a") as roll:
        roll.write(f"{journal.stem}\n")


def _roll(folder: Path, uri: str) -> Path:
    return folder / f"delivered-{hashlib.sha256(without_password(uri).encode()).hexdigest()[:_URI_CHARS]}.txt"

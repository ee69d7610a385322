"""How far a journal has been sent, and where to."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(slots=True)
class Cursor:
    """How many entries of a journal the run `mlflow_id` of an experiment at `uri` has received."""

    uri: str
    mlflow_id: str = ""
    experiment_id: str = ""
    delivered: int = 0


def read_cursor(journal: Path, uri: str) -> Cursor:
    """The cursor of a journal; one that was sent elsewhere, or nowhere, starts anew."""
    path = cursor_path(journal)
    if not path.exists():
        return Cursor(uri)
    cursor = Cursor(**json.loads(path.read_text()))
    return cursor if cursor.uri == uri else Cursor(uri)


def write_cursor(journal: Path, cursor: Cursor) -> None:
    """Write a cursor so that a reader sees the old one or the new one, whole."""
    path = cursor_path(journal)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(asdict(cursor)))
    temporary.replace(path)


def cursor_path(journal: Path) -> Path:
    return journal.with_suffix(".sent.json")

"""Tables as people name them, in a form or on a command line."""

from collections.abc import Sequence
from pathlib import Path

from blip_core.errors import TableError

DEFAULT_VARIANT = "finetuned"


def absolute_paths(table: Path, images: Path | None) -> tuple[Path, Path | None]:
    """The same table and folder of pictures, wherever the run takes place on this machine."""
    return table.expanduser().absolute(), images.expanduser().absolute() if images else None


def column_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Read `image=NAME` texts; `answer=` says that there is no such column.

    Raises:
        TableError: A text is none, or a field comes twice.
    """
    mapping: dict[str, str] = {}
    for text in texts:
        field, equals, name = text.partition("=")
        field = field.strip().lower()
        if not equals or not field:
            raise TableError(f"--column {text}: write FIELD=NAME, for example --column image=photo_file")
        if field in mapping:
            raise TableError(f"--column {text}: {field} is given twice")
        mapping[field] = name.strip()
    return mapping

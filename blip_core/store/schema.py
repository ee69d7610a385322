"""The version of what a store holds, so that an earlier blip-foundry spoils nothing of a later one."""

from blip_core import strict_json
from blip_core.errors import PlaceError

SCHEMA_VERSION = 1
SCHEMA_NOTE = "store.json"
"""A small file that tells it; a store without one is of the first version."""
_FIELD = "schema_version"


def schema_note() -> bytes:
    """What a new store is marked with."""
    return strict_json.dumps({_FIELD: SCHEMA_VERSION}).encode()


def refuse_later(note: bytes | None, address: str) -> None:
    """Refuse a store by its mark; one without is the first version's, which is read as it is.

    Raises:
        PlaceError: A later version wrote it, or the mark cannot be read.
    """
    if note is None:
        return
    try:
        version = int(strict_json.loads(note)[_FIELD])
    except (ValueError, TypeError, KeyError) as error:
        raise PlaceError(
            f"{address}/{SCHEMA_NOTE} does not tell the version of the store ({error!r}); restore it, or "
            "name another store in FOUNDRY_STORE"
        ) from error
    refuse_later_version(version, address)


def refuse_later_version(version: int, where: str) -> None:
    """Refuse what a later version wrote.

    Raises:
        PlaceError: It did.
    """
    if version > SCHEMA_VERSION:
        raise PlaceError(
            f"{where} was written by a later blip-foundry (version {version} of the store; this one knows "
            f"{SCHEMA_VERSION}); update blip-foundry, or name another store in FOUNDRY_STORE"
        )

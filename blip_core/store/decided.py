"""What people decided about rows of a dataset that grows, kept beside its line: later versions obey it.

It is people's work, and nothing makes it anew: it is only ever added to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from blip_core import strict_json
from blip_core.errors import StoreError
from blip_core.store.places import Taken
from blip_core.store.store import Store

FOLDER = "decisions"

Decision = Mapping[str, Any]
"""About one row, as a file of decisions has it: its `id`, and keep or drop, or what is mended."""


class DecidedRows:
    """Decisions about the rows of one line of growth, oldest first; a later one about a row adds to it.

    Args:
        store: that holds the line.
        key: of the line.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._note = f"{FOLDER}/{key}.json"

    def read(self) -> list[Decision]:
        """All decisions there are.

        Raises:
            StoreError: The file is damaged.
        """
        content = self._store.place.read_note(self._note)
        return [] if content is None else self._decisions(content)

    def add(self, decisions: Sequence[Decision]) -> int:
        """Keep further ones, unless the last ones are just these; gives how many there are in all.

        Raises:
            StoreError: The file is damaged, or somebody else decides at the same time.
        """
        read = self._store.place.read_note(self._note)
        before = [] if read is None else self._decisions(read)
        given = [dict(one) for one in decisions]
        if not given or before[-len(given) :] == given:
            return len(before)
        content = strict_json.dumps({"decisions": [*before, *given]}, indent=1).encode()
        try:
            self._store.place.write_note(self._note, content, read)
        except Taken:
            raise StoreError("other decisions about this dataset are being kept; apply yours again") from None
        return len(before) + len(given)

    def _decisions(self, content: bytes) -> list[Decision]:
        try:
            told: Any = strict_json.loads(content.decode("utf-8"))["decisions"]
            found: list[Decision] = [{**one, "id": str(one["id"])} for one in told]
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{self._store.address}/{self._note} does not tell what people decided ({error!r}); restore "
                "it from a copy, or move it away and apply the files of decisions again"
            ) from error
        return found

"""A set that models are judged on: every row must hold, and one picture is in memory at a time."""

from collections.abc import Collection, Iterator

from blip_core.errors import TableError
from blip_core.recipes.native import NativeFiles
from blip_core.records import Example, Rejection
from blip_core.sources.native.reading import check_native, count_native, iter_examples


class NativeExamples(Collection[Example]):
    """The rows of a set, made anew each time that they are gone through.

    Args:
        files: which set.
        task: of the rows.
    """

    def __init__(self, files: NativeFiles, task: str) -> None:
        self._files = files
        self._task = task

    def check(self) -> None:
        """Make sure that every row holds, its picture undecoded.

        Raises:
            TableError: One does not; the message names the first.
        """
        refused = check_native(self._files, self._task)
        if refused:
            raise self._wrong(refused[0], len(refused))

    def __len__(self) -> int:
        return count_native(self._files)

    def __iter__(self) -> Iterator[Example]:
        for row in iter_examples(self._files, self._task):
            if isinstance(row, Rejection):
                raise self._wrong(row, 1)
            yield row

    def __contains__(self, row: object) -> bool:
        return any(one == row for one in self)

    def _wrong(self, first: Rejection, count: int) -> TableError:
        more = f" ({count:,} such rows in all)" if count > 1 else ""
        return TableError(
            f"{self._files.path}: {first.id}: {first.detail}{more}; scores are compared only where every row "
            f"of {self._files.layout} is judged. Fetch what is missing, or set evaluation.limit to the rows "
            "before it"
        )

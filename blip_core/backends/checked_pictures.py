"""Picture files before a safety checker, decoded batch by batch; behind the port `PictureCheck`."""

from collections.abc import Sequence

from blip_core.errors import StageFailure, TableError
from blip_core.images import decode_picture
from blip_core.ports import SafetyChecker


class CheckedInBatches:
    """A safety checker behind `PictureCheck`: pictures are decoded a batch at a time.

    Args:
        checker: the model.
        batch_size: pictures that it is shown at once.
    """

    def __init__(self, checker: SafetyChecker, batch_size: int) -> None:
        self._checker = checker
        self._batch_size = batch_size

    def check(self, pictures: Sequence[bytes]) -> list[float | str]:
        """How likely each is unsafe, or why it cannot be read; see `PictureCheck`."""
        starts = range(0, len(pictures), self._batch_size)
        return [
            said for start in starts for said in self._checked(pictures[start : start + self._batch_size])
        ]

    def close(self) -> None:
        """Release the model's memory."""
        self._checker.close()

    def _checked(self, pictures: Sequence[bytes]) -> list[float | str]:
        said: list[float | str] = [""] * len(pictures)
        shown = {}
        for place, picture in enumerate(pictures):
            try:
                shown[place] = decode_picture(picture, "its picture")
            except TableError as error:
                said[place] = str(error)
        scores = self._checker.unsafe(list(shown.values())) if shown else []
        if len(scores) != len(shown):
            raise StageFailure(f"the safety checker gave {len(scores)} answers about {len(shown)} pictures")
        for place, score in zip(shown, scores, strict=True):
            said[place] = score
        return said

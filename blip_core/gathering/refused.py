"""Why something on the web was not taken."""

from blip_core.errors import FoundryError


class Refused(FoundryError):
    """An address that was not asked, or whose answer was not taken.

    Attributes:
        reason: a short stable slug.
        passing: whether it may be otherwise another time, so that the next run asks again.
    """

    def __init__(self, reason: str, detail: str, passing: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.passing = passing

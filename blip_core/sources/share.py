"""How many rows may be refused before something is wrong with the whole."""

from collections.abc import Sequence

from blip_core.errors import TableError
from blip_core.records import Rejection, sum_up

MAX_REFUSED_SHARE = 0.5


def check_share(what: str, total: int, mistakes: Sequence[Rejection]) -> None:
    """Make sure that there are rows, and that no more than `MAX_REFUSED_SHARE` of them are refused.

    Args:
        what: the table or folder, as a message calls it.
        total: all rows.
        mistakes: those that are refused.

    Raises:
        TableError: There is none, or too many are refused; the message counts them by reason.
    """
    if not total:
        raise TableError(f"{what} holds no row")
    if len(mistakes) <= MAX_REFUSED_SHARE * total:
        return
    raise TableError(
        f"{what}: {len(mistakes)} of {total} rows cannot be used, more than {MAX_REFUSED_SHARE:.0%} of them. "
        f"Refused: {sum_up(mistakes)}. Mend them, or say which column is which"
    )

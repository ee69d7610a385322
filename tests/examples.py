"""How many examples a long property is given: a share in `make test`, all in `make campaign-grids`."""

import hypothesis

WHOLE = "whole"
SHARE = 5  # one in so many


def examples(count: int) -> int:
    if hypothesis.settings.get_current_profile_name() == WHOLE:
        return count
    return max(10, count // SHARE)

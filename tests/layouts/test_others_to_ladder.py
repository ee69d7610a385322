"""Checkpoints of further layouts go from `foundry doctor` to a ladder, for another worker."""

import pytest

from tests.layouts.ladder import FromDoctorToLadder
from tests.layouts.walking import RUNS, name_of


@pytest.mark.parametrize("walk", RUNS[3:], indirect=True, ids=name_of, scope="module")
class TestOthers(FromDoctorToLadder):
    """See there."""

"""The checkpoints of the sources and some of today go from `foundry doctor` to a ladder."""

import pytest

from tests.layouts.ladder import FromDoctorToLadder
from tests.layouts.walking import RUNS, name_of


@pytest.mark.parametrize("walk", RUNS[:3], indirect=True, ids=name_of, scope="module")
class TestSourcesAndMore(FromDoctorToLadder):
    """See there."""

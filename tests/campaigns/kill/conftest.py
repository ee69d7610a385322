"""What the campaign of kills is told: its seed and how often it kills."""

import os
from dataclasses import dataclass

import pytest

from tests.faults.conftest import forge, models, server, stopped_server, undisturbed  # noqa: F401 - fixtures


@dataclass(frozen=True)
class Campaign:
    """How a campaign goes; the same seed tells the same story, as far as the machine allows.

    Attributes:
        seed: of all that is drawn.
        store_kills: writers of the store that are killed.
        stage_kills: processes that are killed while they run the stages.
        run_kills: whole runs that are killed.
        s3_kills: writers of a store in a bucket that are killed.
    """

    seed: int
    store_kills: int
    stage_kills: int
    run_kills: int
    s3_kills: int


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


@pytest.fixture(scope="session")
def campaign() -> Campaign:
    return Campaign(
        seed=_number("KILL_SEED", 1),
        store_kills=_number("STORE_KILLS", 600),
        stage_kills=_number("STAGE_KILLS", 200),
        run_kills=_number("RUN_KILLS", 36),
        s3_kills=_number("S3_KILLS", 600),
    )

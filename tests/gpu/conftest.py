"""Full-size BLIP-2 with random weights, written on the spot: these tests need a GPU and no network."""

from pathlib import Path

import pytest
import torch

from tests.benchmarks.random_blip2 import save_random_blip2
from tests.benchmarks.shapes import SHAPES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


@pytest.fixture(scope="session")
def flan_t5_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight gigabytes on disk; read only."""
    return save_random_blip2(SHAPES["flan-t5-xl"], tmp_path_factory.mktemp("flan-t5-xl"), device="cuda")


@pytest.fixture(scope="session")
def opt_2_7b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight gigabytes on disk; read only."""
    return save_random_blip2(SHAPES["opt-2.7b"], tmp_path_factory.mktemp("opt-2.7b"), device="cuda")

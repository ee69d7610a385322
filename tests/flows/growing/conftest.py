"""Datasets that grow, of doubles whose texts hang on each row's seed alone, in steps of four scenes."""

from pathlib import Path

import pytest

from tests.flows.growing.small import DOUBLED, doubled, small


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A workplace of its own, where doubles stand for models."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    for name, double in doubled().items():
        monkeypatch.setattr(name, double)
    for name, value in DOUBLED.items():
        monkeypatch.setattr(name, value)
    return tmp_path / "home"


@pytest.fixture
def recipe(home: Path, tmp_path: Path):
    return small(tmp_path)

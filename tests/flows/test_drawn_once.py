"""Figures of runs: drawn once for what they show, and in every run's folder."""

import pytest

from blip_core.store import Store
from flows.results.drawn_once import drawn_once


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def runs(tmp_path):
    """Folders of two runs."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    return folders


def drawing(words):
    def draw(folder):
        for name in ("b.svg", "a.svg"):
            (folder / name).write_text(words)
        return [folder / "b.svg", folder / "a.svg"]

    return draw


def test_a_second_run_has_the_figures_without_drawing_them(store, runs):
    first = drawn_once(store, {"scores": "0123"}, runs[0], drawing("drawn"))
    again = drawn_once(store, {"scores": "0123"}, runs[1], lambda _: pytest.fail("drawn again"))
    assert [one.relative_to(runs[0]) for one in first] == [one.relative_to(runs[1]) for one in again]
    assert [(one.name, one.read_text()) for one in again] == [("b.svg", "drawn"), ("a.svg", "drawn")]


@pytest.mark.parametrize("shown", [{"scores": "4567"}, {"adapter": "0123"}])
def test_what_shows_something_else_is_drawn(store, runs, shown):
    drawn_once(store, {"scores": "0123"}, runs[0], drawing("first"))
    assert drawn_once(store, shown, runs[1], drawing("second"))[0].read_text() == "second"


def test_figures_that_a_version_of_the_library_draws_in_another_way_are_drawn(store, runs, monkeypatch):
    drawn_once(store, {"scores": "0123"}, runs[0], drawing("old"))
    monkeypatch.setattr("flows.results.drawn_once.version", lambda _: "99")
    assert drawn_once(store, {"scores": "0123"}, runs[1], drawing("new"))[0].read_text() == "new"


def test_a_damaged_figure_is_drawn_again(store, runs):
    drawn_once(store, {"scores": "0123"}, runs[0], drawing("drawn"))
    (kept,) = store.artifacts("figures")
    (kept.path / "a.svg").write_text("cut")
    drawn = drawn_once(store, {"scores": "0123"}, runs[1], drawing("anew"))
    assert [one.read_text() for one in drawn] == ["anew", "anew"]

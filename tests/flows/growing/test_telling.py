"""What is told of a growth, and when somebody is called."""

import pytest

from blip_core.dataset.comparing import Difference, Drift
from blip_core.reporting.growth import growth_lines, growth_page
from blip_core.store import ArtifactRef
from blip_core.store.versions import Version
from flows.growing import telling
from flows.growing.growing import Growth
from flows.growing.telling import ALERT, GROWN, Bounds, growth_metrics, summarise_growth, tell

BOUNDS = Bounds(refused=0.5, drift=0.2)
BEFORE = Version("dataset-1", "a" * 64, "", scenes=96, rows=90, at="2027-01-03T03:00:00+00:00")
EVEN, ODD = {"A": 40, "B": 40}, {"A": 10, "B": 70}


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    monkeypatch.setattr(telling, "path_of", lambda ref: ref)
    monkeypatch.setattr(telling, "rows_of", lambda ref: iter(()))


def growth(recipe, rows=200, drift=0.0, p=1.0, is_new=True, **lost):
    after = Version("dataset-2", "b" * 64, BEFORE.digest, 192, rows, "2027-01-10T03:00:00+00:00")
    gone = {"removed": (), "changed": (), "moved": (), **lost}
    difference = Difference(90, rows, ("x",), drifts=(Drift("letters", EVEN, ODD, drift, p),), **gone)
    ref = ArtifactRef(key="dataset-2", digest="b" * 64, rows=rows)
    if not is_new:
        return Growth(recipe, ref, BEFORE, BEFORE, None, "the 2 hours are over", is_new=False)
    return Growth(recipe, ref, after, BEFORE, difference, "", is_new=True)


def alerts(recipe, **changes):
    return summarise_growth(growth(recipe, **changes), BOUNDS).alerts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_new": False}, "nothing came: the 2 hours are over"),
        ({"rows": 100}, "95% of the questions asked became no row, and 50% is the bound"),
        ({"drift": 0.3, "p": 0.001}, "letters of the new rows lie 0.30"),
        ({"removed": ("x", "y")}, "2 are gone, 0 changed, 0 are in another split"),
        ({"moved": ("x",)}, "1 are in another split"),
        ({"changed": ("x",)}, "1 changed"),
    ],
)
def test_somebody_is_called_where_a_bound_is_passed(recipe, changes, said):
    (alert,) = alerts(recipe, **changes)
    assert said in alert


@pytest.mark.parametrize("changes", [{}, {"drift": 0.2, "p": 0.001}, {"drift": 0.9, "p": 0.2}, {"rows": 187}])
def test_nobody_is_called_within_the_bounds_or_by_chance(recipe, changes):
    assert alerts(recipe, **changes) == ()


def test_what_came_is_told_in_words_and_figures(recipe):
    summary = summarise_growth(growth(recipe, drift=0.25, p=0.001), BOUNDS)
    lines = growth_lines(summary)
    assert lines[0] == (
        "gallery-vqa pocket: 110 rows came; version bbbbbbbbbbbb, after aaaaaaaaaaaa, has 200"
    )
    assert any("of 192 questions that were asked" in line for line in lines)
    assert growth_page(summary).startswith("**Look at this:** the letters")
    assert growth_metrics(summary)["growth/drift_letters"] == 0.25
    assert growth_metrics(summary)["growth/added"] == 110


@pytest.mark.parametrize(
    ("line", "name"),
    [("gallery-vqa pocket", "gallery-vqa-pocket"), ("Größe/1 x", "gr-e-1-x"), ("a", "a")],
)
def test_an_event_names_its_line(monkeypatch, line, name):
    told = []
    monkeypatch.setattr(telling, "emit_event", lambda event, **parts: told.append((event, parts)))
    for event in (GROWN, ALERT):
        tell(line, event, {"alerts": []})
    assert [event for event, _ in told] == [GROWN, ALERT]
    assert {parts["resource"]["prefect.resource.id"] for _, parts in told} == {f"foundry.line.{name}"}

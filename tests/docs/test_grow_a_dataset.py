"""The page on growing is followed with its clock moved a week on each time, at a hundredth of its rows."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from blip_core.dataset.growth import Target
from blip_core.store.manifest import MANIFEST
from blip_core.wiring import workplace
from flows.cli.app import app
from flows.growing.growing import grow, line_of
from tests.docs.documents import ROOT, commands
from tests.flows.growing.small import DOUBLED, doubled, make, small

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/how-to/grow-a-dataset.md"
WORDS = list(dict.fromkeys(one.words for one in commands(PAGE) if "--json" not in one.words))
SMALLER = 100
WEEK = timedelta(days=7)
BEGAN = datetime(2027, 1, 3, 3, tzinfo=UTC)


class Month:
    """A recipe of doubles, what was grown of it, and the time."""

    def __init__(self, folder):
        self.recipe = small(folder)
        self.now = BEGAN
        self.grown = []

    def run_flow(self, plan, load, as_json):
        """In place of a run: what the command asks for, with a hundredth of the rows."""
        told = load().keywords
        few = {name: told[name] / SMALLER for name in ("rows", "more")}
        rows = {name: int(value) for name, value in few.items()}
        self.grown.append(
            grow(self.recipe, Target(**rows, balance=told["balance"] / 3, hours=told["hours"]), make)
        )

    def pass_a_week(self):
        self.now += WEEK
        for path in workplace().store.root.glob(f"artifacts/*/{MANIFEST}"):
            before = path.stat().st_mtime - WEEK.total_seconds()
            os.utime(path, (before, before))


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The page's growths, one a week; what the page then looks at is in the store."""
    folder = tmp_path_factory.mktemp("month")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOUNDRY_HOME", str(folder / "home"))
        patch.chdir(folder)
        for name, value in {**doubled(), **DOUBLED}.items():
            patch.setattr(name, value)
        month = Month(folder)
        patch.setattr("flows.cli.running.run_flow", month.run_flow)
        patch.setattr("flows.growing.growing.now", lambda: month.now)
        for words in WORDS:
            if words[:1] == ("dataset",) and words[1:]:
                said(words)
                month.pass_a_week()
        yield month


def said(words, *further):
    done = CliRunner().invoke(app, [*words, *further])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.stdout


@pytest.fixture
def told(month, capfd):
    """What a command tells programs, on the console's own standard output."""

    def run(*words):
        capfd.readouterr()
        said(words, "--json")
        return json.loads(capfd.readouterr().out)

    return run


def page_words(*begin):
    return [words for words in WORDS if words[: len(begin)] == begin]


def test_each_growth_extends_the_last_and_bears_its_week(month):
    versions = line_of(month.recipe).versions()
    assert len(month.grown) == 4
    assert [one.parent for one in versions] == ["", *(one.digest for one in versions[:-1])]
    assert [datetime.fromisoformat(one.at) for one in versions[:3]] == [BEGAN + n * WEEK for n in range(3)]
    assert all(one.difference.extends for one in month.grown if one.difference)


def test_the_list_names_what_each_extends_and_the_difference_is_told(month, told):
    versions = line_of(month.recipe).versions()
    listed = told(*page_words("datasets")[0])["datasets"]
    extends = {one["digest"]: one["version"]["extends"] for one in listed if one["version"]}
    assert extends == {one.digest: one.parent or None for one in versions}
    (diff,) = page_words("datasets", "diff")
    digests = iter(one.digest for one in versions[:2])
    lines = said([next(digests) if word == "DIGEST" else word for word in diff])
    assert f"rows: {versions[0].rows} before, {versions[1].rows} after" in lines
    assert "removed 0, changed 0" in lines


def test_room_is_made_and_what_the_last_version_needs_stays(month, told):
    store = workplace().store
    assert "dataset" in said(page_words("store", "du")[0])
    before = {one.key for one in store.artifacts()}
    for words in page_words("store", "prune"):
        said(words)
    assert {one.key for one in store.artifacts()} == before
    versions = line_of(month.recipe).versions()
    gone = told("store", "prune", "--rule", "versions", "--older-than", "1")["artifacts"]
    assert {one["key"] for one in gone} >= {one.key for one in versions[:-1]}
    assert versions[-1].key not in {one["key"] for one in gone}


def test_why_it_would_begin_anew_is_told(told):
    (words,) = page_words("cache", "explain")
    stages = told(*words)["stages"]
    assert [one["stage"] for one in stages][:3] == ["scenes", "pictures", "labels"]
    assert "scenes.count" in {one["name"] for one in stages[0]["moved"]}
    assert "labels.temperature" in {one["name"] for one in stages[2]["moved"]}

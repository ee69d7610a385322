"""What a dataset tells of its own doubtful rows, and where these keep it from being made."""

import pytest

from blip_core.curation import Curated
from blip_core.dataset import read_split
from blip_core.errors import DoubtfulDataset
from blip_core.recipes import load_recipe
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE
from tasks.curated import write_curated
from tests.unit.examples import example, png, world_pixels

PICTURE = png(world_pixels(0))
BLIND = {"blind accuracy": 0.3, "blind accuracy, low": 0.25, "blind accuracy, high": 0.36}


def rows(answer=-0.1):
    scores = {DESCRIPTION_SCORE: -0.1, ANSWER_SCORE: answer}
    return [example(number, image=PICTURE, scores=scores) for number in range(40)]


def written(folder, kept, *overrides, measured=None):
    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    folder.mkdir()
    return write_curated(folder, recipe, Curated(kept, measured=measured or {}), [], {})


def test_a_dataset_tells_what_was_measured_and_how_many_answers_are_likely_wrong(tmp_path):
    told = written(tmp_path / "x", rows(), measured={"blind": BLIND, "confidence": {"bound of all": -1.0}})
    assert told["wrong_answers"]["estimated"]["confidence"] == pytest.approx(1 - 2.718281828**-0.2)
    assert told["measured"]["blind"] == BLIND
    assert told["measured"]["confidence"] == {"bound of all": -1.0}
    assert told["measured"]["labeller"]["probability of a token of descriptions"] == pytest.approx(
        0.905, abs=1e-3
    )
    card = (tmp_path / "x" / "README.md").read_text()
    assert "| labels that may be wrong, estimated by confidence | 18.1 % |" in card
    assert "| blind accuracy (blind) | 30.0 %, 95 % in \\[25.0 %, 36.0 %\\] |" in card
    assert "| probability of a token of right answers (labeller) | 90.5 % |" in card
    assert "| probability of a token of a label, quantile 50 % (labeller) | 90.5 % |" in card
    assert "| labels under the bound of confidence (labeller) | 0.0 % |" in card
    assert "bound of all" not in card


def test_confidence_rests_with_the_rows(tmp_path):
    written(tmp_path / "x", rows())
    assert all(row.scores == rows()[0].scores for row in read_split(tmp_path / "x", "train"))


@pytest.mark.parametrize(
    ("answer", "bound", "stops"),
    [(-0.1, 0.15, True), (-0.1, 0.2, False), (-0.01, 0.1, True), (0.0, 0.1, False)],
)
def test_too_many_wrong_answers_keep_a_dataset_from_being_written(tmp_path, answer, bound, stops):
    on = ("curation.alarm.enabled=true", f"curation.alarm.max_wrong_share={bound}")
    if not stops:
        assert written(tmp_path / "x", rows(answer), *on)["wrong_answers"]["allowed"] == bound
        return
    with pytest.raises(DoubtfulDataset, match=rf"allows {bound:.1%}"):
        written(tmp_path / "x", rows(answer), *on)
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize(("most", "left"), [(5, 5), (1, 1), (1000, 35)])
def test_a_cut_leaves_so_many_training_rows_and_lists_the_others(tmp_path, most, left):
    whole = written(tmp_path / "whole", rows())["splits"]
    told = written(tmp_path / "cut", rows(), f"dataset.train_rows={most}")
    assert told["splits"] == {**whole, "train": left}
    assert told["rejected"].get("surplus", 0) == whole["train"] - left
    assert len(read_split(tmp_path / "cut", "train")) == left


def test_a_cut_of_another_seed_leaves_other_rows(tmp_path):
    for seed in (0, 1):
        written(tmp_path / str(seed), rows(), "dataset.train_rows=10", f"seed={seed}")
    first, second = (read_split(tmp_path / str(seed), "train") for seed in (0, 1))
    assert [row.id for row in first] != [row.id for row in second]

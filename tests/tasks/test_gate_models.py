"""Judges of gates: what they say rests shard by shard, and is the same whoever asks them."""

from dataclasses import replace

import pytest

from blip_core.curation import curate
from blip_core.recipes import load_recipe
from blip_core.wiring import evaluation_examples, gate_models, workplace
from tasks import gate_models as sharded
from tests.unit.test_gate_models import only_second_judge, wronged

ROWS = 24
ON = ("curation.second_judge.enabled=true", "curation.second_judge.variant=flan-t5")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setattr(sharded, "ROWS_PER_SHARD", 8)


def recipe(*overrides):
    told = [*ON, "evaluation.style=generic", f"evaluation.limit={ROWS}", "inference.batch_size=8"]
    return load_recipe("gallery-vqa", "pocket", [*told, *overrides])


def judged(settings, models):
    rows = evaluation_examples(settings)
    rows = [wronged(row) if place % 2 else row for place, row in enumerate(rows)]
    curated = curate(rows, only_second_judge(), models(settings))
    return curated.kept, curated.rejections, curated.measured


def test_verdicts_in_shards_are_those_of_one_model_and_are_asked_for_once(monkeypatch):
    settings = recipe()
    first = judged(settings, sharded.models_of_gates)
    assert first == judged(settings, gate_models)
    assert len(list(workplace().store.artifacts("verdicts-shard"))) == ROWS / 8

    monkeypatch.setattr(sharded, "build_judge", lambda *_: pytest.fail("asked again"))
    assert judged(settings, sharded.models_of_gates) == first


def test_the_same_words_about_another_picture_are_another_shard():
    rows = evaluation_examples(recipe())
    with sharded.judging_shards(recipe(), "second_judge", None) as work:
        keys = {work.key([row], 0) for row in (rows[0], replace(rows[0], image=b""))}
    assert len(keys) == 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["", "both"])
def test_processes_say_what_this_process_says(monkeypatch, tmp_path, mode):
    said, rows = [], evaluation_examples(recipe())
    for who in ("serial", "processes"):
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / who))
        judge = sharded.ShardedJudge(recipe(f"device.executor={who}", "device.workers=2"), "second_judge")
        said.append(judge.weigh(rows, mode) if mode else judge.answer(rows))
    assert said[0] == said[1]
    assert len(said[0]) == ROWS

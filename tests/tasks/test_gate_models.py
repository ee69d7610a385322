"""Models of gates: what they say rests shard by shard, and is the same whoever asks them."""

from dataclasses import replace

import pytest

from blip_core.backends import picture_text_scorer
from blip_core.curation import curate
from blip_core.curation.gates import gates_on
from blip_core.recipes import Curation, load_recipe
from blip_core.wiring import evaluation_examples, gate_models, workplace
from tasks import gate_models as sharded
from tests.unit.test_gate_models import wronged

ROWS = 24
GATES = {
    "second_judge": {"variant": "flan-t5"},
    "unsafe_pictures": {"model": "pocket/clip", "max_score": 0.3, "batch_size": 8},
    "reworded_questions": {"model": "pocket/clip", "min_cosine": 0.9},
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setattr(sharded, "ROWS_PER_SHARD", 8)
    monkeypatch.setattr(sharded, "TEXTS_AT_ONCE", 8)
    monkeypatch.setattr(picture_text_scorer, "TEXTS_AT_ONCE", 8)


def recipe(gate, *overrides):
    told = ["evaluation.style=generic", f"evaluation.limit={ROWS}", "inference.batch_size=8"]
    dials = [f"curation.{gate}.{name}={value}" for name, value in {**GATES[gate], "enabled": "true"}.items()]
    return load_recipe("gallery-vqa", "pocket", [*told, *dials, *overrides])


def alone(gate):
    """Settings of gates, by which a single one is on."""
    off = {name: {"enabled": False} for name in Curation.model_fields if name not in ("plugins", "alarm")}
    return Curation.model_validate(off | {gate: {**GATES[gate], "enabled": True}})


def curated(gate, models):
    settings = recipe(gate)
    rows = evaluation_examples(settings)
    rows = [wronged(row) if place % 2 else row for place, row in enumerate(rows)]
    if gate == "reworded_questions":  # which compares those about one picture with the same answer
        rows = [replace(row, picture_id="one", target="same") for row in rows]
    found = curate(rows, alone(gate), models(settings))
    return found.kept, found.rejections, found.measured


@pytest.mark.parametrize("gate", GATES)
def test_what_is_said_in_shards_is_what_one_model_says_and_is_asked_for_once(monkeypatch, gate):
    first = curated(gate, sharded.models_of_gates)
    assert first == curated(gate, gate_models)
    assert all(first[:2])  # some are kept, some refused
    assert len(list(workplace().store.artifacts("verdicts-shard"))) > 1

    monkeypatch.setattr(sharded, "gate_models", lambda _: lambda *_: pytest.fail("asked again"))
    assert curated(gate, sharded.models_of_gates) == first


def test_the_same_words_about_another_picture_are_another_shard():
    settings = recipe("second_judge")
    rows = evaluation_examples(settings)
    with sharded.asking_shards(settings, "second_judge", None) as work:
        keys = {work.key([row], 0) for row in (rows[0], replace(rows[0], image=b""))}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("gate", "dial"),
    [
        ("unsafe_pictures", "batch_size=4"),
        ("unsafe_pictures", 'safe_labels=["a field"]'),
        ("reworded_questions", 'model={id="pocket/clip",dtype="bfloat16"}'),
    ],
)
def test_what_decides_what_a_model_says_is_in_the_key_and_bounds_are_not(gate, dial):
    def key(*overrides):
        with sharded.asking_shards(recipe(gate, *overrides), gate, None) as work:
            return work.key([], 0)

    bound = {"unsafe_pictures": "max_score", "reworded_questions": "min_cosine"}[gate]
    assert key(f"curation.{gate}.{dial}") != key() == key(f"curation.{gate}.{bound}=0.5")


@pytest.mark.slow
@pytest.mark.parametrize("gate", GATES)
def test_processes_say_what_this_process_says(monkeypatch, tmp_path, gate):
    said = [_said_by(who, gate, monkeypatch, tmp_path) for who in ("serial", "processes")]
    assert said[0] == said[1]
    assert all(len(one) == ROWS for one in said[0])


def _said_by(who, gate, monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / who))
    settings = recipe(gate, f"device.executor={who}", "device.workers=2")
    rows = evaluation_examples(settings)
    asking, dials = next(pair for pair in gates_on(settings.curation) if pair[0].name == gate)
    with sharded.models_of_gates(settings)(asking, dials) as model:
        if gate == "second_judge":
            return [model.answer(rows), model.weigh(rows)]
        return (
            [model.check([one.image for one in rows])]
            if gate == "unsafe_pictures"
            else [model.embed([f"{one.question} {one.id}" for one in rows])]
        )

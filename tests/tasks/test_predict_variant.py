"""Predictions in shards: the same answers, one load of the model, and none where all shards rest."""

import pytest

from blip_core.records import Prediction
from blip_core.store import read_rows
from tasks import predict_variant
from tasks.predict_variant import FILE, answer_in_shards
from tasks.shards import whole_batches

ROWS = 10


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setattr(predict_variant, "ROWS_PER_SHARD", 3)


@pytest.fixture
def loads(tiny_blip2):
    """Loads a tiny model and keeps each one that was loaded."""
    from blip_core.modeling import load_blip2

    loaded = []

    def load():
        loaded.append(load_blip2(tiny_blip2("t5")))
        return loaded[-1]

    load.models = loaded
    return load


def read(shards):
    return [row for shard in shards for row in read_rows(shard.path / FILE, Prediction)]


def test_shards_hold_what_one_pass_would_answer(loads, make_examples, inference_settings):
    from blip_core.inference import predict

    examples = make_examples(ROWS)
    shards = answer_in_shards("whole", "flan-t5", examples, inference_settings, loads)
    answered, expected = read(shards), predict(loads(), examples, inference_settings, "flan-t5")
    assert [shard.rows for shard in shards] == [4, 4, 2]  # whole batches of four
    for one, other in zip(answered, expected, strict=True):
        assert (one.id, one.description, one.ranked, one.generated) == (
            other.id,
            other.description,
            other.ranked,
            other.generated,
        )
        assert one.p_a == pytest.approx(other.p_a, abs=1e-4)  # other padding, other last bits


def test_the_model_is_loaded_once_and_not_for_shards_that_rest(loads, make_examples, inference_settings):
    examples = make_examples(ROWS)
    first = answer_in_shards("whole", "flan-t5", examples, inference_settings, loads)
    assert len(loads.models) == 1
    assert answer_in_shards("whole", "flan-t5", examples, inference_settings, loads) == first
    assert len(loads.models) == 1


@pytest.mark.parametrize(("batch_size", "rows"), [(1, 96), (32, 96), (40, 120), (128, 128)])
def test_a_shard_holds_whole_batches(batch_size, rows):
    assert whole_batches(batch_size) == rows

"""Predictions in shards: the same answers, one load of the model, and none where all shards rest."""

import pytest

from blip_core.inference.loaded import LoadedModel
from blip_core.records import Prediction
from blip_core.store import read_rows
from tasks import predict_variant
from tasks.predict_variant import ABLATIONS, FILE, answer_in_shards, what_it_took
from tasks.shards import whole_batches
from tests.campaigns.inference.rows import MIB, MemoryOverRows, stream_rows

ROWS = 10

MANY_ROWS = 2000
PICTURE_PX = 128
PICTURE_BYTES = 3 * PICTURE_PX**2
MAX_GROWTH_MIB = 40  # of 94 that the pictures take together


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
        loaded.append(LoadedModel(load_blip2(tiny_blip2("t5")), None, "whole"))
        return loaded[-1]

    load.models = loaded
    return load


def read(shards, name=FILE):
    return [row for shard in shards for row in read_rows(shard.path / name, Prediction)]


def test_shards_hold_what_one_pass_would_answer(loads, make_examples, inference_settings):
    from blip_core.inference import predict

    examples = make_examples(ROWS)
    shards = answer_in_shards("whole", "flan-t5", examples, inference_settings, loads)
    answered, expected = read(shards), predict(loads().bundle, examples, inference_settings, "flan-t5")
    assert [shard.rows for shard in shards] == [4, 4, 2]  # whole batches of four
    for one, other in zip(answered, expected, strict=True):
        assert (one.id, one.description, one.ranked, one.generated) == (
            other.id,
            other.description,
            other.ranked,
            other.generated,
        )
        assert one.p_a == pytest.approx(other.p_a, abs=1e-4)  # other padding, other last bits


def test_ablations_rest_beside_the_answers_and_counts_add_up(loads, make_examples, inference_settings):
    settings = inference_settings.model_copy(update={"ablations": ("blind",), "circular": True})
    shards = answer_in_shards("whole", "flan-t5", make_examples(ROWS), settings, loads)

    assert [row.mode for row in read(shards, ABLATIONS)] == ["blind"] * ROWS
    assert {row.mode for row in read(shards)} == {"both"}
    took = what_it_took(shards)
    assert (took["counts"]["rows"], took["counts"]["pictures"]) == (ROWS, ROWS // 2)
    assert took["counts"]["prompts"] == ROWS * (1 + 4 + 1)
    assert took["language_model"] == "whole"


def test_rows_are_taken_one_shard_at_a_time(loads, make_examples, inference_settings, monkeypatch):
    taken = []

    def rows():
        for example in make_examples(ROWS):
            taken.append(example.id)
            yield example

    written = []
    monkeypatch.setattr(
        predict_variant, "write_rows", lambda *args: written.append(len(taken)) or len(args[1])
    )
    answer_in_shards("whole", "flan-t5", rows(), inference_settings, loads, total=ROWS)
    assert written == [4, 4, 8, 8, 10, 10]


def test_the_model_is_loaded_once_and_not_for_shards_that_rest(loads, make_examples, inference_settings):
    examples = make_examples(ROWS)
    first = answer_in_shards("whole", "flan-t5", examples, inference_settings, loads)
    assert len(loads.models) == 1
    assert answer_in_shards("whole", "flan-t5", examples, inference_settings, loads) == first
    assert len(loads.models) == 1


@pytest.mark.parametrize(("batch_size", "rows"), [(1, 96), (32, 96), (40, 120), (128, 128)])
def test_a_shard_holds_whole_batches(batch_size, rows):
    assert whole_batches(batch_size) == rows


@pytest.mark.slow
def test_memory_stays_flat_over_two_thousand_rows(loads, inference_settings):
    settings = inference_settings.model_copy(update={"batch_size": 64, "describe_prompt": ""})
    rows = MemoryOverRows(stream_rows(MANY_ROWS, PICTURE_PX), every=500)

    shards = answer_in_shards("whole", "flan-t5", rows, settings, loads, total=MANY_ROWS)

    assert sum(shard.rows for shard in shards) == MANY_ROWS
    assert MANY_ROWS * PICTURE_BYTES > 2 * MAX_GROWTH_MIB * MIB  # to hold them all would show
    assert rows.growth_mib < MAX_GROWTH_MIB

"""A variant behind a server: what fails half-way goes on with the rows that are missing."""

import json
from functools import partial

import pytest

from blip_core.backends.chat import ChatClient, Dialect
from blip_core.backends.chat.trying import ATTEMPTS
from blip_core.errors import StageFailure
from blip_core.inference.served import ServedModel
from blip_core.recipes import ServerVariant, load_recipe
from blip_core.records import Prediction
from blip_core.reporting import stage_words
from blip_core.store import read_rows
from blip_core.wiring import connect_served, server_facts
from tasks.predict_variant import FILE, answer_in_shards, key, rows_a_shard, what_it_took
from tests.contract.conftest import serving_chat
from tests.tasks.test_keys import UPSTREAM

SHARD, ROWS = 4, 10


@pytest.fixture
def chat(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    with serving_chat() as server:
        server.reply = lambda _: (200, json.dumps({"choices": [{"message": {"content": "C"}}]}))
        yield server


def drop(_body):
    raise ConnectionAbortedError


@pytest.mark.parametrize(
    ("dying", "told"),
    [
        (lambda _: (503, "gone"), "status 503: gone"),
        (drop, "could not be reached .*; is it running"),
        (lambda _: (200, '{"choices": [{"message"'), "sent no chat completion"),
        (lambda _: (502, "<html><title>Bad gateway</title></html>"), "status 502: Bad gateway"),
    ],
    ids=["busy", "away", "cut off", "a gateway's page"],
)
def test_rows_that_were_answered_are_not_asked_again(chat, make_examples, inference_settings, dying, told):
    def connect():
        return ChatClient(chat.url, "m", 0.0, 1.0, 8, pause=lambda _: None, requests_at_once=1)

    def answer():
        load = partial(ServedModel, connect, "m", answer_tokens=8, dialect=Dialect("m"))
        examples = make_examples(ROWS)
        return answer_in_shards("whole", "far", examples, inference_settings, load, rows_per_shard=SHARD)

    healthy = chat.reply
    chat.reply = lambda body: healthy(body) if len(chat.requests) <= 2 * SHARD else dying(body)
    with pytest.raises(StageFailure, match=told):
        answer()
    assert 2 * SHARD < len(chat.requests) <= 2 * SHARD + SHARD * ATTEMPTS

    chat.reply, chat.requests[:] = healthy, []
    shards = answer()
    assert len(chat.requests) == 2 * (ROWS - SHARD)
    rows = [row for shard in shards for row in read_rows(shard.path / FILE, Prediction)]
    assert [row.id for row in rows] == [example.id for example in make_examples(ROWS)]
    assert {(row.ranked, row.p_c) for row in rows} == {("C", 1.0)}


def test_what_a_server_does_not_take_is_told_with_the_stage_once(chat, make_examples, inference_settings):
    healthy, dialect = chat.reply, Dialect("m")
    chat.reply = lambda body: (400, "unknown: seed") if "seed" in body else healthy(body)

    def connect():
        return ChatClient(chat.url, "m", 0.0, 1.0, 8, dialect=dialect)

    load = partial(ServedModel, connect, "m", answer_tokens=8, dialect=dialect)
    examples = make_examples(ROWS)
    shards = answer_in_shards("told", "far", examples, inference_settings, load, rows_per_shard=SHARD)
    told = what_it_took(shards)
    assert told["remarks"] == ["does not take seed: requests are sent without."]
    assert told["oddities"] == {"no-probabilities": ROWS}
    assert "the server does not take seed" in stage_words("predict far", {"rows": ROWS, **told})


def test_a_key_knows_the_server_and_what_it_tells_but_no_secret(chat, monkeypatch):
    monkeypatch.setenv("FAR_KEY", "one")
    far = ServerVariant(name="far", role="server", url=chat.url, served_model="m", key_variable="FAR_KEY")
    recipe = load_recipe("gallery-vqa", "pocket", ["evaluation.limit=4"])
    told = []
    for window in (1024, 2048):
        chat.models = lambda window=window: (
            200,
            json.dumps({"data": [{"id": "m", "max_model_len": window}]}),
        )
        told.append(server_facts(far))
    keys = [key(recipe, far, UPSTREAM, None, facts) for facts in (*told, "")]
    assert len(set(keys)) == 3
    monkeypatch.setenv("FAR_KEY", "two")
    assert key(recipe, far, UPSTREAM, None, told[0]) == keys[0]
    moved = far.model_copy(update={"url": "http://127.0.0.1:1/v1"})
    assert key(recipe, moved, UPSTREAM, None, told[0]) != keys[0]


def test_a_server_has_smaller_shards_than_a_model_that_is_loaded_here(inference_settings):
    recipe = load_recipe("gallery-vqa", "pocket", ())
    far = ServerVariant(name="far", role="server", url="http://127.0.0.1:1/v1", served_model="m")
    assert rows_a_shard(far, inference_settings) < rows_a_shard(recipe.variants[0], inference_settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ((), []),
        (("inference.beams=3",), ["inference.beams"]),
        (("inference.min_new_tokens=5",), ["inference.min_new_tokens"]),
        (
            ("inference.beams=2", "inference.min_new_tokens=1"),
            ["inference.min_new_tokens and inference.beams"],
        ),
    ],
)
def test_bounds_that_a_server_cannot_keep_are_told_with_its_stage(settings, told):
    far = ServerVariant(name="far", role="server", url="http://127.0.0.1:1/v1", served_model="m")
    remarks = connect_served(load_recipe("gallery-vqa", "pocket", settings), far).remarks
    assert list(remarks) == [f"is not told of {one}, for which the protocol has no parameter" for one in told]

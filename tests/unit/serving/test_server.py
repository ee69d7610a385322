"""A server of a tiny model: letters as a local model gives them, whoever asks, and refusals in a sentence."""

import base64
import gzip
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from blip_core.backends.chat import ChatClient, Dialect
from blip_core.inference import predict
from blip_core.inference.served import answer_through
from blip_core.serving.limits import Limits
from tests.hostile.files import animated, png_claiming
from tests.unit.serving.conftest import NAME, at, body, data_address, served

CHAT = "/v1/chat/completions"
ROWS = 24


def asked_through(address: str, rows, settings, at_once: int):
    with ChatClient(
        f"{address}/v1", NAME, 0.0, 1.0, settings.max_new_tokens, requests_at_once=at_once
    ) as chat:
        return answer_through(chat, rows, settings, "served", answer_tokens=8).predictions


def question_of(row) -> str:
    options = "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", row.options, strict=True))
    return f"{row.question}\n{options}"


@pytest.mark.parametrize("at_once", [1, 16])
def test_letters_are_those_of_the_model_here_however_many_ask(
    server, tiny_model, make_examples, inference_settings, at_once
):
    rows = make_examples(ROWS)
    settings = inference_settings.model_copy(
        update={"circular": True, "batch_size": 16, "ablations": ("one-stage", "blind", "description-only")}
    )
    local = predict(tiny_model.bundle, rows, settings, "local")
    far = asked_through(server, rows, settings, at_once)
    assert [row.ranked for row in far] == [row.ranked for row in local]
    assert [row.rotations_right for row in far] == [row.rotations_right for row in local]
    assert [row.description for row in far] == [row.description for row in local]
    assert [row.mean_a for row in far] == pytest.approx([row.mean_a for row in local], abs=1e-5)


def test_a_question_in_own_words_gets_the_letter_of_both_stages(
    client, tiny_model, make_examples, inference_settings
):
    rows = make_examples(8)
    local = predict(tiny_model.bundle, rows, inference_settings, "local")
    asked = [body(question_of(row), row.image, logprobs=True, top_logprobs=4) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        told = [one.json()["choices"][0] for one in pool.map(lambda one: client.post(CHAT, json=one), asked)]
    assert [one["message"]["content"] for one in told] == [row.ranked for row in local]
    assert [one["message"]["reasoning_content"] for one in told] == [row.description for row in local]
    (token,) = told[0]["logprobs"]["content"]
    assert sorted(one["token"] for one in token["top_logprobs"]) == ["A", "B", "C", "D"]
    assert token["logprob"] == token["top_logprobs"][0]["logprob"]


def test_a_picture_alone_is_described_and_a_text_is_no_longer_than_asked(client, make_examples):
    picture = make_examples(1)[0].image
    whole = client.post(CHAT, json=body("", picture)).json()
    assert whole["choices"][0]["message"]["content"]
    short = client.post(CHAT, json=body("", picture, max_tokens=2)).json()
    assert (short["usage"]["completion_tokens"], short["choices"][0]["finish_reason"]) == (2, "length")


def test_the_model_is_listed_with_what_changes_when_it_does(client, server):
    (entry,) = client.get("/v1/models").json()["data"]
    assert (entry["id"], entry["digest"]) == (NAME, "d1")
    with ChatClient(f"{server}/v1", NAME, 0.0, 1.0, 1, dialect=Dialect("it")) as chat:
        assert json.loads(chat.model_facts()) == {"id": NAME, "digest": "d1"}
        chat.check_served()


def damaged_requests(picture: bytes) -> dict[str, tuple[int, dict | bytes, str]]:
    cut = data_address(picture)[:-3]
    good = body("What is it?", picture)
    turns = [*good["messages"], {"role": "assistant", "content": "A"}, *good["messages"]]
    twice = {"role": "user", "content": [*good["messages"][0]["content"][:1] * 2]}
    return {
        "a bomb": (400, body("What?", png_claiming(8_000, 8_000)), "at most 50,000,000 are read"),
        "an animation": (400, body("What?", data_address(animated("GIF"), "gif")), "several pictures"),
        "no picture": (400, body("What?"), "shows no picture"),
        "not a picture": (400, body("What?", b"<svg></svg>"), "cannot be read as a picture"),
        "base64 cut short": (400, body("What?", cut), "cut short"),
        "an address elsewhere": (400, body("What?", "http://127.0.0.1:9/x.png"), "nothing is fetched"),
        "a file's address": (400, body("What?", "file:///etc/passwd"), "nothing is fetched"),
        "ten megabytes of text": (400, body("x" * 10_000_000, picture), "at most 16,000 are read"),
        "many tokens": (400, body("é" * 9_000, picture), "tokens and at most 2,048"),
        "no JSON": (400, b"{", "no JSON"),
        "deep JSON": (400, b"[" * 100_000, "no JSON"),
        "not a number": (400, b'{"model": "tiny", "temperature": NaN}', "no JSON"),
        "another kind of JSON": (400, b"[1]", "no JSON object"),
        "no UTF-8": (400, b'{"model": "\xff"}', "no JSON"),
        "no message": (400, {"model": NAME}, "messages is missing"),
        "no model": (400, {"messages": good["messages"]}, "model is missing"),
        "another model": (404, {**good, "model": "gpt-4"}, "tiny is"),
        "several turns": (400, {**good, "messages": turns}, "one message of the role user"),
        "two pictures": (400, {**good, "messages": [twice]}, "shows 2 pictures"),
        "eleven options": (
            400,
            body("W?\n" + "\n".join(f"{c}. x" for c in "ABCDEFGHIJK"), picture),
            "10 options",
        ),
        "a stream of neither kind": (400, {**good, "stream": "yes"}, "stream is neither true nor false"),
        "a stream by number": (400, {**good, "stream": 1}, "stream is neither true nor false"),
        "tokens of no stream": (400, {**good, "stream_options": {}}, "needs stream to be true"),
        "options of a stream that are none": (
            400,
            {**good, "stream": True, "stream_options": [1]},
            "stream_options is no object",
        ),
        "tokens of a stream by a word": (
            400,
            {**good, "stream": True, "stream_options": {"include_usage": "yes"}},
            "stream_options is no object",
        ),
        "a stream about a bomb": (
            400,
            {**body("What?", png_claiming(8_000, 8_000)), "stream": True},
            "at most 50,000,000 are read",
        ),
        "a stream of ten megabytes": (
            400,
            {**body("x" * 10_000_000, picture), "stream": True},
            "at most 16,000 are read",
        ),
        "many parts": (
            400,
            {"model": NAME, "messages": [{"role": "user", "content": [{"type": "video"}] * 100_000}]},
            "neither a text nor an image_url",
        ),
        "a packed body": (400, gzip.compress(json.dumps(good).encode()), "no JSON"),
        "two answers": (400, {**good, "n": 2}, "n is not supported"),
        "too many alternatives": (400, {**good, "logprobs": True, "top_logprobs": 21}, "between 0 and 20"),
        "no tokens": (400, {**good, "max_tokens": 0}, "from 1 on"),
    }


@pytest.fixture(scope="module")
def damaged(make_examples):
    return damaged_requests(make_examples(1)[0].image)


@pytest.mark.parametrize("name", list(damaged_requests(b"\x89PNG")))
def test_a_request_that_cannot_be_answered_gets_one_sentence(client, damaged, name):
    status, sent, words = damaged[name]
    content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    told = client.post(CHAT, content=content, headers={"Content-Type": "application/json"})
    error = told.json()["error"]
    assert (told.status_code, set(error)) == (status, {"message", "type", "param", "code"})
    assert words in error["message"]
    assert "\n" not in error["message"]
    assert client.get("/ready").status_code == 200


def test_five_options_are_answered_where_the_prompt_can_list_them(client, make_examples):
    row = make_examples(1)[0]
    told = client.post(
        CHAT, json=body(f"{question_of(row)}\nE. a spoon", row.image, logprobs=True, top_logprobs=20)
    )
    choice = told.json()["choices"][0]
    assert choice["message"]["content"] in "ABCDE"
    assert len(choice["logprobs"]["content"][0]["top_logprobs"]) == 5


def test_other_paths_methods_and_types_of_content_are_told(client):
    assert client.get("/v2").status_code == 404
    assert "POST /v1/chat/completions" in client.get("/v2").json()["error"]["message"]
    assert client.get(CHAT).status_code == 405
    assert client.post(CHAT, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_one_bad_picture_among_good_ones_spoils_no_other_answer(client, make_examples, damaged):
    rows = make_examples(6)
    sent = [body(question_of(row), row.image) for row in rows] + [
        damaged["a bomb"][1],
        damaged["many tokens"][1],
    ]
    with ThreadPoolExecutor(8) as pool:
        statuses = [one.status_code for one in pool.map(lambda one: client.post(CHAT, json=one), sent)]
    assert statuses == [200] * 6 + [400] * 2


def test_a_hundred_at_once_are_answered_or_told_to_come_again(asking, tiny_model, make_examples):
    rows = make_examples(100)
    limits = Limits(waiting=40)
    sent = [body(question_of(row), row.image) for row in rows]
    with served(asking, lambda: tiny_model, limits) as (address, _), at(address) as client:
        with ThreadPoolExecutor(100) as pool:
            told = list(pool.map(lambda one: client.post(CHAT, json=one), sent))
        assert client.get("/ready").status_code == 200
    answered = [one for one in told if one.status_code == 200]
    later = [one for one in told if one.status_code == 429]
    assert len(answered) >= 40
    assert len(answered) + len(later) == 100
    assert {one.headers["Retry-After"] for one in later} <= {"1"}
    assert {one.json()["error"]["type"] for one in later} <= {"rate_limit_error"}


def test_who_goes_away_is_not_waited_for_and_the_next_one_is_answered(
    asking, tiny_model, make_examples, monkeypatch
):
    from blip_core.serving import worker as working

    began, go_on, asked = threading.Event(), threading.Event(), []
    respond = working.respond

    def held(bundle, requests, settings, features):
        asked.append(len(requests))
        began.set()
        go_on.wait(30)
        return respond(bundle, requests, settings, features)

    monkeypatch.setattr(working, "respond", held)
    row = make_examples(1)[0]
    content = json.dumps(body(question_of(row), row.image)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    with served(asking, lambda: tiny_model) as (address, service):
        port = int(address.rpartition(":")[2])

        def send(part: bytes) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(f"{head}{len(content)}\r\n\r\n".encode() + part)
            return connection

        first = send(content)
        assert began.wait(30)
        gone = send(content)  # waits for its turn, and goes
        half = send(content[: len(content) // 2])  # goes while it is still telling
        while service._inside < 3:
            time.sleep(0.01)
        gone.close()
        half.close()
        while service._inside > 1:
            time.sleep(0.01)
        go_on.set()
        first.settimeout(30)
        assert first.recv(15).startswith(b"HTTP/1.1 200")
        first.close()
        with at(address) as client:
            assert client.post(CHAT, json=body(question_of(row), row.image)).status_code == 200
    assert asked == [1, 1]
    assert service._held_bytes == 0


def test_a_body_that_is_too_long_or_too_slow_is_refused(asking, tiny_model, make_examples):
    row = make_examples(1)[0]
    limits = replace(Limits(), body_bytes=2_000_000, receive_s=0.3)
    with served(asking, lambda: tiny_model, limits) as (address, _):
        with at(address) as client:
            long = client.post(CHAT, json=body("x" * 3_000_000, row.image))
            assert (long.status_code, long.json()["error"]["code"]) == (413, "request_too_large")
            assert client.post(CHAT, json=body(question_of(row), row.image)).status_code == 200
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as slow:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            slow.settimeout(30)
            assert slow.recv(12).startswith(b"HTTP/1.1 408")


def test_a_key_is_asked_for_and_other_names_are_refused(asking, tiny_model):
    with served(asking, lambda: tiny_model, key="s3cret") as (address, _), at(address) as client:
        assert client.get("/v1/models").status_code == 401
        assert client.get("/v1/models", headers={"Authorization": "Bearer other"}).status_code == 401
        given = {"Authorization": "Bearer s3cret"}
        assert client.get("/v1/models", headers=given).status_code == 200
        far = client.get("/v1/models", headers={**given, "Host": "evil.example"})
        assert (far.status_code, far.json()["error"]["code"]) == (421, "unknown_host")
        assert client.get("/health").status_code == 200


def test_the_log_tells_of_requests_and_nothing_that_was_in_them(client, make_examples, caplog):
    row = make_examples(1)[0]
    word = "the-word-nobody-logs"
    with caplog.at_level("INFO", "blip_core.serving"):
        client.post(CHAT, json=body(word, row.image))
        client.get(f"/{word}?{word}")
    assert f"POST {CHAT} 200" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("blip_core")]
    assert word not in "".join(ours)  # uvicorn's own log is off, but in a process that others share
    assert base64.b64encode(row.image).decode()[:40] not in caplog.text


def test_a_failure_of_the_model_is_one_answer_and_no_end(asking, tiny_model, make_examples, monkeypatch):
    from blip_core.serving import worker as working

    def fails(*_):
        raise RuntimeError("the inside of the machine")

    row = make_examples(1)[0]
    with served(asking, lambda: tiny_model) as (address, _), at(address) as client:
        with monkeypatch.context() as patch:
            patch.setattr(working, "respond", fails)
            told = client.post(CHAT, json=body(question_of(row), row.image))
        assert told.status_code == 500
        assert "inside" not in told.text
        assert client.post(CHAT, json=body(question_of(row), row.image)).status_code == 200


def test_whatever_keeps_the_model_from_loading_is_told_to_who_starts_it(asking):
    from blip_core.errors import CheckpointError

    def missing():
        raise CheckpointError("there is no such checkpoint")

    with pytest.raises(CheckpointError, match="no such checkpoint"), served(asking, missing):
        pass

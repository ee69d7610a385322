"""What travels between the chat client and a server, and what comes of a server that errs."""

import base64
import io
import json
import socket

import pytest
from PIL import Image

from blip_core.backends.openai_compatible import (
    ATTEMPTS,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    TOP_LOGPROBS,
    ChatClient,
    OpenAICompatibleLabeller,
    OpenAICompatibleWriter,
)
from blip_core.errors import StageFailure
from blip_core.scenes import parse_list
from tests.contract.conftest import echo


def client(server, **changes):
    return ChatClient(
        **{"base_url": server.url, "model": "m", "temperature": 0.5, "top_p": 0.9, "max_new_tokens": 7}
        | changes
    )


def test_a_request_carries_the_settings_the_seed_and_the_key(chat_server):
    chat = client(chat_server, api_key="secret")
    texts = OpenAICompatibleWriter(chat).write(["\nHello\n"], [2**31 + 5])
    chat.close()
    path, headers, body = chat_server.requests[0]
    assert texts == ["5 Hello"]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body == {
        "model": "m",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "seed": 5,
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_many_rows_come_back_in_order(chat_server):
    chat = client(chat_server)
    texts = OpenAICompatibleWriter(chat).write([f"row {index}" for index in range(40)], range(40))
    chat.close()
    assert texts == [f"{index} row {index}" for index in range(40)]


def test_a_picture_travels_whole_and_the_frame_of_the_prompt_stays_behind(chat_server):
    chat = client(chat_server)
    picture = Image.new("RGB", (5, 4), (9, 8, 7))
    OpenAICompatibleLabeller(chat).label([picture], ["<image>\nUSER: Label it.\n\nASSISTANT:"], [0])
    chat.close()
    shown, text = chat_server.requests[0][2]["messages"][0]["content"]
    png = base64.b64decode(shown["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(png)).tobytes() == picture.tobytes()
    assert text == {"type": "text", "text": "Label it."}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((404, "no such model"), "status 404: no such model"),
        ((200, "<html>"), "no chat completion: <html>"),
        ((200, json.dumps({"choices": []})), "no chat completion"),
        ((200, "[" * 100_000), "no chat completion"),
        ((200, '{"choices": ' + "9" * 10_000 + "}"), "no chat completion"),
    ],
)
def test_a_server_that_errs_is_quoted(chat_server, reply, message):
    chat_server.reply = lambda _: reply
    chat = client(chat_server)
    with pytest.raises(StageFailure, match=message):
        OpenAICompatibleWriter(chat).write(["Hello"], [0])
    chat.close()


def test_an_answer_without_text_is_empty(chat_server):
    chat_server.reply = lambda _: (200, json.dumps({"choices": [{"message": {"content": None}}]}))
    chat = client(chat_server)
    assert OpenAICompatibleWriter(chat).write(["Hello"], [0]) == [""]
    chat.close()


def test_half_a_character_from_a_server_reaches_no_label(chat_server):
    answer = json.dumps({"choices": [{"message": {"content": "1. A dog \ud800 runs."}}]})
    chat_server.reply = lambda _: (200, answer)
    chat = client(chat_server)
    (text,) = OpenAICompatibleWriter(chat).write(["Hello"], [0])
    chat.close()
    assert "\ud800" in text
    assert parse_list(text) == ["A dog runs."]


def test_a_server_that_is_away_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    chat = ChatClient(url, "m", 1.0, 1.0, 8, pause=lambda _: None)
    with pytest.raises(StageFailure, match=f"{url} could not be reached"):
        OpenAICompatibleWriter(chat).write(["Hello"], [0])
    chat.close()


def refused_at_first(times, status=503, headers=None):
    """A reply that fails some times, then echoes."""
    waiting = iter(range(times))

    def reply(body):
        if next(waiting, None) is None:
            return echo(body)
        return (status, "busy") if headers is None else (status, "busy", headers)

    return reply


def test_a_busy_server_is_asked_again_after_growing_pauses(chat_server):
    pauses = []
    chat_server.reply = refused_at_first(3)
    chat = client(chat_server, pause=pauses.append)
    assert OpenAICompatibleWriter(chat).write(["Hello"], [3]) == ["3 Hello"]
    chat.close()
    assert pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]


def test_a_server_that_stays_busy_is_given_up_after_a_stated_number_of_attempts(chat_server):
    chat_server.reply = lambda _: (429, "slow down")
    chat = client(chat_server, pause=lambda _: None)
    with pytest.raises(StageFailure, match="status 429: slow down"):
        OpenAICompatibleWriter(chat).write(["Hello"], [0])
    chat.close()
    assert len(chat_server.requests) == ATTEMPTS


def test_a_server_says_how_long_to_wait_but_not_without_end(chat_server):
    pauses = []
    chat_server.reply = refused_at_first(1, 429, {"Retry-After": "9999"})
    chat = client(chat_server, pause=pauses.append)
    OpenAICompatibleWriter(chat).write(["Hello"], [3])
    chat.close()
    assert pauses == [LONGEST_PAUSE_S]


def test_a_dropped_connection_is_made_anew(chat_server):
    dropping = iter([True])

    def reply(body):
        if next(dropping, False):
            raise ConnectionAbortedError
        return echo(body)

    chat_server.reply = reply
    chat = client(chat_server, pause=lambda _: None)
    assert OpenAICompatibleWriter(chat).write(["Hello"], [3]) == ["3 Hello"]
    chat.close()


def with_chances(body):
    told = {"message": {"content": "B"}, "logprobs": None}
    if body.get("logprobs"):
        top = [{"token": "B", "logprob": -0.1}, {"token": "A", "logprob": -2.5}]
        told["logprobs"] = {"content": [{"token": "B", "top_logprobs": top}]}
    return 200, json.dumps({"choices": [told], "usage": {"prompt_tokens": 9, "completion_tokens": 1}})


def test_probabilities_of_the_first_token_are_asked_for_and_read(chat_server):
    chat_server.reply = with_chances
    with client(chat_server) as chat:
        (reply,) = chat.reply(["Which?"], [0], first_token=True, max_new_tokens=2)
    body = chat_server.requests[0][2]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, TOP_LOGPROBS, 2)
    assert reply.first_token == pytest.approx({"B": 0.9048, "A": 0.0821}, abs=1e-4)
    assert (reply.prompt_tokens, reply.written_tokens) == (9, 1)


def test_a_server_that_refuses_to_tell_probabilities_is_asked_without_from_then_on(chat_server):
    chat_server.reply = lambda body: (400, "no logprobs here") if "logprobs" in body else with_chances(body)
    with client(chat_server, requests_at_once=1) as chat:
        replies = chat.reply(["Which?", "And which?"], [0, 0], first_token=True)
    assert [(reply.text, reply.first_token) for reply in replies] == [("B", {}), ("B", {})]
    assert ["logprobs" in body for _, _, body in chat_server.requests] == [True, False, False]


@pytest.mark.parametrize(
    "listed",
    ["<html>", "[]", '{"data": 3}', '{"data": [{"id": "other"}]}', '{"data": [{}]}', '{"data": []}'],
)
def test_a_server_that_tells_nothing_of_its_model_tells_nothing(chat_server, listed):
    chat_server.models = lambda: (200, listed)
    with client(chat_server) as chat:
        assert chat.model_facts() == ""


def test_what_a_server_tells_of_its_model_leaves_out_what_every_request_changes(chat_server):
    one = {"id": "m", "root": "owner/name", "max_model_len": 4096}
    changing = {"created": 17, "permission": [{"id": "x1"}]}
    chat_server.models = lambda: (200, json.dumps({"data": [{"id": "other"}, one | changing]}))
    with client(chat_server) as chat:
        assert json.loads(chat.model_facts()) == one


def test_a_key_that_a_server_repeats_is_not_shown(chat_server, caplog):
    chat_server.reply = lambda _: (401, "the key s3cret-k3y is not known")
    with (
        caplog.at_level("DEBUG"),
        client(chat_server, api_key="s3cret-k3y") as chat,
        pytest.raises(StageFailure) as told,
    ):
        chat.ask(["Hello"], [0])
    assert "the key *** is not known" in str(told.value)
    assert "s3cret-k3y" not in caplog.text

"""What travels between the chat client and a server, and what comes of a server that errs."""

import base64
import gzip
import io
import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from types import SimpleNamespace

import pytest
from PIL import Image

from blip_core.backends.chat import ChatClient, Dialect
from blip_core.backends.chat.client import MAX_REDIRECTS
from blip_core.backends.chat.dialect import TOP_LOGPROBS
from blip_core.backends.chat.trying import (
    ATTEMPTS,
    FIRST_PAUSE_S,
    JITTER_S,
    LONGEST_PAUSE_S,
    asked_wait_s,
)
from blip_core.backends.openai_compatible import OpenAICompatibleLabeller, OpenAICompatibleWriter
from blip_core.errors import StageFailure
from blip_core.scenes import parse_list
from tests.contract.conftest import echo, serving_chat


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
        ((404, "no such model"), r"status 404: no such model\. Is the address right\? It ends before"),
        ((401, "who is there"), r"status 401: who is there\. It wants a key: key_variable"),
        ((413, '{"error": {"message": "too big"}}'), r"status 413: too big\. The picture is too large"),
        ((400, '{"error": {"message": "no"}, "hint": 3}'), "status 400: no$"),
        ((400, '{"error": "no pictures"}'), "status 400: no pictures$"),
        ((422, '{"detail": "no messages"}'), "status 422: no messages$"),
        ((403, "<html><head><title>Proxy says no</title></head>"), "status 403: Proxy says no"),
        ((200, '{"choices": [{"message": {"content": "B"}'), "no chat completion"),
        ((200, '{"error": {"message": "out of memory"}}'), "no chat completion: out of memory"),
        ((200, 'data: {"choices": [{"delta": {"content": "B"}}]}'), "no chat completion"),
        ((200, "not packed", {"Content-Encoding": "gzip"}), "cannot be unpacked"),
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
    doubled = [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert all(least <= pause <= least + JITTER_S for pause, least in zip(pauses, doubled, strict=True))


def test_a_server_that_stays_busy_is_given_up_after_a_stated_number_of_attempts(chat_server):
    chat_server.reply = lambda _: (429, "slow down")
    chat = client(chat_server, pause=lambda _: None)
    with pytest.raises(StageFailure, match="status 429: slow down"):
        OpenAICompatibleWriter(chat).write(["Hello"], [0])
    chat.close()
    assert len(chat_server.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("9999", LONGEST_PAUSE_S, LONGEST_PAUSE_S),
        ("7", 7, 7),
        ("2.5", 2.5, 2.5),
        ("soon", FIRST_PAUSE_S, FIRST_PAUSE_S + JITTER_S),
        ("-3", FIRST_PAUSE_S, FIRST_PAUSE_S + JITTER_S),
        ("nan", FIRST_PAUSE_S, FIRST_PAUSE_S + JITTER_S),
        ("Mon, 99 Foo 2020 25:00:00 GMT", FIRST_PAUSE_S, FIRST_PAUSE_S + JITTER_S),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_says_how_long_to_wait_but_not_without_end(chat_server, status, asked, least, most):
    pauses = []
    chat_server.reply = refused_at_first(1, status, {"Retry-After": asked})
    with client(chat_server, pause=pauses.append) as chat:
        chat.ask(["Hello"], [3])
    assert len(pauses) == 1
    assert least <= pauses[0] <= most


@pytest.mark.parametrize(("seconds", "most"), [(9_999, 9_999), (-60, 0)])
def test_a_server_may_say_when_to_come_back(seconds, most):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    assert most - 1_000 <= asked_wait_s(date) <= most


def test_time_in_all_is_bounded_as_well(chat_server, monkeypatch):
    monkeypatch.setattr("blip_core.backends.chat.trying.BUDGET_S", 40.0)
    clock = count(step=LONGEST_PAUSE_S)
    # A clock of its own: the module's is everybody's, the server's thread among them.
    monkeypatch.setattr("tenacity.time", SimpleNamespace(monotonic=lambda: next(clock)))
    chat_server.reply = lambda _: (503, "busy", {"Retry-After": "30"})
    with client(chat_server, pause=lambda _: None) as chat, pytest.raises(StageFailure, match="status 503"):
        chat.ask(["Hello"], [0])
    assert len(chat_server.requests) == 1


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


def test_probabilities_are_asked_for_and_read(chat_server):
    chat_server.reply = with_chances
    with client(chat_server) as chat:
        (reply,) = chat.reply(["Which?"], [0], with_chances=True, max_new_tokens=2)
    body = chat_server.requests[0][2]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, TOP_LOGPROBS, 2)
    assert list(reply.chances) == [0]
    assert reply.chances[0] == pytest.approx({"B": 0.9048, "A": 0.0821}, abs=1e-4)
    assert (reply.prompt_tokens, reply.written_tokens) == (9, 1)


def test_a_server_that_refuses_to_tell_probabilities_is_asked_without_from_then_on(chat_server):
    chat_server.reply = lambda body: (400, "no logprobs here") if "logprobs" in body else with_chances(body)
    with client(chat_server, requests_at_once=1) as chat:
        replies = chat.reply(["Which?", "And which?"], [0, 0], with_chances=True)
    assert [(reply.text, reply.chances) for reply in replies] == [("B", {}), ("B", {})]
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


def test_a_key_that_is_wrong_is_asked_about(chat_server):
    chat_server.reply = lambda _: (401, "unknown")
    with client(chat_server, api_key="k") as chat, pytest.raises(StageFailure, match="Is the key right"):
        chat.ask(["Hello"], [0])


def test_a_model_that_is_not_served_is_told_with_those_that_are(chat_server):
    served = [{"id": f"model-{index}"} for index in range(12)]
    chat_server.models = lambda: (200, json.dumps({"data": served}))
    chat_server.reply = lambda _: (404, '{"error": {"message": "The model `m` does not exist."}}')
    with client(chat_server) as chat, pytest.raises(StageFailure) as told:
        chat.ask(["Hello"], [0])
    assert "does not exist. It serves model-0, model-1" in str(told.value)
    assert str(told.value).endswith("model-9 and 2 more, and not m.")


def understanding(*names, words="Unknown parameter: {}."):
    """A reply that refuses the first parameter that it does not understand, by its name."""

    def reply(body):
        unknown = [name for name in body if name not in {"model", "messages", *names}]
        if unknown:
            return 400, json.dumps({"error": {"message": words.format(unknown[0]), "code": 400}})
        return with_chances(body)

    return reply


OTHER_LIMIT = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."


def test_the_longest_answer_goes_by_its_other_name_where_the_first_is_refused(chat_server, caplog):
    refused = json.dumps({"error": {"message": OTHER_LIMIT, "param": "max_tokens"}})
    chat_server.reply = lambda body: (400, refused) if "max_tokens" in body else with_chances(body)
    with client(chat_server, requests_at_once=1) as chat:
        assert chat.ask(["Which?"] * 3, [0] * 3) == ["B"] * 3
    bodies = [body for _, _, body in chat_server.requests]
    assert [body.get("max_completion_tokens") for body in bodies] == [None, 7, 7, 7]
    assert caplog.text.count("takes max_completion_tokens in place of max_tokens") == 1


@pytest.mark.parametrize(
    ("words", "dropped"),
    [
        ("Unsupported value: 'temperature' does not support 0.5.", "temperature"),
        ("Extra inputs are not permitted: seed", "seed"),
        ("`temperature` and `top_p` cannot both be specified", "top_p"),
    ],
)
def test_a_parameter_that_is_refused_by_name_is_left_out_from_then_on_and_told_once(
    chat_server, caplog, words, dropped
):
    chat_server.reply = lambda body: (400, words) if dropped in body else with_chances(body)
    with client(chat_server, requests_at_once=1) as chat:
        assert chat.ask(["Which?"] * 3, [0] * 3) == ["B"] * 3
    assert [dropped in body for _, _, body in chat_server.requests] == [True, False, False, False]
    assert all(name in chat_server.requests[-1][2] for name in {"temperature", "seed", "top_p"} - {dropped})
    assert caplog.text.count(f"does not take {dropped}") == 1


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("Requested sample logprobs of 20, which is greater than max allowed: 5", [TOP_LOGPROBS, 5, 5]),
        ("top_logprobs must be between 0 and 5", [TOP_LOGPROBS, 5, 5]),
        ("logprobs are not supported with this model", [TOP_LOGPROBS, None, None]),
        ("Bad request", [TOP_LOGPROBS, None, None]),
    ],
)
def test_fewer_alternatives_are_asked_for_where_a_server_allows_fewer(chat_server, words, asked):
    def reply(body):
        allowed = 5 if asked[-1] else 0
        return (422, words) if body.get("top_logprobs", 0) > allowed else with_chances(body)

    chat_server.reply = reply
    with client(chat_server, requests_at_once=1) as chat:
        chat.reply(["Which?", "And which?"], [0, 0], with_chances=True)
    assert [body.get("top_logprobs") for _, _, body in chat_server.requests] == asked


def test_a_server_that_refuses_one_parameter_after_the_other_is_asked_in_the_end(chat_server):
    chat_server.reply = understanding("max_completion_tokens")
    with client(chat_server) as chat:
        assert chat.reply(["Which?"], [0], with_chances=True)[0].text == "B"
    assert set(chat_server.requests[-1][2]) == {"model", "messages", "max_completion_tokens"}


def test_a_server_that_only_streams_is_asked_for_a_stream(chat_server):
    def reply(body):
        if not body.get("stream"):
            return (
                400,
                '{"error": {"message": "This model only supports stream mode, set the stream parameter"}}',
            )
        return 200, 'data: {"choices": [{"delta": {"content": "B"}}]}\n\ndata: [DONE]\n\n'

    chat_server.reply = reply
    with client(chat_server) as chat:
        assert chat.ask(["Which?"], [0]) == ["B"]


def test_what_did_not_help_is_not_remembered(chat_server):
    chat_server.reply = lambda _: (400, "max_tokens is too large: the context has 4096 tokens")
    with client(chat_server) as chat:
        with pytest.raises(StageFailure, match="max_tokens is too large"):
            chat.ask(["Which?"], [0])
        chat_server.requests.clear()
        chat_server.reply = echo
        chat.ask(["Hello"], [0])
    assert chat_server.requests[0][2]["max_tokens"] == 7


def test_clients_of_one_run_share_what_a_server_understands(chat_server):
    chat_server.reply = understanding("max_completion_tokens", "temperature", "top_p")
    dialect = Dialect("m")
    for _ in range(2):
        with client(chat_server, dialect=dialect) as chat:
            chat.ask(["Which?"], [0])
    assert len(chat_server.requests) == 4


def moved_to(address, status=307):
    return status, "moved", {"Location": address}


def test_a_server_that_moved_within_itself_is_followed_with_the_key(chat_server):
    def reply(body):
        path, headers, _ = chat_server.requests[-1]
        assert headers["Authorization"] == "Bearer k"
        return echo(body) if path.endswith("/") else moved_to(f"{path}/")

    chat_server.reply = reply
    with client(chat_server, api_key="k") as chat:
        assert chat.ask(["Hello"], [3]) == ["3 Hello"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_goes_to_another_server(chat_server, status):
    with serving_chat() as other:
        chat_server.reply = lambda _: moved_to(f"{other.url}/chat/completions", status)
        with client(chat_server, api_key="k") as chat, pytest.raises(StageFailure) as told:
            chat.ask(["Hello"], [3])
        assert f"sends requests on to {other.url}; if that is meant" in str(told.value)
        assert not other.requests


def test_a_server_that_moves_for_ever_is_given_up(chat_server):
    chat_server.reply = lambda _: moved_to("/v1/chat/completions")
    with client(chat_server) as chat, pytest.raises(StageFailure, match="sends requests on to"):
        chat.ask(["Hello"], [3])
    assert len(chat_server.requests) == MAX_REDIRECTS


def test_a_reply_that_does_not_end_is_not_read_to_its_end(chat_server, monkeypatch):
    monkeypatch.setattr("blip_core.backends.chat.client.MAX_REPLY_BYTES", 2**20)
    packed = gzip.compress(b" " * 2**24)
    chat_server.reply = lambda _: (200, packed, {"Content-Encoding": "gzip"})
    with client(chat_server) as chat, pytest.raises(StageFailure, match="sent more than 1 MiB"):
        chat.ask(["Hello"], [3])


def test_a_reply_that_takes_for_ever_is_not_waited_for(chat_server, monkeypatch):
    monkeypatch.setattr("blip_core.backends.chat.client.BUDGET_S", -1.0)
    with client(chat_server) as chat, pytest.raises(StageFailure, match="still answering"):
        chat.ask(["Hello"], [3])


def test_a_reply_that_breaks_off_is_asked_for_again(chat_server):
    breaking = iter([True])

    def reply(body):
        status, text = echo(body)
        return (status, text, {"Breaks-Off": "yes"}) if next(breaking, False) else (status, text)

    chat_server.reply = reply
    with client(chat_server, pause=lambda _: None) as chat:
        assert chat.ask(["Hello"], [3]) == ["3 Hello"]
    assert len(chat_server.requests) == 2


def test_a_reply_in_chunks_is_put_together(chat_server):
    chat_server.reply = lambda body: (*echo(body), {"Transfer-Encoding": "chunked"})
    with client(chat_server) as chat:
        assert chat.ask(["Hello"], [3]) == ["3 Hello"]

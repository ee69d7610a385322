"""Completions as streams, read by OpenAI's own client, and what goes on when a reader leaves."""

import json
import socket
import time

import pytest
from openai import BadRequestError, OpenAI

from blip_core.inference import predict
from tests.unit.serving.conftest import NAME, at, body, data_address, served
from tests.unit.serving.test_server import CHAT, question_of


@pytest.fixture
def asked(server):
    """OpenAI's client of the tiny server."""
    with OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0) as client:

        def ask(row, text: str, **options):
            address = {"type": "image_url", "image_url": {"url": data_address(row.image)}}
            messages = [{"role": "user", "content": [address, {"type": "text", "text": text}]}]
            return client.chat.completions.create(model=NAME, messages=messages, **options)

        yield ask


def test_a_stream_says_what_a_completion_says(asked, make_examples, tiny_model, inference_settings):
    row = make_examples(1)[0]
    (local,) = predict(tiny_model.bundle, [row], inference_settings, "local")
    options = {"logprobs": True, "top_logprobs": 4}
    whole = asked(row, question_of(row), **options)
    chunks = list(
        asked(row, question_of(row), stream=True, stream_options={"include_usage": True}, **options)
    )
    *said, last = chunks
    deltas = [chunk.choices[0].delta for chunk in said]
    assert deltas[0].role == "assistant"
    assert (
        "".join(delta.content or "" for delta in deltas) == local.ranked == whole.choices[0].message.content
    )
    assert [delta.reasoning_content for delta in deltas if hasattr(delta, "reasoning_content")] == [
        local.description
    ]
    (told,) = [chunk.choices[0].logprobs for chunk in said if chunk.choices[0].logprobs]
    assert told.content == whole.choices[0].logprobs.content
    assert [chunk.choices[0].finish_reason for chunk in said] == [None] * (len(said) - 1) + ["stop"]
    assert (last.choices, last.usage) == ([], whole.usage)
    assert {chunk.usage for chunk in said} == {None}
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}


def test_a_stream_ends_with_done_and_tells_tokens_where_they_are_wanted(client, make_examples):
    row = make_examples(1)[0]
    told = client.post(CHAT, json=body(question_of(row), row.image, stream=True))
    assert told.headers["content-type"].startswith("text/event-stream")
    *events, end, nothing = told.text.split("\n\n")
    assert (end, nothing) == ("data: [DONE]", "")
    assert all(event.startswith("data: {") for event in events)
    assert not any("usage" in json.loads(event.removeprefix("data: ")) for event in events)


def test_a_text_that_is_cut_says_so_in_its_stream(asked, make_examples):
    chunks = list(asked(make_examples(1)[0], "What is it?", stream=True, max_tokens=1))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_what_is_wrong_with_a_stream_is_told_as_an_error_before_it_begins(asked, make_examples):
    with pytest.raises(BadRequestError, match="logprobs to be true"):
        asked(make_examples(1)[0], "What?", stream=True, top_logprobs=3)


@pytest.mark.parametrize("ends", ["half-closed", "reset"])
def test_who_closes_a_stream_early_harms_nobody(asking, tiny_model, make_examples, ends):
    row = make_examples(1)[0]
    content = json.dumps(body(question_of(row), row.image, stream=True)).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    with served(asking, lambda: tiny_model) as (address, service), at(address) as client:
        for part in (content, content[:100]):
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as connection:
                connection.sendall(head.encode() + part)
                if ends == "half-closed":
                    connection.shutdown(socket.SHUT_WR)
                    connection.settimeout(30)
                    connection.recv(1_000)
        while service._inside:
            time.sleep(0.01)
        assert client.post(CHAT, json=body(question_of(row), row.image)).status_code == 200
        assert service._held_bytes == 0

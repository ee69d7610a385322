"""What travels between the chat client and a server, and what comes of a server that errs."""

import base64
import io
import json
import socket

import pytest
from PIL import Image

from blip_core.backends.openai_compatible import ChatClient, OpenAICompatibleLabeller, OpenAICompatibleWriter
from blip_core.errors import StageFailure
from blip_core.scenes import parse_list


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
    chat = ChatClient(url, "m", 1.0, 1.0, 8)
    with pytest.raises(StageFailure, match=f"{url} could not be reached"):
        OpenAICompatibleWriter(chat).write(["Hello"], [0])
    chat.close()

"""Scenes and labels from a server: structured or as text, thought about or not, bounded, kept and counted."""

import json
import re
import threading
from itertools import count

import pytest
from PIL import Image

from blip_core.backends.chat import ChatClient, KeptReplies, Meter
from blip_core.backends.openai_compatible import (
    MOST_PICTURE_BYTES,
    OpenAICompatibleLabeller,
    OpenAICompatibleWriter,
    small_picture_url,
)
from blip_core.errors import ServerAway, StageFailure
from blip_core.kinds import KINDS, kind_of
from blip_core.kinds.label_text import ParsedLabel
from blip_core.labelling import confidence_in
from blip_core.ports import Confident, Costs, Labeller, Metered, TextWriter
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE
from blip_core.scenes import parse_list
from blip_core.wiring.served import label_structure, list_structure

LABEL = {
    "description": "A red boat on a lake.",
    "question": "What floats?",
    "A": "A boat",
    "B": "A duck",
    "C": "A log",
    "D": "A ball",
    "answer": "A",
}
PARSED = ParsedLabel(LABEL["description"], "What floats?", ("A boat", "A duck", "A log", "A ball"), "A")
TEXT = (
    "Description: A red boat on a lake.\n\nQuestion: What floats?\nA. A boat\nB. A duck\nC. A log\n"
    "D. A ball\n\nAnswer: A"
)
PICTURE = Image.new("RGB", (4, 4), (200, 10, 10))


def completion(content, finish="stop", **message):
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return 200, json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 4}})


def client(server, **changes):
    settings = {"structure": label_structure(kind_of("mcq")), "thinks": False, "pause": lambda _: None}
    return ChatClient(server.url, "m", 0.7, 0.9, 64, **{"requests_at_once": 1, **settings, **changes})


def labels(server, rows=1, **changes):
    with client(server, **changes) as chat:
        texts = OpenAICompatibleLabeller(chat).label(
            [PICTURE] * rows, ["<image>\nUSER: Label it."] * rows, range(rows)
        )
        return [kind_of("mcq").parse_label(text) for text in texts], chat.costs


def bodies(server):
    return [body for _, _, body in server.requests]


def test_both_steps_are_ports_that_count_what_they_cost(chat_server):
    with client(chat_server) as chat:
        assert isinstance(OpenAICompatibleWriter(chat), TextWriter)
        assert isinstance(OpenAICompatibleLabeller(chat), Labeller)
        assert all(
            isinstance(step(chat), Metered) for step in (OpenAICompatibleWriter, OpenAICompatibleLabeller)
        )


def test_a_label_is_asked_for_by_a_schema_and_without_thinking(chat_server):
    chat_server.reply = lambda _: completion(json.dumps(LABEL))
    read, costs = labels(chat_server)
    assert (read, costs.requests, costs.prompt_tokens, costs.written_tokens) == ([PARSED], 1, 9, 4)
    (body,) = bodies(chat_server)
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == list(LABEL)
    assert schema["properties"]["answer"]["enum"] == ["A", "B", "C", "D"]
    assert body["chat_template_kwargs"]["enable_thinking"] is False
    assert "one JSON object" in body["messages"][0]["content"][1]["text"]


def test_scenes_are_read_from_json_as_from_a_list(chat_server):
    scenes = ["A dog runs on a beach.", "Two friends\n2. eat noodles."]
    chat_server.reply = lambda _: completion(json.dumps({"scenes": scenes}))
    with client(chat_server, structure=list_structure(2)) as chat:
        (text,) = OpenAICompatibleWriter(chat).write(["List them."], [0])
    assert parse_list(text) == ["A dog runs on a beach.", "Two friends 2. eat noodles."]


@pytest.mark.parametrize("kind", ["mcq", "vqa", "caption"])
def test_what_a_schema_asks_for_is_what_the_kind_reads(kind):
    form = label_structure(kind_of(kind))
    text = form.read(json.dumps({name: LABEL[name] for name in form.schema["properties"]}))
    parsed = KINDS[kind].parse_label(text)
    assert isinstance(parsed, ParsedLabel)
    assert parsed.description == LABEL["description"]


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(LABEL),
        f"```json\n{json.dumps(LABEL, indent=1)}\n```",
        f"```\n{json.dumps(LABEL)}```",
        f"<think>A or B? {{}}</think>\n{json.dumps(LABEL)}",
        json.dumps({**LABEL, "more": 3}),
        json.dumps({**LABEL, "description": "A red boat\non a lake."}),
    ],
)
def test_json_is_read_however_it_is_wrapped(chat_server, written):
    chat_server.reply = lambda _: completion(written)
    assert labels(chat_server)[0] == [PARSED]
    assert len(chat_server.requests) == 1


def test_thinking_that_a_server_tells_apart_is_no_part_of_a_label(chat_server):
    chat_server.reply = lambda _: completion(
        json.dumps(LABEL), reasoning_content="Question: which? Answer: B"
    )
    assert labels(chat_server)[0] == [PARSED]


def test_a_text_within_json_cannot_pass_for_a_part(chat_server):
    forged = {**LABEL, "question": "What floats?\nAnswer: B\nDescription: none"}
    chat_server.reply = lambda _: completion(json.dumps(forged))
    ((label,), _) = labels(chat_server)
    assert label == ParsedLabel(
        LABEL["description"], "What floats? Answer: B Description: none", PARSED.options, "A"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, json.dumps({"error": {"message": "bad value", "param": "response_format"}})),
        (400, "This model does not support json_schema."),
        (422, json.dumps({"detail": "Unexpected fields in the request: {'response_format'}"})),
        (400, "guided decoding is not enabled"),
        (400, "Bad request"),
    ],
)
def test_a_server_that_refuses_a_schema_is_asked_for_text_from_then_on(chat_server, caplog, status, words):
    chat_server.reply = lambda body: (status, words) if "response_format" in body else completion(TEXT)
    assert labels(chat_server, rows=2)[0] == [PARSED] * 2
    last = bodies(chat_server)[-1]
    assert "response_format" not in last
    assert "JSON" not in last["messages"][0]["content"][1]["text"]
    assert ["response_format" in body for body in bodies(chat_server)[-2:]] == [False, False]
    assert caplog.text.count("does not answer by a JSON schema") == 1


@pytest.mark.parametrize(
    "heedless", [TEXT, "Sure! Here it is:\n" + TEXT, '{"label": "A boat"}', '["A boat"]', "42"]
)
def test_a_server_that_heeds_no_schema_is_asked_for_text(chat_server, heedless):
    chat_server.reply = lambda body: completion(heedless if "response_format" in body else TEXT)
    read, costs = labels(chat_server, rows=2)
    assert read == [PARSED] * 2
    assert (costs.requests, costs.repeated) == (3, 1)


@pytest.mark.parametrize("begun", ["Here is a JSON object:\n{", "```json\n{", "Description: A red"])
def test_a_cut_answer_that_no_schema_shaped_is_asked_for_as_text(chat_server, begun):
    chat_server.reply = lambda body: (
        completion(begun, finish="length") if "response_format" in body else completion(TEXT)
    )
    assert labels(chat_server, rows=2)[0] == [PARSED] * 2
    assert len(chat_server.requests) == 3


@pytest.mark.parametrize(
    "words",
    [
        json.dumps({"detail": "Unexpected fields in the request: {'chat_template_kwargs'}"}),
        json.dumps({"error": {"message": "Unrecognized request argument supplied: chat_template_kwargs"}}),
        "Bad request",
    ],
)
def test_a_server_that_cannot_be_told_not_to_think_is_asked_all_the_same(chat_server, words):
    chat_server.reply = lambda body: (
        (400, words) if "chat_template_kwargs" in body else completion(json.dumps(LABEL))
    )
    assert labels(chat_server, rows=2)[0] == [PARSED] * 2
    assert "response_format" in bodies(chat_server)[-1]


def test_a_model_that_may_think_is_not_told_otherwise(chat_server):
    chat_server.reply = lambda _: completion(json.dumps(LABEL))
    labels(chat_server, thinks=True)
    assert "chat_template_kwargs" not in bodies(chat_server)[0]


@pytest.mark.parametrize("cut", ['{"description": "A red bo', "<think>Let me see", ""])
def test_an_answer_that_is_cut_is_refused_by_the_parser_and_counted(chat_server, cut):
    chat_server.reply = lambda _: completion(cut, finish="length")
    ((label,), costs) = labels(chat_server)
    assert not isinstance(label, ParsedLabel)
    assert costs.cut == 1
    assert len(chat_server.requests) == 1, "asking again for text would be cut as well"


def test_bytes_that_are_no_text_are_a_refused_label(chat_server):
    chat_server.reply = lambda _: (200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}')
    assert not isinstance(labels(chat_server)[0][0], ParsedLabel)


def test_bytes_that_are_no_reply_are_told_in_one_sentence(chat_server):
    chat_server.reply = lambda _: (200, b"\xff\xfe\x00")
    with pytest.raises(StageFailure, match="no chat completion") as told:
        labels(chat_server)
    assert "\n" not in str(told.value)


def test_as_many_requests_are_made_as_a_budget_allows_retries_counted(chat_server):
    answers = count()

    def reply(_):
        return (503, "busy") if next(answers) == 1 else completion(json.dumps(LABEL))

    chat_server.reply = reply
    with pytest.raises(
        StageFailure, match=r"4 requests were made, as many as labels.model.max_requests allows"
    ):
        labels(chat_server, rows=9, meter=Meter(max_requests=4, field="labels.model"))
    assert len(chat_server.requests) == 4


def test_no_more_is_asked_once_the_time_is_up(chat_server):
    chat_server.reply = lambda _: completion(json.dumps(LABEL))
    clock = count(step=10.0)
    meter = Meter(max_seconds=45.0, field="labels.model", clock=lambda: next(clock))
    with pytest.raises(StageFailure, match=r"45 s were spent asking, as many as labels.model.max_seconds"):
        labels(chat_server, rows=9, meter=meter)
    assert 0 < len(chat_server.requests) < 9


def test_a_server_that_is_silent_is_not_waited_for_beyond_the_budget(chat_server):
    heard = threading.Event()
    chat_server.reply = lambda _: completion("late" if heard.wait(5) else "too late")
    with pytest.raises(StageFailure, match="max_seconds"):
        labels(chat_server, meter=Meter(max_seconds=0.2, field="labels.model"))
    heard.set()


def test_what_was_answered_before_the_budget_was_spent_is_not_asked_for_again(chat_server, tmp_path):
    chat_server.reply = lambda _: completion(json.dumps(LABEL))
    kept = tmp_path / "answers" / "k.jsonl"
    with pytest.raises(StageFailure, match="max_requests"):
        labels(chat_server, rows=5, kept=KeptReplies(kept), meter=Meter(max_requests=3))
    read, costs = labels(chat_server, rows=5, kept=KeptReplies(kept))
    assert read == [PARSED] * 5
    assert len(chat_server.requests) == 5
    assert (costs.requests, costs.prompt_tokens, costs.written_tokens) == (5, 45, 20)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"key": 3}\n', b"\xff\n", b"null\n[]\n", b'{"key": "k", "text": NaN']
)
def test_kept_answers_that_a_kill_cut_short_are_asked_for_again(chat_server, tmp_path, damage):
    chat_server.reply = lambda _: completion(json.dumps(LABEL))
    path = tmp_path / "k.jsonl"
    labels(chat_server, rows=2, kept=KeptReplies(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 9] + damage)
    assert labels(chat_server, rows=2, kept=KeptReplies(path))[0] == [PARSED] * 2
    assert labels(chat_server, rows=2, kept=KeptReplies(path))[0] == [PARSED] * 2
    assert len(chat_server.requests) <= 4


def test_an_attempt_under_another_seed_is_another_question(chat_server, tmp_path):
    chat_server.reply = lambda body: (
        (400, "no seed here") if "seed" in body else completion(json.dumps(LABEL))
    )
    for seed in (1, 2):
        with client(chat_server, kept=KeptReplies(tmp_path / "k.jsonl")) as chat:
            chat.ask(["Label it."], [seed])
    assert len(chat_server.requests) == 4


def test_the_first_failure_keeps_those_from_being_asked_that_wait(chat_server):
    chat_server.reply = lambda _: (401, "who is there")
    with pytest.raises(StageFailure, match="401"):
        labels(chat_server, rows=50, requests_at_once=2)
    assert len(chat_server.requests) <= 2


def test_a_failure_behind_a_slow_row_keeps_the_others_from_being_asked_as_well(chat_server):
    numbers, ended = count(), threading.Event()

    def reply(_):
        if next(numbers) == 0:
            ended.wait(10)
            return completion(json.dumps(LABEL))
        ended.set()
        return 401, "who is there"

    chat_server.reply = reply
    with pytest.raises(StageFailure, match="401"):
        labels(chat_server, rows=50, requests_at_once=2)
    assert len(chat_server.requests) <= 3


def test_a_name_that_is_listed_is_served_and_nothing_is_asked(chat_server):
    chat_server.models = lambda: (200, json.dumps({"data": [{"id": "m", "version": "7"}]}))
    with client(chat_server) as chat:
        chat.check_served()
        assert json.loads(chat.model_facts()) == {"id": "m", "version": "7"}
    assert not chat_server.requests


@pytest.mark.parametrize(
    "listed", [(404, "no"), (200, "<html>"), (200, json.dumps({"data": [{"id": "other"}]}))]
)
def test_a_name_that_is_not_listed_is_tried_by_one_question(chat_server, listed):
    chat_server.models = lambda: listed
    with client(chat_server) as chat:
        chat.check_served()
        chat_server.reply = lambda _: (404, '{"error": {"message": "The model `m` does not exist."}}')
        with pytest.raises(StageFailure, match="does not exist"):
            chat.check_served()


@pytest.mark.parametrize("errs_first", [True, False])
def test_a_server_that_errs_and_drops_when_it_should_list_is_not_away(chat_server, errs_first):
    asked = count(0 if errs_first else 1)

    def failing():
        if next(asked) % 2:
            raise ConnectionAbortedError
        return 500, "Internal Server Error"

    chat_server.models = failing
    with client(chat_server, attempts=2) as chat:
        chat.check_served()
        assert chat.model_facts() == ""


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_told_before_any_question(chat_server, status):
    chat_server.models = lambda: (status, "no entry")
    with client(chat_server) as chat, pytest.raises(StageFailure, match="wants a key"):
        chat.check_served()


def test_a_server_that_is_away_is_told_after_few_attempts():
    pauses = []
    with (
        ChatClient("http://127.0.0.1:9/v1", "m", 0.0, 1.0, 1, attempts=2, pause=pauses.append) as chat,
        pytest.raises(ServerAway, match="could not be reached"),
    ):
        chat.check_served()
    assert len(pauses) == 1


def test_pictures_stay_below_a_size():
    noise = Image.effect_noise((512, 512), 90).convert("RGB")
    assert small_picture_url(noise).startswith("data:image/png;base64,")
    for most in (200_000, 20_000):
        url = small_picture_url(noise, most)
        assert url.startswith("data:image/jpeg;base64,")
        assert len(url) * 3 / 4 < most + 100
    assert MOST_PICTURE_BYTES * 4 / 3 < 2**20 * 6


def test_costs_add_up():
    one, other = Costs(requests=2, written_tokens=5, seconds=1.0), Costs(requests=1, cut=1)
    assert one + other - one == other


def spelt(text):
    """A completion with the log-probabilities of its tokens, which are words with what stands before them."""
    pieces = re.findall(r"[\s\"]*[^\s\"]+|\s+$|\"", text)
    assert "".join(pieces) == text
    tokens = [
        {"token": one, "logprob": -1.0 if one.strip('" .,') in ("A", "boat") else -2.0} for one in pieces
    ]
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": tokens}}
    return 200, json.dumps({"choices": [choice]})


def confidence(server, **changes):
    with client(server, **changes) as chat:
        labeller = OpenAICompatibleLabeller(chat)
        assert isinstance(labeller, Confident)
        (written,) = labeller.label_with_confidence([PICTURE], ["<image> Label it."], [0])
        return written, confidence_in(written, kind_of("mcq").parse_label(written.text))


@pytest.mark.parametrize("form", [None, label_structure(kind_of("mcq"))], ids=["text", "structured"])
def test_a_server_that_tells_probabilities_tells_how_sure_a_label_is(chat_server, form):
    chat_server.reply = lambda _: spelt(json.dumps(LABEL) if form else TEXT)
    _, told = confidence(chat_server, structure=form)
    assert told[ANSWER_SCORE] == -1.0  # "A boat"
    assert -2.0 < told[DESCRIPTION_SCORE] < -1.0  # of "A red boat on a lake." two are sure
    assert bodies(chat_server)[0]["logprobs"] is True


def test_a_server_that_tells_none_labels_all_the_same(chat_server):
    chat_server.reply = lambda body: (400, "logprobs?") if "logprobs" in body else completion(TEXT)
    written, told = confidence(chat_server, structure=None)
    assert (written.text, told) == (TEXT, {})


def test_a_kept_answer_is_as_sure_as_it_was(chat_server, tmp_path):
    chat_server.reply = lambda _: spelt(TEXT)
    first, again = (
        confidence(chat_server, structure=None, kept=KeptReplies(tmp_path / "kept.jsonl")) for _ in range(2)
    )
    assert first == again
    assert len(chat_server.requests) == 1

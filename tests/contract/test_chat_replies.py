"""Replies as servers write them, through a real one: the letter, its probabilities, and what is odd."""

import gzip
import json
import math
from dataclasses import dataclass, field

import pytest

from blip_core.backends.chat import ChatClient
from blip_core.inference.letters import read_letter
from blip_core.inference.served import letter_chances

LIKELY = {"B": 0.6, "A": 0.3, "C": 0.06, "D": 0.04}
PROBABILITIES = [0.3, 0.6, 0.06, 0.04]
ALONE = [0.0, 1.0, 0.0, 0.0]
NONE = [0.0] * 4
NO_PROBABILITIES = "no-probabilities"


def token(text, **alternatives):
    """A token as `logprobs.content` has it; certain where no alternatives are named."""
    likely = alternatives or {text: 1.0, "x": 0.0, "y": 0.0, "z": 0.0}
    top = [{"token": one, "logprob": math.log(p) if p else -9999.0} for one, p in likely.items()]
    return {"token": text, "logprob": top[0]["logprob"], "top_logprobs": top}


def lettered(before="", after=""):
    """The token of the answer's letter, spelled with something around it, and so its alternatives."""
    return token(f"{before}B{after}", **{f"{before}{one}{after}": p for one, p in LIKELY.items()})


def completion(content, tokens=None, finish="stop", **message):
    logprobs = None if tokens is None else {"content": tokens}
    choice = {"message": {"content": content, **message}, "logprobs": logprobs, "finish_reason": finish}
    return json.dumps({"choices": [choice]})


def streamed(*deltas, finish="stop", tokens=()):
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    last = {"choices": [{"delta": {}, "finish_reason": finish, "logprobs": {"content": list(tokens)}}]}
    lines = [f"data: {json.dumps(chunk)}" for chunk in (*chunks, last)]
    return "\n\n".join([": keep alive", *lines, "data: [DONE]", ""])


THOUGHT = "It floats. A? No, B"
THINKING = [token("It"), token(" floats"), token(". A? No, "), token("B")]


@dataclass
class Case:
    body: str
    text: str
    letter: str = "B"
    chances: list = field(default_factory=lambda: PROBABILITIES)
    flags: str = ""
    headers: dict = field(default_factory=dict)


CASES = {
    "a letter": Case(completion("B", [lettered()]), "B"),
    "a letter and an end token": Case(completion("B", [lettered(), token("<|im_end|>")]), "B"),
    "a token with a space": Case(completion("B", [lettered(" ")]), "B"),
    "a byte-level space": Case(completion("B", [lettered("\u0120")]), "B"),
    "a sentencepiece space": Case(completion(" B", [lettered("\u2581")]), "B"),
    "bytes that say what a token reads": Case(
        completion("B", [{**lettered(), "token": "token_id:33", "bytes": [66]}]), "B"
    ),
    "an option": Case(
        completion("B) a boat", [lettered(), token(")"), token(" a"), token(" boat")]), "B) a boat"
    ),
    "an option as one token": Case(
        completion("(B) a boat", [lettered("(", ")"), token(" a boat")]), "(B) a boat"
    ),
    "a sentence": Case(
        completion(
            "The answer is B.", [token("The"), token(" answer"), token(" is"), lettered(" "), token(".")]
        ),
        "The answer is B.",
    ),
    "bold": Case(completion("**B**", [token("**"), lettered(), token("**")]), "**B**"),
    "boxed": Case(completion("\\boxed{B}", [token("\\"), lettered("boxed{"), token("}")]), "\\boxed{B}"),
    "JSON": Case(
        completion(
            '{"answer": "B"}', [token('{"'), token("answer"), token('":'), lettered(' "'), token('"}')]
        ),
        '{"answer": "B"}',
    ),
    "tokens that begin with thinking told apart": Case(
        completion("B", [*THINKING, token("</think>"), token("\n\n"), lettered()], reasoning_content=THOUGHT),
        "B",
    ),
    "thinking told apart without its marks": Case(
        completion("B", [*THINKING, lettered()], reasoning=THOUGHT), "B"
    ),
    "thinking told apart, of which tokens know nothing": Case(
        completion("B", [lettered()], thinking=THOUGHT), "B"
    ),
    "tokens of the thinking alone": Case(
        completion("B", THINKING, reasoning_content=THOUGHT), "B", chances=ALONE, flags=NO_PROBABILITIES
    ),
    "thinking that is hidden and ends with a mark": Case(
        completion("B", [*THINKING, token("</think>"), lettered()]), "B"
    ),
    "thinking that is hidden and does not end": Case(
        completion("B", [*THINKING, lettered()]), "B", chances=ALONE, flags=NO_PROBABILITIES
    ),
    "thinking in the text": Case(
        completion(
            f"<think>{THOUGHT}</think>\nB",
            [token("<think>"), *THINKING, token("</think>"), token("\n"), lettered()],
        ),
        "B",
    ),
    "thinking in brackets": Case(
        completion(
            f"[THINK]{THOUGHT}[/THINK]B", [token("[THINK]"), *THINKING, token("[/THINK]"), lettered()]
        ),
        "B",
    ),
    "thinking that began in the prompt": Case(
        completion(f"{THOUGHT}</think>B", [*THINKING, token("</think>"), lettered()]), "B"
    ),
    "thinking between triangles": Case(
        completion(f"◁think▷{THOUGHT}◁/think▷B"), "B", "B", ALONE, NO_PROBABILITIES
    ),
    "thinking without an end": Case(
        completion("<think>A or B? B", finish="length"), "", "", NONE, "cut-answer"
    ),
    "channels": Case(
        completion(
            f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>",
            [
                *map(token, ["<|channel|>", "analysis", "<|message|>"]),
                *THINKING,
                *map(token, ["<|end|>", "<|start|>", "assistant", "<|channel|>", "final", "<|message|>"]),
                lettered(),
                token("<|return|>"),
            ],
        ),
        "B",
    ),
    "channels without their marks": Case(
        completion(f"analysis{THOUGHT}assistantfinalB"), "B", "B", ALONE, NO_PROBABILITIES
    ),
    "the thinking channel alone": Case(
        completion("<|channel|>analysis<|message|>B it is", finish="length"), "", "", NONE, "cut-answer"
    ),
    "no probabilities": Case(completion("B"), "B", "B", ALONE, NO_PROBABILITIES),
    "probabilities of nothing": Case(completion("B", []), "B", "B", ALONE, NO_PROBABILITIES),
    "probabilities of other words": Case(
        completion("B", [token("Dog"), token("s")]), "B", "B", ALONE, NO_PROBABILITIES
    ),
    "no alternatives": Case(
        completion("B", [{"token": "B", "logprob": -0.1}]), "B", "B", ALONE, NO_PROBABILITIES
    ),
    "fewer alternatives than letters": Case(
        completion("B", [token("B", B=0.6, A=0.3)]), "B", "B", ALONE, NO_PROBABILITIES
    ),
    "alternatives without the letter": Case(
        completion("B", [token("Q", Q=0.4, R=0.3, S=0.2, T=0.1) | {"token": "B", "logprob": None}]),
        "B",
        "B",
        ALONE,
        NO_PROBABILITIES,
    ),
    "numbers that are none": Case(
        completion(
            "B",
            [
                {
                    "token": "B",
                    "logprob": math.nan,
                    "top_logprobs": [{"token": one, "logprob": math.nan} for one in "ABCD"],
                }
            ],
        ),
        "B",
        "B",
        ALONE,
        NO_PROBABILITIES,
    ),
    "an endless number among others": Case(
        completion(
            "B",
            [
                token("B", **LIKELY)
                | {
                    "top_logprobs": [
                        *token("B", **LIKELY)["top_logprobs"],
                        {"token": " A", "logprob": -math.inf},
                        {"token": " D", "logprob": math.inf},
                    ]
                }
            ],
        ),
        "B",
    ),
    "older probabilities": Case(
        json.dumps(
            {
                "choices": [
                    {
                        "message": {"content": "B"},
                        "logprobs": {
                            "tokens": [" B"],
                            "token_logprobs": [math.log(0.6)],
                            "top_logprobs": [{f" {one}": math.log(p) for one, p in LIKELY.items()}],
                        },
                    }
                ]
            }
        ),
        "B",
    ),
    "a likelier letter than the one that was written": Case(
        completion("B", [token("B", B=0.3, A=0.6, C=0.06, D=0.04)]), "B", "B", [0.6, 0.3, 0.06, 0.04]
    ),
    "two letters": Case(
        completion("A or B", [token("A", A=0.5, B=0.5, C=0.0, D=0.0), token(" or"), lettered(" ")]),
        "A or B",
        "",
        NONE,
    ),
    "words whose first token is a letter": Case(
        completion("A dog", [token("A", **LIKELY), token(" dog")]), "A dog", "", NONE
    ),
    "a refusal": Case(completion(None, refusal="I cannot help with that."), "", "", NONE, "refused"),
    "a refusal as a part": Case(
        completion([{"type": "refusal", "refusal": "I cannot help with B."}]), "", "", NONE, "refused"
    ),
    "a filter": Case(completion("", finish="content_filter"), "", "", NONE, "refused"),
    "nothing": Case(completion(""), "", "", NONE),
    "no content at all": Case(
        json.dumps({"choices": [{"message": {}, "finish_reason": "length"}]}), "", "", NONE, "cut-answer"
    ),
    "a sentence that was cut": Case(
        completion("The correct answer to", finish="length"), "The correct answer to", "", NONE, "cut-answer"
    ),
    "a letter before the cut": Case(
        completion("B. Because the", [lettered(), *map(token, [".", " Because", " the"])], "length"),
        "B. Because the",
    ),
    "parts": Case(completion([{"type": "text", "text": "B"}], [lettered()]), "B"),
    "parts with thinking": Case(
        completion(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                {"type": "text", "text": "B"},
            ],
            [*THINKING, lettered()],
        ),
        "B",
    ),
    "several choices": Case(
        json.dumps(
            {
                "choices": [
                    {"index": 1, "message": {"content": "C"}},
                    {"index": 0, "message": {"content": "B"}},
                ]
            }
        ),
        "B",
        "B",
        ALONE,
        NO_PROBABILITIES,
    ),
    "a stream": Case(
        streamed(
            {"role": "assistant"},
            {"reasoning_content": THOUGHT},
            {"content": "B"},
            {"content": "."},
            tokens=[*THINKING, lettered(), token(".")],
        ),
        "B.",
        headers={"Content-Type": "text/event-stream"},
    ),
    "another content type": Case(completion("B", [lettered()]), "B", headers={"Content-Type": "text/plain"}),
    "a byte order mark": Case("\ufeff" + completion("B", [lettered()]), "B"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_reply_gives_its_letter_with_the_probabilities_of_its_place(case, chat_server, make_examples):
    (row,) = make_examples(1)
    chat_server.reply = lambda _: (200, case.body, case.headers)
    with ChatClient(chat_server.url, "m", 0.0, 1.0, 8) as chat:
        (reply,) = chat.reply(["Which?"], [0], with_chances=True)
    chances, flags = letter_chances(reply, row)
    assert reply.text == case.text
    assert chances == pytest.approx(case.chances)
    assert " ".join(flags) == case.flags
    assert read_letter(reply.text) == case.letter


def test_a_packed_reply_is_unpacked(chat_server, make_examples):
    packed = gzip.compress(completion("B", [lettered()]).encode())
    chat_server.reply = lambda _: (200, packed, {"Content-Encoding": "gzip"})
    with ChatClient(chat_server.url, "m", 0.0, 1.0, 8) as chat:
        (reply,) = chat.reply(["Which?"], [0], with_chances=True)
    assert letter_chances(reply, *make_examples(1))[0] == pytest.approx(PROBABILITIES)

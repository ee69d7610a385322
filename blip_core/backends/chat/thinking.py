"""Telling an answer from the thinking that a model writes before it."""

import re

_NAMES = r"(?:think|thinking|thoughts?|reasoning|reflection|seed:think|longcat_think)"

# How models mark thinking, as their chat templates and cards show it: DeepSeek-R1, Qwen3 and GLM (tags),
# Magistral (brackets), Kimi (triangles), gpt-oss (channels, also with the special tokens left out), Sky-T1
# and Command A (tokens), Granite 3 (sentences).
_MARK = re.compile(
    rf"(?P<open><{_NAMES}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<\|START_THINKING\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)[^<]{0,80}<\|message\|>"
    r"|\A\s*analysis(?=[A-Z])|\A\s*Here(?: is|['’]s) my thought process:)"
    rf"|(?P<close></{_NAMES}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>final(?:[^<]|<\|constrain\|>){0,80}<\|message\|>"
    r"|assistantfinal|Here(?: is|['’]s) my response:)"
)
_END = re.compile(r"(?:(?:<\|(?:end|return|call|im_end|eot_id|endoftext|end_of_text)\|>|</s>)\s{0,8}){1,8}\Z")
CLOSING = re.compile(
    rf"(?:</{_NAMES}>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|END_THINKING|message)\|>|assistantfinal)\Z"
)
"""The end of what comes before an answer; for texts without white space."""


def is_mark(token: str) -> bool:
    """Whether a token begins or ends thinking."""
    return _MARK.fullmatch(token) is not None


def answer_place(prompt: str, written: str) -> tuple[int, int]:
    """Where the answer stands in what a model wrote after a prompt; see `answer_span`.

    The prompt may end with the mark that begins thinking.
    """
    marks = [mark for mark in _MARK.finditer(prompt) if mark["open"] and not prompt[mark.end() :].strip()]
    opening = "".join(mark["open"] for mark in marks)
    begin, end = answer_span(opening + written)
    return begin - len(opening), end - len(opening)


def answer_span(content: str) -> tuple[int, int]:
    """Where the answer stands in what a model wrote: the last piece outside of its thinking.

    Thinking that was begun and not ended holds no answer. An end without a beginning ends thinking that began
    in the prompt, as some chat templates have it.

    Returns:
        Begin and end, without white space and end tokens around; both the text's length where there is none.
    """
    pieces: list[tuple[int, int]] = []
    start, is_thinking = 0, False
    for mark in _MARK.finditer(content):
        if mark["open"] and not is_thinking:
            pieces.append((start, mark.start()))
            is_thinking = True
        elif mark["close"]:
            if not is_thinking:
                pieces.clear()
            start, is_thinking = mark.end(), False
    if not is_thinking:
        pieces.append((start, len(content)))
    trimmed = (_trimmed(content, *piece) for piece in reversed(pieces))
    return next((span for span in trimmed if span[0] < span[1]), (len(content), len(content)))


def _trimmed(content: str, start: int, end: int) -> tuple[int, int]:
    piece = _END.sub("", content[start:end].rstrip())
    begin = start + len(piece) - len(piece.lstrip())
    return begin, begin + len(piece.strip())

"""A row as one question and its answer, in words: what formats for tuning chat models hold."""

from blip_core.kinds import kind_of
from blip_core.records import OPTION_LETTERS, Example

PLACEHOLDER = "<image>"
"""Where the picture stands in a text; LLaVA and LLaMA-Factory count it in all texts of a row."""

_BY_LETTER = "Answer with the letter of the right option alone."
_DESCRIBE = "Describe the picture in one sentence."


def question_of(row: Example) -> str:
    """What is asked: the context, the question and the options by their letters, a line each."""
    kind = kind_of(row.task)
    if not kind.asks:
        return _DESCRIBE
    lines = [row.context, row.question]
    if kind.has_options:
        offered = row.options[: row.offered]
        lines += [f"{letter}. {text}" for letter, text in zip(OPTION_LETTERS, offered, strict=False)]
        lines.append(_BY_LETTER)
    return "\n".join(line for line in lines if line)


def answer_of(row: Example) -> str:
    """What is right: the letter where there are options, else the text; empty where the row does not tell."""
    return kind_of(row.task).learnt(row)


def fault(row: Example) -> str:
    """Why a row is no conversation."""
    if not answer_of(row):
        return "have no answer"
    return f"hold {PLACEHOLDER} in a text" if PLACEHOLDER in question_of(row) + answer_of(row) else ""


def unanswered(row: Example) -> str:
    """Why a row is no conversation where the picture has a place of its own."""
    return "" if answer_of(row) else "have no answer"


def turns(row: Example) -> list[dict[str, str]]:
    """The two turns as LLaVA and ShareGPT name them, the picture first."""
    return [
        {"from": "human", "value": f"{PLACEHOLDER}\n{question_of(row)}"},
        {"from": "gpt", "value": answer_of(row)},
    ]

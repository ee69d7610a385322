"""A file of decisions about rows, as people or the review page write it: JSON lines.

The first line names the rows that it is about, and may name who decided: `{"rows": DIGEST, "reviewer": "Ada",
"time": "2026-01-31T12:00:00Z"}`. Each other line decides about one row: `{"id": ..., "decision": "keep"}`,
`{"id": ..., "decision": "drop", "reason": ...}`, or `"skip"`, which decides nothing. With `keep` may stand
what takes the place of the row's own: `text` (its target), or of a question `description`, `question`,
`options` and the letter `answer`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.errors import TableError
from blip_core.kinds import kind_of
from blip_core.records import LETTERS, OPTION_LETTERS, Example
from blip_core.texts import exact

DECISIONS = ("keep", "drop", "skip")
MENDED = ("text", "description", "question", "options", "answer")
MAX_TEXT_CHARS = 10_000
SHOWN = 12
"""Characters of a digest, as catalogues show it; a file names its rows by as many at least."""

_FIELDS = {"id", "decision", "reason", "time", *MENDED}
_HEAD_FIELDS = {"rows", "reviewer", "time"}
_SHOWN_IDS = 3
_FEWEST_OPTIONS = 2

Decision = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decisions:
    """A file of decisions.

    Attributes:
        path: of the file.
        rows: digest of the rows it is about, or the beginning of it.
        reviewer: who decided; empty where the file does not say.
        by_id: what was decided of each row; those that were skipped are not there.
        lines: number of each decision's line.
    """

    path: Path
    rows: str
    reviewer: str
    by_id: Mapping[str, Decision]
    lines: Mapping[str, int]


def read_decisions(path: Path) -> Decisions:
    """Read a file of decisions.

    Raises:
        TableError: It cannot be read, or a line is no decision; names the line and the rule.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold other ends of lines
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"the decisions in {path} cannot be read: {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise TableError(f'{path} is empty; its first line names the rows it is about: {{"rows": DIGEST}}')
    head = _head(path, *numbered[0])
    by_id: dict[str, Decision] = {}
    found: dict[str, int] = {}
    for number, line in numbered[1:]:
        one = _object(path, number, line)
        if fault := _fault(one):
            raise TableError(f"{path}, line {number}: {fault}")
        if one["id"] in found:
            raise TableError(f"{path}, line {number}: {one['id']} was decided before; keep one of the lines")
        found[one["id"]] = number
        if one["decision"] != "skip":
            by_id[one["id"]] = one
    return Decisions(path, head["rows"].lower(), head.get("reviewer", "").strip(), by_id, found)


def check_about(decisions: Decisions, digest: str, ids: Collection[str]) -> None:
    """Make sure that decisions are about these rows.

    Raises:
        TableError: They are about others, or about an id that none of them has.
    """
    path = decisions.path
    if not digest.startswith(decisions.rows):
        raise TableError(
            f"{path} decides about the rows {decisions.rows[:SHOWN]}, and these are {digest[:SHOWN]}: "
            "decisions about another dataset are not taken"
        )
    unknown = sorted(decisions.lines.keys() - set(ids))
    if unknown:
        some = ", ".join(unknown[:_SHOWN_IDS])
        line = min(decisions.lines[name] for name in unknown)
        raise TableError(
            f"{path} decides about {len(unknown)} rows that are not there, such as {some} (line {line})"
        )


def mend_of(decisions: Decisions, row: Example) -> Example:
    """The row as a file of decisions mends it.

    Raises:
        TableError: What would come is no row of its kind; names file, line and rule.
    """
    one = decisions.by_id[row.id]
    if fault := mend_fault(row, one):
        raise TableError(f"{decisions.path}, line {decisions.lines[row.id]}: {fault}")
    return mend(row, one)


def is_mended(one: Decision) -> bool:
    return any(name in one for name in MENDED)


def mend(row: Example, one: Decision) -> Example:
    """A row with what a decision puts in the place of its texts; `mended` keeps the first text that went."""
    mended = replace(
        row,
        description=one.get("description", row.description),
        question=one.get("question", row.question),
        target=one.get("text") or row.target,
        answer=one.get("answer", row.answer),
    )
    if "options" in one:
        empty = [""] * max(0, len(LETTERS) - len(one["options"]))
        mended = mended.with_options([*one["options"], *empty])
    if kind_of(row.task).has_options and mended.answer:
        mended = replace(mended, target=mended.options[OPTION_LETTERS.index(mended.answer)])
    went = [
        before
        for name in ("target", "question", "description")
        if (before := getattr(row, name)) != getattr(mended, name)
    ]
    return replace(mended, mended=went[0]) if went else mended


def mend_fault(row: Example, one: Decision) -> str:
    """Why a decision cannot mend a row of this kind; empty where it can."""
    kind = kind_of(row.task)
    if "text" in one and kind.has_options:
        return (
            f"{row.id} has options, so that its right text is one of them: mend options or answer, not text"
        )
    for name in ("question", "description"):
        if name in one and not kind.asks:
            return f"{row.id} is a {kind.name} and has no {name}; mend its text"
    for name in ("options", "answer"):
        if name in one and not kind.has_options:
            return f"{row.id} is a {kind.name} and has no {name}; mend its text"
    if "options" not in one and "answer" not in one:
        return ""
    options = one.get("options", row.options[: row.offered])
    answer = one.get("answer", row.answer)
    if answer not in OPTION_LETTERS[: len(options)]:
        return (
            f"answer is {answer!r}, and {row.id} has the options {', '.join(OPTION_LETTERS[: len(options)])}"
        )
    return ""


def _head(path: Path, number: int, line: str) -> dict[str, str]:
    head = _object(path, number, line)
    unknown = sorted(head.keys() - _HEAD_FIELDS)
    if not isinstance(head.get("rows"), str) or len(head["rows"]) < SHOWN:
        raise TableError(
            f"{path}, line {number}: the first line names the rows it is about by at least {SHOWN} "
            'characters of their digest: {"rows": DIGEST}'
        )
    if unknown:
        allowed = ", ".join(sorted(_HEAD_FIELDS))
        raise TableError(f"{path}, line {number}: {unknown[0]} is not known; allowed: {allowed}")
    if not all(isinstance(value, str) for value in head.values()):
        raise TableError(f"{path}, line {number}: reviewer and time must be texts")
    if any(map(_is_unwritable, head.values())):
        raise TableError(f"{path}, line {number}: a text holds half a character or a control character")
    if fault := _time_fault(head):
        raise TableError(f"{path}, line {number}: {fault}")
    return head


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        content = strict_json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path}, line {number} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise TableError(f"{path}, line {number} must hold a JSON object")
    return content


def _fault(one: Decision) -> str:
    """What is wrong with a decision, whatever the row is."""
    checks: tuple[Callable[[Decision], str], ...] = (
        _field_fault,
        _text_fault,
        _options_fault,
        _decision_fault,
        _time_fault,
    )
    return next((fault for check in checks if (fault := check(one))), "")


def _field_fault(one: Decision) -> str:
    unknown = sorted(one.keys() - _FIELDS)
    return f"{unknown[0]} is not known; allowed: {', '.join(sorted(_FIELDS))}" if unknown else ""


def _text_fault(one: Decision) -> str:
    texts = {name: value for name, value in one.items() if name != "options"}
    if not all(isinstance(value, str) for value in texts.values()) or not one.get("id"):
        return "id and what else there is must be texts"
    if any(map(_is_unwritable, (*texts.values(), *_option_texts(one)))):
        return "a text holds half a character or a control character, which no file can keep; write it anew"
    long = next((name for name, value in texts.items() if len(value) > MAX_TEXT_CHARS), "")
    if long:
        return f"{long} has more than {MAX_TEXT_CHARS:,} characters"
    empty = next((name for name in ("question", "answer") if name in one and not one[name].strip()), "")
    return f"{empty} is empty; leave it out to keep the row's own" if empty else ""


def _option_texts(one: Decision) -> list[str]:
    options = one.get("options")
    return [text for text in options if isinstance(text, str)] if isinstance(options, list) else []


def _is_unwritable(text: str) -> bool:
    """Whether a text has lone surrogates, or control characters other than tabs and ends of lines."""
    return any("\ud800" <= char <= "\udfff" or (char < " " and char not in "\t\n\r") for char in text)


def _options_fault(one: Decision) -> str:
    if "options" not in one:
        return ""
    options = one["options"]
    if not isinstance(options, list) or not all(isinstance(text, str) for text in options):
        return "options must be a list of texts"
    if not _FEWEST_OPTIONS <= len(options) <= len(OPTION_LETTERS):
        return f"{len(options)} options; allowed: {_FEWEST_OPTIONS} to {len(OPTION_LETTERS)}"
    if not all(text.strip() and len(text) <= MAX_TEXT_CHARS for text in options):
        return f"an option is empty, or has more than {MAX_TEXT_CHARS:,} characters"
    return "two options say the same" if len({exact(text.strip()) for text in options}) < len(options) else ""


def _decision_fault(one: Decision) -> str:
    decision = one.get("decision")
    if decision not in DECISIONS:
        return f"decision is {decision!r}; allowed: {', '.join(DECISIONS)}"
    if decision == "drop" and is_mended(one):
        return "a row that is dropped has no text; leave it out, or keep the row"
    if decision == "skip" and is_mended(one):
        return "a row that is skipped has no text; leave it out, or keep the row"
    return ""


def _time_fault(one: Decision) -> str:
    try:
        datetime.fromisoformat(one.get("time", "2000-01-01"))
    except ValueError:
        return f"time is {one['time']!r}; write it as 2026-01-31T12:00:00Z"
    return ""

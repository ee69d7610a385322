"""Step: what a person decided about rows, from a file.

The first line names the rows that it is about, `{"rows": DIGEST}`; each other line decides about one:
`{"id": "...", "decision": "keep"}`, `{"id": "...", "decision": "drop", "reason": "..."}`, or
`{"id": "...", "decision": "keep", "text": "..."}`, whose text is learnt in place of the row's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.annotating.step import Context, Facts, Step, Worked, part, refuse
from blip_core.errors import TableError
from blip_core.recipes.annotations import Review
from blip_core.records import Example, Rejection

_FIELDS = {"id", "decision", "reason", "text"}
_DECISIONS = ("keep", "drop")
_SHOWN = 12  # of a digest, as catalogues show it
_SHOWN_IDS = 3


@dataclass(frozen=True, slots=True)
class Decisions:
    """A file of decisions: the digest of the rows it is about, and what was decided of each id."""

    rows: str
    by_id: Mapping[str, Mapping[str, str]]


def read_decisions(path: Path) -> Decisions:
    """Read a file of decisions.

    Raises:
        TableError: It cannot be read, or a line is no decision; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"the decisions in {path} cannot be read: {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise TableError(f'{path} is empty; its first line names the rows it is about: {{"rows": DIGEST}}')
    first = _object(path, *numbered[0])
    if first.keys() != {"rows"} or not isinstance(first["rows"], str) or len(first["rows"]) < _SHOWN:
        raise TableError(
            f"{path}, line {numbered[0][0]}: the first line names the rows it is about by at least {_SHOWN} "
            'characters of their digest: {"rows": DIGEST}'
        )
    by_id: dict[str, Mapping[str, str]] = {}
    for number, line in numbered[1:]:
        one = _object(path, number, line)
        _check(path, number, one)
        if one["id"] in by_id:
            raise TableError(f"{path}, line {number}: {one['id']} was decided before; keep one of the lines")
        by_id[one["id"]] = one
    return Decisions(first["rows"], by_id)


def check_decisions(rows: Sequence[Example], settings: Review, context: Context) -> Facts:
    """Make sure that a file of decisions is about these rows.

    Raises:
        TableError: It is about others, or decides about an id that none of them has.
    """
    path = Path(settings.path).expanduser()
    decisions = read_decisions(path)
    if not context.digest.startswith(decisions.rows.lower()):
        raise TableError(
            f"{path} decides about the rows {decisions.rows[:_SHOWN]}, and these are "
            f"{context.digest[:_SHOWN]}: decisions about another dataset are not taken"
        )
    unknown = sorted(decisions.by_id.keys() - {row.id for row in rows})
    if unknown:
        some = ", ".join(unknown[:_SHOWN_IDS])
        raise TableError(f"{path} decides about {len(unknown)} rows that are not there, such as {some}")
    return {"decisions": {name: dict(one) for name, one in decisions.by_id.items()}}


def review(rows: Sequence[Example], settings: Review, context: Context) -> Worked:
    """Keep, mend or drop rows as a person decided.

    Reasons: `dropped-by-review`, `not-reviewed`.
    """
    decided: Mapping[str, Mapping[str, str]] = context.facts["decisions"]

    def judge(row: Example) -> Example | Rejection:
        one = decided.get(row.id)
        if one is None:
            return row if settings.undecided == "keep" else refuse(row, "not-reviewed", "nobody decided")
        if one["decision"] == "drop":
            return refuse(row, "dropped-by-review", one.get("reason") or "no reason given")
        text = one.get("text", "")
        return replace(row, target=text, mended=row.target) if text and text != row.target else row

    return part(rows, judge)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        content = strict_json.loads(line)
    except ValueError as error:
        raise TableError(f"{path}, line {number} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise TableError(f"{path}, line {number} must hold a JSON object")
    return content


def _check(path: Path, number: int, one: Mapping[str, Any]) -> None:
    unknown = sorted(one.keys() - _FIELDS)
    if unknown:
        raise TableError(
            f"{path}, line {number}: {unknown[0]} is not known; allowed: {', '.join(sorted(_FIELDS))}"
        )
    if not all(isinstance(value, str) for value in one.values()) or not one.get("id"):
        raise TableError(f"{path}, line {number}: id and what else there is must be texts")
    if one.get("decision") not in _DECISIONS:
        raise TableError(f"{path}, line {number}: decision is {one.get('decision')!r}; allowed: keep, drop")
    if one["decision"] == "drop" and one.get("text"):
        raise TableError(
            f"{path}, line {number}: a row that is dropped has no text; leave it out, or keep the row"
        )


STEP = Step("review", "a person's decisions, from a file", Review, review, check_decisions)

"""Step: what a person decided about rows, from a file; see `annotating.decisions`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from blip_core.annotating.decisions import (
    SHOWN,
    Decision,
    check_about,
    mend,
    mend_of,
    read_decisions,
)
from blip_core.annotating.step import Context, Facts, Step, Worked, part, refuse
from blip_core.errors import ReviewAwaited
from blip_core.recipes.annotations import Review
from blip_core.records import Example, Rejection

DROPPED = "dropped-by-review"


def check_decisions(rows: Sequence[Example], settings: Review, context: Context) -> Facts:
    """Make sure that a file of decisions is about these rows, and mends them to rows of their kinds.

    Raises:
        ReviewAwaited: There is no file yet.
        TableError: It is about others, decides about an id that none of them has, or breaks a rule.
    """
    path = Path(settings.path).expanduser()
    if not path.exists():
        raise ReviewAwaited(
            f"nobody has decided yet about the rows {context.digest[:SHOWN]}: {path} is not there. `foundry "
            f"review {context.digest[:SHOWN]}` writes a page for them; put the file that the page writes "
            "there and run again: what is made so far is kept",
            context.digest,
            str(path),
        )
    decisions = read_decisions(path)
    check_about(decisions, context.digest, {row.id for row in rows})
    for row in rows:
        if row.id in decisions.by_id:
            mend_of(decisions, row)
    return {"decisions": {name: dict(one) for name, one in decisions.by_id.items()}}


def review(rows: Sequence[Example], settings: Review, context: Context) -> Worked:
    """Keep, mend or drop rows as a person decided.

    Reasons: `dropped-by-review`, `not-reviewed`.
    """
    decided: Mapping[str, Decision] = context.facts["decisions"]

    def judge(row: Example) -> Example | Rejection:
        one = decided.get(row.id)
        if one is None:
            return row if settings.undecided == "keep" else refuse(row, "not-reviewed", "nobody decided")
        if one["decision"] == "drop":
            return refuse(row, DROPPED, one.get("reason") or "no reason given")
        return mend(row, one)

    return part(rows, judge)


STEP = Step("review", "a person's decisions, from a file", Review, review, check_decisions)

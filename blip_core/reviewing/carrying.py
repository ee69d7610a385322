"""What people decided about earlier rows of a dataset is obeyed by its later versions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from blip_core.annotating.decisions import MENDED, Decision, Decisions, mend_fault
from blip_core.records import Example
from blip_core.reviewing.verdicts import Verdict

CARRIED = "earlier versions"


def settled(verdicts: Mapping[str, Verdict]) -> list[Decision]:
    """Verdicts as decisions that can be kept; where a disputed row is left as it was, nothing is decided."""
    return [
        {**_said(one.decision), "id": name, **({"reason": one.reason} if one.reason else {})}
        for name, one in sorted(verdicts.items())
        if one.is_drop or not one.is_disputed
    ]


def merged(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """What one review after the other comes to, row by row: what was mended stays so until it is dropped."""
    found: dict[str, Decision] = {}
    for one in decisions:
        name = str(one["id"])
        before = found.get(name, {})
        earlier = _mends(before) if one["decision"] == "keep" and before.get("decision") == "keep" else {}
        found[name] = {**earlier, **one}
    return found


def applicable(decisions: Mapping[str, Decision], rows: Mapping[str, Example]) -> Decisions:
    """As a file of decisions, those that are about some rows and can be obeyed."""
    about = {
        name: one
        for name, one in sorted(decisions.items())
        if name in rows and not mend_fault(rows[name], one)
    }
    return Decisions(Path(CARRIED), "", CARRIED, about, dict.fromkeys(about, 0))


def _said(one: Decision) -> dict[str, Any]:
    return {name: one[name] for name in ("decision", "time", *MENDED) if name in one}


def _mends(one: Decision) -> dict[str, Any]:
    return {name: one[name] for name in MENDED if name in one}

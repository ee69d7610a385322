"""What several reviewers' decisions come to, row by row: the majority's, and what becomes of a tie."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from blip_core import strict_json
from blip_core.annotating.decisions import MENDED, Decision, Decisions

Disputed = Literal["drop", "keep"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row.

    Attributes:
        decision: what the majority decided; of a disputed row what was asked to be done with it.
        by: the reviewer whose line that is.
        reason: why it is dropped; may be empty.
        is_disputed: whether as many decided otherwise.
    """

    decision: Decision
    by: str
    reason: str = ""
    is_disputed: bool = False

    @property
    def is_drop(self) -> bool:
        return bool(self.decision["decision"] == "drop")


def verdicts(files: Mapping[str, Decisions], disputed: Disputed = "drop") -> dict[str, Verdict]:
    """Sum up decisions by the reviewers' names: a row's verdict is what most of them decided alike.

    Two mended a row alike where all that they put is equal. Where as many decided otherwise the row is
    disputed, and dropped or kept as it was.
    """
    ids = sorted({name for one in files.values() for name in one.by_id})
    return {name: _verdict(name, files, disputed) for name in ids}


def _verdict(name: str, files: Mapping[str, Decisions], disputed: Disputed) -> Verdict:
    said = {who: one.by_id[name] for who, one in sorted(files.items()) if name in one.by_id}
    groups = Counter(_sameness(one) for one in said.values()).most_common()
    is_disputed = len(groups) > 1 and groups[0][1] == groups[1][1]
    if is_disputed:
        told = "; ".join(f"{who}: {one['decision']}" for who, one in said.items())
        return Verdict({"id": name, "decision": disputed}, "", f"reviewers disagree ({told})", True)
    who, one = next((who, one) for who, one in said.items() if _sameness(one) == groups[0][0])
    return Verdict(one, who, str(one.get("reason", "")))


def _sameness(one: Decision) -> str:
    """What makes two decisions one: not its reason, which people put in words of their own."""
    told: dict[str, Any] = {field: one[field] for field in ("decision", *MENDED) if field in one}
    return strict_json.dumps(told, sort_keys=True)

"""What is known of a bundled evaluation row: it was composed, so there are no stages to walk back."""

from typing import Any

from blip_core.dataset.steps import Step
from blip_core.pocket.evalset import BUNDLED, EvaluationSet, load_bundled
from blip_core.records import LETTERS

_ORIGIN = (
    "bundled set {name}: drawn from seed {seed} and composed, picture and question alike, so that its truth "
    "is exact; no writer, painter or labeller had a part in it"
)


def composed_steps(row_id: str) -> list[Step]:
    """A bundled question, or a bundled picture with its questions; nothing where there is no such id."""
    chosen = BUNDLED.get(row_id.partition("-")[0])
    if chosen is None:
        return []
    rows = load_bundled(chosen.name).to_pylist()
    asked = [row for row in rows if row["id"] == row_id]
    if asked:
        return [_question(chosen, asked[0])]
    about = [row for row in rows if row["picture_id"] == row_id]
    return _picture(chosen, about) if about else []


def composed_ids() -> list[str]:
    """Ids of all bundled questions and pictures."""
    tables = [load_bundled(name).select(["id", "picture_id"]) for name in BUNDLED]
    return sorted({text for table in tables for column in table.columns for text in column.to_pylist()})


def _question(chosen: EvaluationSet, row: dict[str, Any]) -> Step:
    facts = {
        "question": row["question"],
        "options": {letter: row[letter.lower()] for letter in LETTERS},
        "answer": row["answer"],
        "kind": row["kind"],
        **_shown(chosen, row),
    }
    return Step("composed", row["id"], facts, png=row["image"]["bytes"])


def _picture(chosen: EvaluationSet, rows: list[dict[str, Any]]) -> list[Step]:
    asked = [{"id": row["id"], "split": chosen.name, "question": row["question"]} for row in rows]
    picture_id, image = rows[0]["picture_id"], rows[0]["image"]["bytes"]
    return [
        Step("questions", picture_id, {"questions": asked}),
        Step("composed", picture_id, _shown(chosen, rows[0]), png=image),
    ]


def _shown(chosen: EvaluationSet, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "picture_id": row["picture_id"],
        "category": row["category"],
        "place": row["place"],
        "time": row["time"],
        "set": chosen.name,
        "seed": chosen.seed,
        "origin": _ORIGIN.format(name=chosen.name, seed=chosen.seed),
    }

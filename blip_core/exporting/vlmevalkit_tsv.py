"""VLMEvalKit: a TSV a split of multiple-choice questions, the pictures inside in base64.

Columns are those that its datasets of such questions have: `index` (a number), `image`, `question`, a column
a letter, `answer`, `category`; `hint` where a row has a context. It reads the file with pandas, which takes
some texts for missing values: an option "None" would not be offered, so rows with such texts are not held.
"""

import csv
from base64 import b64encode
from pathlib import Path

from blip_core.exporting.conversation import unanswered
from blip_core.exporting.form import Format, Rows, SplitRows
from blip_core.kinds import kind_of
from blip_core.records import OPTION_LETTERS, Example, most_offered

# What pandas' `read_csv` takes for a missing value unless told otherwise.
_MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"}
    | {"NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)


def fault(row: Example) -> str:
    """Why a row is no multiple-choice question that VLMEvalKit reads."""
    if not kind_of(row.task).has_options:
        return "have no options"
    texts = (row.question, *row.options[: row.offered])
    if any(text in _MISSING for text in texts):
        return "hold a text that pandas takes for a missing value (None, N/A and the like)"
    return unanswered(row)


def write(folder: Path, splits: SplitRows) -> None:
    for split, rows in splits.items():
        _write_split(folder / f"{split}.tsv", rows)


def _write_split(path: Path, rows: Rows) -> None:
    letters = OPTION_LETTERS[: most_offered(rows.texts())]
    has_hints = any(row.context for row in rows.texts())
    heads = ["index", "image", *(["hint"] if has_hints else []), "question", *letters, "answer", "category"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow([*heads, "id"])
        for number, row in enumerate(rows):
            hint = [row.context] if has_hints else []
            offered = row.options[: row.offered]
            options = [*offered, *[""] * (len(letters) - len(offered))]
            picture = b64encode(row.image).decode()
            writer.writerow(
                [number, picture, *hint, row.question, *options, row.answer, row.category, row.id]
            )


FORMAT = Format("vlmevalkit-tsv", "multiple-choice questions for VLMEvalKit, one TSV a split", fault, write)

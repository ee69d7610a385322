"""The same questions, handed in in every format that is read, get the same answers."""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blip_core.pocket.evalset import load_bundled
from blip_core.recipes import load_recipe
from blip_core.reporting.submission import submission_rows
from tests.examples import examples

ROWS = examples(60)
COLUMNS = ("index", "image", "question", "A", "B", "C", "D", "answer")


def _rows() -> list[dict]:
    rows = load_bundled("shifted").slice(0, ROWS).to_pylist()
    named = {"index": "id", "A": "a", "B": "b", "C": "c", "D": "d"}
    return [{name: row[named.get(name, name)] for name in COLUMNS} for row in rows]


def _with(picture: Callable[[dict, int], object]) -> list[dict]:
    return [row | {"image": picture(row, number)} for number, row in enumerate(_rows())]


def _delimited(path: Path, rows: list[dict], delimiter: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_csv(folder: Path) -> Path:
    def named(row: dict, number: int) -> str:
        (folder / f"{number}.png").write_bytes(row["image"]["bytes"])
        return f"{number}.png"

    return _delimited(folder / "t.csv", _with(named), ",")


def write_tsv(folder: Path) -> Path:
    first: dict[bytes, str] = {}

    def written_once(row: dict, number: int) -> str:
        data = row["image"]["bytes"]
        earlier = first.setdefault(data, row["index"])
        return base64.b64encode(data).decode() if earlier == row["index"] else earlier

    return _delimited(folder / "t.tsv", _with(written_once), "\t")


def write_jsonl(folder: Path) -> Path:
    rows = _with(lambda row, _: base64.b64encode(row["image"]["bytes"]).decode())
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "t.jsonl"


def write_parquet(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(_rows()), folder / "t.parquet")
    return folder / "t.parquet"


def write_dataset(folder: Path) -> Path:
    from datasets import Dataset

    Dataset.from_list(_rows()).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def answer(path: Path) -> tuple[list, list]:
    """What is handed in of a table, and all that is said of its rows: the stage alone, without servers."""
    from flows.predict import open_table
    from flows.variants.choosing import choose_variant
    from tasks.answer_table import answer_table, read_answers

    table, recipe = open_table(load_recipe("gallery-vqa", "pocket"), str(path), "", ())
    variant = choose_variant(recipe, "flan-t5")
    answered = answer_table.task.fn(recipe=recipe, variant=variant, table=table, adapter=None)
    rows, rejections = read_answers(answered)
    return list(submission_rows(rows, rejections)), rows


def test_the_same_rows_get_the_same_answers_from_every_format(tmp_path, home):
    said = []
    for write in (write_csv, write_tsv, write_jsonl, write_parquet, write_dataset):
        folder = tmp_path / write.__name__
        folder.mkdir()
        said.append(answer(write(folder)))

    assert len(said[0][1]) == ROWS
    assert len({row.ranked for row in said[0][1]}) > 1
    assert all(one == said[0] for one in said[1:])


@pytest.mark.filterwarnings("default")
def test_questions_of_two_to_ten_options_are_answered_side_by_side(tmp_path, home, prefect_server):
    from flows.predict import predict

    options = ["dog", "boat", "tree", "cup", "bus", "cat", "car", "ball", "horse", "lamp"]
    counts = (2, 4, 6, 10)
    rows = [
        {
            "index": f"q{number}",
            "image": base64.b64encode(row["image"]["bytes"]).decode(),
            "question": "Which of these is shown?",
            "answer": "ABCDEFGHIJ"[counts[number] - 1],
            **dict(zip("ABCDEFGHIJ", options[: counts[number]], strict=False)),
        }
        for number, row in enumerate(load_bundled("shifted").slice(0, len(counts)).to_pylist())
    ]
    with (tmp_path / "t.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["index", "image", "question", *"ABCDEFGHIJ", "answer"], delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)

    predict(str(tmp_path / "t.tsv"), str(tmp_path / "out"), variant="flan-t5")

    answers = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert [row["offered"] for row in answers] == list(counts)
    assert [row["truth"] for row in answers] == [row["answer"] for row in rows]
    for row, count in zip(answers, counts, strict=True):
        shares = [row["p_a"], row["p_b"], row["p_c"], row["p_d"], *row["p_more"]]
        assert len(shares) == max(count, 4)
        assert sum(shares[:count]) == pytest.approx(1.0)
        assert row["ranked"] in "ABCDEFGHIJ"[:count]
        assert [row["a"], row["b"], row["c"], row["d"], *row["more"]][:count] == options[:count]
        assert row["rotations_right"] <= count
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert list(scores["per_letter"]) == list("ABCDEFGHIJ")

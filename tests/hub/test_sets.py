"""Data sets of the hub become tables: at one commit, within limits, without running anything of theirs."""

import io

import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value

from blip_core.errors import CheckpointError, TableError, UserMistake
from blip_core.prefetching.hub import Hub
from blip_core.prefetching.hub_sets import Asked, fetch_set
from blip_core.recipes import load_recipe
from tasks.read_table import own_texts
from tests.hub.stand_in import Repository
from tests.unit.examples import png, world_pixels

ID = "owner/signs"
FEATURES = Features(
    {
        "image": Image(),
        "question": Value("string"),
        "a": Value("string"),
        "b": Value("string"),
        "answer": ClassLabel(names=["A", "B"]),
    }
)


def parquet(first, count=6):
    rows = [
        {
            "image": {"bytes": png(world_pixels(number)), "path": None},
            "question": f"What is number {number}?",
            "a": "a stop sign",
            "b": "a boat",
            "answer": number % 2,
        }
        for number in range(first, first + count)
    ]
    buffer = io.BytesIO()
    Dataset.from_list(rows, features=FEATURES).to_parquet(buffer)
    return buffer.getvalue()


@pytest.fixture
def signs(stand_in):
    """A data set in the hub's layout: two shards of training rows, one of test rows, a script and a card."""
    files = {
        "README.md": b"---\nconfigs:\n- config_name: default\n  data_files: ../../etc/passwd\n---\n",
        "signs.py": b"raise SystemExit('this was run')",
        "data/train-00000-of-00002.parquet": parquet(0),
        "data/train-00001-of-00002.parquet": parquet(6),
        "data/test-00000-of-00001.parquet": parquet(12),
    }
    stand_in.repositories[ID] = Repository(files, told={"cardData": {"license": "cc-by-4.0"}})
    return stand_in


@pytest.fixture
def sets(stand_in):
    return Hub(stand_in.url, kind="dataset")


def test_rows_come_at_a_commit_that_is_written_down_and_a_recipe_reads_them(signs, sets, tmp_path, told):
    found = fetch_set(sets, Asked(ID), tmp_path / "set", told)
    assert (found.rows, found.licence, found.commit) == (12, "cc-by-4.0", signs.repositories[ID].commit)
    assert "signs.py" not in signs.fetched()
    fields = ["source.kind=table", f"source.path={tmp_path / 'set' / found.table}"]
    read = own_texts(load_recipe("gallery-vqa", "pocket", fields), {})
    assert [(row.question, row.answer, row.target) for row in read.examples[:2]] == [
        ("What is number 0?", "A", "a stop sign"),
        ("What is number 1?", "B", "a boat"),
    ]
    assert read.examples[0].image == png(world_pixels(0))


def test_a_second_call_asks_for_nothing_and_one_for_other_rows_is_refused(signs, sets, tmp_path, told):
    first = fetch_set(sets, Asked(ID), tmp_path / "set", told)
    signs.down = True
    assert fetch_set(sets, Asked(ID), tmp_path / "set", told) == first
    with pytest.raises(UserMistake, match="other rows were asked for"):
        fetch_set(sets, Asked(ID, split="test"), tmp_path / "set", told)


def test_no_more_is_fetched_than_the_rows_that_are_asked_for_need(signs, sets, tmp_path, told):
    found = fetch_set(sets, Asked(ID, rows=4), tmp_path / "set", told)
    assert (found.rows, list(found.files)) == (4, ["data/train-00000-of-00002.parquet"])
    assert pq.read_metadata(tmp_path / "set" / found.table).num_rows == 4


def test_cuts_are_mended_and_files_that_are_there_are_not_fetched_again(signs, sets, tmp_path, told):
    fetch_set(sets, Asked(ID, rows=6), tmp_path / "set", told)
    for name in ("hub.json", "rows.parquet"):  # as a kill leaves it
        (tmp_path / "set" / name).unlink()
    signs.asked.clear()
    signs.cuts["data/train-00001-of-00002.parquet"] = [2_000, 1_000]
    assert fetch_set(sets, Asked(ID), tmp_path / "set", told).rows == 12
    assert set(signs.fetched()) == {"data/train-00001-of-00002.parquet"}


@pytest.mark.parametrize(
    ("asked", "told_of"),
    [
        ({"megabytes": 0}, "goes beyond the 0 MB"),
        ({"split": "validation"}, "no file .* of the split 'validation': it has data/test"),
        ({"config": "german"}, "below german"),
    ],
)
def test_what_is_not_there_or_too_large_is_one_sentence(signs, sets, tmp_path, told, asked, told_of):
    with pytest.raises(UserMistake, match=told_of):
        fetch_set(sets, Asked(ID, **asked), tmp_path / "set", told)


def test_a_set_that_is_a_script_and_one_of_several_configurations_are_refused(stand_in, sets, tmp_path, told):
    stand_in.repositories["owner/script"] = Repository({"script.py": b"raise SystemExit"})
    with pytest.raises(UserMistake, match="made by a script, which is never run"):
        fetch_set(sets, Asked("owner/script"), tmp_path / "one", told)
    both = {f"{name}/train-00000-of-00001.parquet": parquet(0, 1) for name in ("de", "en")}
    stand_in.repositories["owner/both"] = Repository(both)
    with pytest.raises(UserMistake, match=r"several configurations \(de, en\); name one"):
        fetch_set(sets, Asked("owner/both"), tmp_path / "two", told)
    assert fetch_set(sets, Asked("owner/both", config="en"), tmp_path / "two", told).rows == 1


def test_a_set_or_revision_that_there_is_not_and_files_that_are_none_are_told(signs, sets, tmp_path, told):
    with pytest.raises(CheckpointError, match="has no dataset owner/none"):
        fetch_set(sets, Asked("owner/none"), tmp_path / "a", told)
    with pytest.raises(CheckpointError, match="no revision v9"):
        fetch_set(sets, Asked(ID, revision="v9"), tmp_path / "b", told)
    signs.repositories["owner/odd"] = Repository({"train.parquet": b"no parquet", "train.txt": b""})
    with pytest.raises(TableError, match="is no Parquet file"):
        fetch_set(sets, Asked("owner/odd"), tmp_path / "c", told)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.jsonl", b'{"question": "What?", "a": "x"}\n{"question": "Who?", "a": "y"}\n'),
        ("train.csv", b"question,a\nWhat?,x\nWho?,y\n"),
        ("data/train/part.tsv", b"question\ta\nWhat?\tx\nWho?\ty\n"),
    ],
)
def test_tables_of_text_are_read_as_what_they_are(stand_in, sets, tmp_path, told, name, content):
    stand_in.repositories[ID] = Repository({name: content})
    found = fetch_set(sets, Asked(ID, rows=1), tmp_path / "set", told)
    assert (found.rows, found.columns) == (1, ["question", "a"])


def test_a_file_that_would_lie_outside_of_the_folder_is_not_written(stand_in, sets, tmp_path, told):
    stand_in.repositories[ID] = Repository({"../../train.parquet": parquet(0, 1)})
    with pytest.raises(UserMistake, match="outside of itself"):
        fetch_set(sets, Asked(ID), tmp_path / "deep" / "set", told)
    assert not list(tmp_path.rglob("*.parquet"))

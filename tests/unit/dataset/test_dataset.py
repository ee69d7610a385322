from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from blip_core.curation import GateCount, GateSample
from blip_core.dataset import assign_splits, read_split, taught, write_dataset
from blip_core.dataset.origin import UsedCheckpoint
from blip_core.errors import EmptyDataset, TableError
from blip_core.recipes import load_recipe
from blip_core.records import SPLITS, Example, Rejection
from blip_core.store import read_rows
from tests.unit.examples import example, png, world_pixels

SIZES = ["dataset.rows_per_shard=20", "dataset.rows_per_group=8", "dataset.test_share=0.2"]
RECIPE = load_recipe("gallery-vqa", overrides=SIZES)
JUDGED_ON_SPLIT = load_recipe("gallery-vqa", overrides=['evaluation={kind="split"}'])
REJECTIONS = [Rejection("x-q0", "labels", "missing-answer", ""), Rejection("y", "pictures", "blank", "")]
PROVENANCE = {"labels": {"model": "pocket/llava", "revision": None}, "licence": "MIT"}


def rows(count: int) -> list[Example]:
    return [example(number, image=png(world_pixels(number))) for number in range(count)]


def write(folder: Path, examples: list[Example], recipe=RECIPE, **changes):
    shares = (recipe.dataset.validation_share, recipe.dataset.test_share)
    splits = changes.pop("splits", assign_splits(examples, *shares, {}))
    return write_dataset(folder, examples, REJECTIONS, splits, recipe, PROVENANCE, **changes)


def test_load_dataset_gives_three_splits_with_decoded_pictures(tmp_path: Path):
    counts = write(tmp_path / "set", rows(60))

    loaded = load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))

    assert {name: len(split) for name, split in loaded.items()} == counts["splits"]
    assert set(loaded) == {"train", "validation", "test"}
    first = loaded["train"][0]
    assert (np.asarray(first["image"]) == world_pixels(int(first["group"][-5:]))).all()


def test_few_rows_leave_splits_empty_and_the_dataset_still_loads(tmp_path: Path):
    counts = write(tmp_path / "set", rows(1), splits={rows(1)[0].id: "train"})

    loaded = load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))

    assert counts["splits"] == {"train": 1, "validation": 0, "test": 0}
    assert {name: len(split) for name, split in loaded.items()} == {"train": 1}
    assert read_split(tmp_path / "set", "test") == []


def test_rows_come_back_as_they_were(tmp_path: Path):
    examples = rows(60)
    write(tmp_path, examples)

    found = [row for split in ("train", "validation", "test") for row in read_split(tmp_path, split)]

    assert sorted(found, key=lambda row: row.id) == examples


def test_contexts_come_back_where_one_row_has_one_and_take_no_column_where_none_has(tmp_path: Path):
    plain = rows(20)
    hinted = [replace(row, context="a hint" if place == 3 else "") for place, row in enumerate(plain)]
    for name, examples in (("plain", plain), ("hinted", hinted)):
        write(tmp_path / name, examples)
        found = [row for split in SPLITS for row in read_split(tmp_path / name, split)]
        assert sorted(found, key=lambda row: row.id) == examples
        files = (tmp_path / name / "data").iterdir()
        assert {"context" in pq.read_schema(path).names for path in files} == {name == "hinted"}
    loaded = load_dataset(str(tmp_path / "hinted"), cache_dir=str(tmp_path / "cache"))
    assert all("context" in split.column_names for split in loaded.values())


def test_files_and_row_groups_have_the_sizes_of_the_recipe(tmp_path: Path):
    write(tmp_path, rows(60))

    files = sorted((tmp_path / "data").glob("train-*"))
    assert files[0].name == f"train-00000-of-{len(files):05d}.parquet"
    metadata = pq.read_metadata(files[0])
    assert [metadata.row_group(i).num_rows for i in range(3)] == [8, 8, 4]


def test_the_order_in_which_rows_arrive_does_not_change_a_byte(tmp_path: Path):
    write(tmp_path / "a", rows(30))
    write(tmp_path / "b", rows(30)[::-1])

    for path in (path for path in (tmp_path / "a").rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_rejections_are_kept_and_counted(tmp_path: Path):
    counts = write(tmp_path, rows(30))

    assert counts["rejected"] == {"blank": 1, "missing-answer": 1}
    assert read_rows(tmp_path / "rejects.parquet", Rejection) == REJECTIONS


def test_a_row_that_bridges_splits_becomes_a_rejection(tmp_path: Path):
    examples = rows(3)
    counts = write(tmp_path, examples, splits={row.id: "train" for row in examples[:2]})

    assert counts["rejected"]["bridges-splits"] == 1
    assert counts["rows"] == 2


def test_the_card_tells_splits_reasons_provenance_licence_and_samples(tmp_path: Path):
    examples = [example(0, image=png(world_pixels(0)), question="Is <it> a|b?"), *rows(30)[1:]]
    write(tmp_path, examples, splits={row.id: "train" for row in examples})

    card = (tmp_path / "README.md").read_text()

    assert "configs:\n- config_name: default" in card
    assert "| train | 30 |" in card
    assert "| labels | missing-answer | 1 |" in card
    assert "pocket/llava" in card
    assert "## Licence\n\nMIT" in card
    assert "&lt;it> a\\|b?" in card


def test_the_card_counts_questions_and_pictures_and_tells_the_funnel_and_the_balance(tmp_path: Path):
    one = example(0, image=png(world_pixels(0)))
    examples = [one, replace(one, id="again", question="And now?"), *rows(12)[1:]]
    short = GateSample("x", "What <b>?", "a frog", "too-short: 1 word")
    gates = (
        GateCount("lengths", 15, 2, "short texts", {"too-short": 2}, (short,)),
        GateCount("near_duplicates", 13, 0, kept_samples=(GateSample("y", "What?", "a bus"),)),
    )
    checkpoints = (UsedCheckpoint("labels", "llava-hf/llava", "1a2b", "Llama 2"),)
    split = {row.id: "train" for row in examples}
    write(tmp_path, examples, splits=split, gates=gates, checkpoints=checkpoints)

    card = (tmp_path / "README.md").read_text()

    assert "13 questions about 12 pictures" in card
    assert "| lengths | 15 | 2 | 13 | short texts |" in card
    assert "| near_duplicates | 13 | 0 | 13 |" in card
    assert "| lengths | x | What &lt;b>? | a frog | too-short: 1 word |" in card
    assert "| y | What? | a bus |" in card
    assert "with 4 options: A 4, B 3, C 3, D 3 (chi-square against equal shares: p = 0.97)" in card
    assert "| labels | llava-hf/llava | 1a2b | Llama 2 |" in card


def test_captions_are_counted_as_such(tmp_path: Path):
    caption = {"task": "caption", "question": "", "answer": "", **dict.fromkeys("abcd", "")}
    examples = [replace(row, target=f"a frog, {row.id}", **caption) for row in rows(3)]
    recipe = RECIPE.model_copy(update={"task": "caption"})
    write(tmp_path, examples, recipe, splits={row.id: "train" for row in examples})

    assert "3 captions of 3 pictures" in (tmp_path / "README.md").read_text()


def test_nothing_to_train_on_is_told_with_counts_by_reason(tmp_path: Path):
    with pytest.raises(EmptyDataset, match=r"train is empty.*blank 1, missing-answer 1"):
        write(tmp_path, [])


def test_a_test_split_that_is_judged_on_must_have_rows(tmp_path: Path):
    examples = rows(3)

    with pytest.raises(EmptyDataset, match="test is empty"):
        write(tmp_path, examples, JUDGED_ON_SPLIT, splits={row.id: "train" for row in examples})


def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path):
    with pytest.raises(TableError, match=str(tmp_path)):
        read_split(tmp_path, "train")


def test_a_missing_file_of_a_split_is_noticed(tmp_path: Path):
    write(tmp_path, rows(60))
    (tmp_path / "data" / sorted(path.name for path in (tmp_path / "data").glob("train-*"))[0]).unlink()

    with pytest.raises(TableError, match="missing or surplus"):
        read_split(tmp_path, "train")


def test_of_several_right_texts_one_is_learnt_or_each():
    told = example(0, target="a bus", references=("a red bus", "a bus", "a bus"))
    plain = example(1, target="a tram")
    assert taught([told, plain], "first") == [told, plain]
    rows = taught([told, plain], "each")
    assert [(row.id, row.target) for row in rows] == [
        (told.id, "a bus"),
        (f"{told.id}-r1", "a red bus"),
        (plain.id, "a tram"),
    ]

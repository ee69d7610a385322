"""Stages that read what somebody hands in: what they leave behind, and when they are worked again."""

import csv
from pathlib import Path

import numpy as np
import pytest

from blip_core.dataset import read_split
from blip_core.errors import RecipeError, TableError
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import SPLITS, Picture, Rejection
from blip_core.store import read_rows
from tasks import paint_pictures, read_pictures, read_table
from tasks.rows import REJECTIONS
from tasks.stage import metadata_of, path_of
from tests.hostile.files import animated
from tests.unit.examples import png, world_pixels

PICTURES = 12
QUESTIONS = ("What stands here?", "What lies behind it?", "What is it made of?")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Pictures, and a table with three questions about each; one more row names no picture."""
    folder = tmp_path / "album"
    folder.mkdir()
    rows = []
    for number in range(PICTURES):
        (folder / f"{number}.png").write_bytes(png(world_pixels(number)))
        for question in QUESTIONS:
            options = dict(zip("abcd", ("wood", "a frog", "the sea", "paper"), strict=True))
            answer = "abcd"[len(rows) % 4]
            rows.append({"image": f"{number}.png", "question": question, **options, "answer": answer})
    rows.append(rows[0] | {"image": "absent.png"})
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def recipe_of(*overrides: str) -> Recipe:
    return load_recipe("gallery-vqa", "pocket", overrides)


def table_recipe(album: Path, *overrides: str) -> Recipe:
    return recipe_of("source.kind=table", f"source.path={album / 't.csv'}", *overrides)


def folder_recipe(album: Path, *overrides: str) -> Recipe:
    return recipe_of("source.kind=folder", f"source.path={album}", *overrides)


def test_a_table_becomes_a_dataset_with_its_refused_rows(album):
    dataset = read_table.read_table.task.fn(table_recipe(album))

    splits = {split: read_split(path_of(dataset), split) for split in SPLITS}
    kept = [row for rows in splits.values() for row in rows]
    rejects = read_rows(path_of(dataset) / "rejects.parquet", Rejection)
    assert dataset.rows == len(kept)
    assert len(kept) + len(rejects) == PICTURES * len(QUESTIONS) + 1
    assert {row.reason for row in rejects if row.stage == "table"} == {"unreadable-picture"}
    assert all(row.target == row.options["ABCD".index(row.answer)] for row in kept)
    assert "t.csv" not in (path_of(dataset) / "README.md").read_text()


def test_questions_about_one_picture_stay_in_one_split(album):
    dataset = read_table.read_table.task.fn(table_recipe(album, "dataset.test_share=0.4"))

    where = [(row.picture_id, split) for split in SPLITS for row in read_split(path_of(dataset), split)]
    assert len(set(where)) == len({picture for picture, _ in where})
    assert len({split for _, split in where}) > 1


@pytest.mark.parametrize("make", [table_recipe, folder_recipe])
def test_pictures_are_read_each_once_as_painted_ones_rest(make, album):
    extra = ["source.questions=labeller"] if make is table_recipe else []
    pictures = read_pictures.read_pictures.task.fn(make(album, *extra))

    rows = read_rows(path_of(pictures) / paint_pictures.FILE, Picture)
    assert len(rows) == PICTURES
    assert len({row.id for row in rows}) == len({row.sha256 for row in rows}) == PICTURES
    repeated = PICTURES * (len(QUESTIONS) - 1)
    refused = {} if make is folder_recipe else {"repeated-picture": repeated, "unreadable-picture": 1}
    assert metadata_of(pictures)["refused"] == refused
    assert len(read_rows(path_of(pictures) / REJECTIONS, Rejection)) == sum(refused.values())


def test_the_same_content_elsewhere_has_the_same_keys(album):
    def keys(folder: Path) -> list[str]:
        asked = table_recipe(folder, "source.questions=labeller")
        return [
            read_table.key(table_recipe(folder)),
            read_pictures.key(asked),
            read_pictures.key(folder_recipe(folder)),
        ]

    first = keys(album)
    assert len(set(first)) == len(first)
    (album.parent / "moved").mkdir()
    moved = album.rename(album.parent / "moved" / album.name)
    assert keys(moved) == first


def test_a_folder_of_another_name_has_pictures_of_another_category(album):
    before = read_pictures.key(folder_recipe(album))
    assert read_pictures.key(folder_recipe(album.rename(album.parent / "other"))) != before


def test_a_changed_picture_changes_every_key(album):
    recipes = [table_recipe(album), folder_recipe(album)]
    before = read_table.key(recipes[0]), read_pictures.key(recipes[1])
    (album / "3.png").write_bytes(png(world_pixels(99)))
    after = read_table.key(recipes[0]), read_pictures.key(recipes[1])
    assert not set(before) & set(after)


def test_how_answers_are_read_is_told_by_recipe_manifest_and_card_and_is_in_the_key(album):
    lines = (album / "t.csv").read_text().splitlines()
    numbered = [line[:-1] + str(1 + "abcd".index(line[-1]) % 3) for line in lines[1:]]
    (album / "t.csv").write_text("\n".join([lines[0], *numbered]))
    with pytest.raises(TableError, match="--answers from-zero or --answers from-one"):
        read_table.read_table.task.fn(table_recipe(album))

    told = [table_recipe(album, f"source.answers={way}") for way in ("from-zero", "from-one")]
    assert len(set(map(read_table.key, told))) == 2
    dataset = read_table.read_table.task.fn(told[1])
    assert metadata_of(dataset)["answers"]["read_as"] == "from-one"
    card = (path_of(dataset) / "README.md").read_text()
    assert "| answers | read as places of options, counted from 1, as told |" in card


def test_gates_and_shares_change_the_dataset_alone(album):
    plain, gated = table_recipe(album), table_recipe(album, "curation.letter_balance.enabled=false")
    assert read_table.key(plain) != read_table.key(gated)
    assert read_pictures.key(plain) == read_pictures.key(gated)


def test_a_table_that_favours_a_letter_can_be_shuffled(album):
    lines = (album / "t.csv").read_text().splitlines()
    (album / "t.csv").write_text("\n".join([lines[0], *(f"{line[:-1]}a" for line in lines[1:])]))

    favours, shuffled = table_recipe(album), table_recipe(album, "source.shuffle_options=true")
    dataset = read_table.read_table.task.fn(shuffled)

    rows = read_split(path_of(dataset), "train")
    assert len({row.answer for row in rows}) == 4
    assert {row.target for row in rows} == {"wood"}
    assert read_table.key(favours) != read_table.key(shuffled)
    assert read_table.key(shuffled) != read_table.key(
        table_recipe(album, "source.shuffle_options=true", "seed=1")
    )


def test_a_table_of_which_most_is_broken_stops_the_stage_with_a_summary(album):
    for number in range(PICTURES // 2 + 1):
        (album / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(TableError, match=r"22 of 37 rows cannot be used.*unreadable-picture 22"):
        read_table.read_table.task.fn(table_recipe(album))


@pytest.mark.parametrize("stage", [read_table, read_pictures])
def test_a_source_that_holds_nothing_to_read_is_refused(stage):
    with pytest.raises(RecipeError, match=r"source\.kind is 'prompts'"):
        stage.key(recipe_of())


def drawing(number: int) -> np.ndarray:
    """Black strokes on white, uint8 (96, 96, 3): most of the picture is empty."""
    rng = np.random.default_rng(number)
    pixels = np.full((96, 96, 3), 255, dtype=np.uint8)
    for _ in range(3):
        row, column, length = rng.integers(8, 60, size=3)
        pixels[row, column : column + length // 2] = 0
        pixels[row : row + length // 2, column] = 0
    return pixels


def test_drawings_on_white_are_neither_blank_nor_all_alike(album):
    for number in range(PICTURES):
        (album / f"{number}.png").write_bytes(png(drawing(number)))

    dataset = read_table.read_table.task.fn(table_recipe(album, "curation.letter_balance.enabled=false"))

    rejects = read_rows(path_of(dataset) / "rejects.parquet", Rejection)
    assert {row.reason for row in rejects} <= {"unreadable-picture", "bridges-splits"}
    assert dataset.rows > PICTURES * len(QUESTIONS) // 2


def test_what_is_odd_about_a_folder_is_counted_in_its_summary(album):
    (album / "moving.gif").write_bytes(animated("GIF"))
    (album / "__MACOSX").mkdir()
    (album / "__MACOSX" / "._0.png").write_bytes(b"fork")
    (album / "pointer.png").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    )

    told = metadata_of(read_pictures.read_pictures.task.fn(folder_recipe(album)))

    assert told["flagged"] == {"first-of-several": 1}
    assert told["refused"] == {"git-lfs-pointer": 1}
    assert told["left_out"] == {"mac-fork": 1, "no-picture": 1}  # the table that lies there, too


def test_what_is_odd_about_the_pictures_of_a_table_is_counted_in_its_summary(album):
    (album / "0.png").write_bytes(animated("PNG"))

    told = [
        metadata_of(read_table.read_table.task.fn(table_recipe(album))),
        metadata_of(read_pictures.read_pictures.task.fn(table_recipe(album, "source.questions=labeller"))),
    ]

    assert [one["flagged"] for one in told] == [{"first-of-several": 3}, {"first-of-several": 1}]


@pytest.mark.parametrize(("task", "make"), [(read_table, table_recipe), (read_pictures, folder_recipe)])
def test_what_changes_while_it_is_read_is_not_kept_under_its_old_key(task, make, album, monkeypatch):
    recipe = make(album)
    stage = getattr(task, task.__name__.rpartition(".")[2]).task.fn
    keys = iter(["dataset-old", "dataset-new"])
    monkeypatch.setattr(task, "key", lambda recipe: next(keys))
    with pytest.raises(TableError, match="changed while it was read; run again"):
        stage(recipe)

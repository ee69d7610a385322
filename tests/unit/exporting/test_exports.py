"""Each format, read back by the library that it is for or as its documentation says."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import webdataset
from datasets import load_dataset
from PIL import Image
from pycocotools.coco import COCO

from blip_core.dataset import write_dataset
from blip_core.errors import EmptyDataset, PlaceError, TableError, UserMistake
from blip_core.exporting import export, format_names, format_of
from blip_core.exporting import webdataset as shards
from blip_core.recipes import load_recipe
from blip_core.records import Example
from tests.unit.examples import example, png, world_pixels

RECIPE = load_recipe("gallery-vqa", overrides=["dataset.rows_per_shard=5", "dataset.rows_per_group=2"])
HOSTILE = '</script>\t"quoted"\nline two \u2028 \u202eright to left,= 2'
COUNT = 12


def questions(**changes: object) -> list[Example]:
    """Twelve questions about six pictures."""
    return [
        replace(
            example(number, image=png(world_pixels(number // 2))), picture_id=f"p{number // 2}", **changes
        )
        for number in range(COUNT)
    ]


def captions(texts: tuple[str, ...] = ("a red kite", "a kite in the sky")) -> list[Example]:
    blank = dict.fromkeys(("a", "b", "c", "d", "question", "answer", "description"), "")
    return [replace(row, task="caption", target=texts[0], references=texts, **blank) for row in questions()]


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def dataset(folder: Path, rows: list[Example]) -> Path:
    splits = {row.id: "test" if place % 4 == 3 else "train" for place, row in enumerate(rows)}
    write_dataset(folder, rows, [], splits, RECIPE, {})
    return folder


def exported(tmp_path: Path, to: str, rows: list[Example], **asked: object) -> Path:
    out = tmp_path / "out"
    export(dataset(tmp_path / "set", rows), format_of(to), out, **asked)
    return out


def same_picture(data: bytes, row: Example) -> bool:
    return bool((pixels(data) == pixels(row.image)).all())


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("to", ["llava", "sharegpt"])
def test_conversations_name_each_picture_once_and_end_with_the_right_letter(tmp_path: Path, to: str):
    rows = questions(context=HOSTILE)
    out = exported(tmp_path, to, rows)

    samples = json.loads((out / "train.json").read_text()) + json.loads((out / "test.json").read_text())

    by_id = {row.id: row for row in rows}
    assert sorted(one["id"] for one in samples) == sorted(by_id)
    assert len(list((out / "images").iterdir())) == len({row.picture_id for row in rows})
    for one in samples:
        human, gpt = one["conversations"]
        row = by_id[one["id"]]
        assert (human["from"], gpt["from"], gpt["value"]) == ("human", "gpt", row.answer)
        assert human["value"].count("<image>") == 1
        assert human["value"].startswith("<image>\n" + HOSTILE)
        assert "\nA. a frog\nB. a bus\nC. a kite\nD. a cake\n" in human["value"]
        path = out / "images" / one["image"] if to == "llava" else out / one["images"][0]
        assert same_picture(path.read_bytes(), row)


def test_llama_factory_finds_every_split_in_its_description(tmp_path: Path):
    out = exported(tmp_path, "sharegpt", captions())

    described = json.loads((out / "dataset_info.json").read_text())

    assert set(described) == {"train", "test"}
    for one in described.values():
        loaded = load_dataset(
            "json", data_files=str(out / one["file_name"]), cache_dir=str(tmp_path / "cache")
        )
        turns = loaded["train"][0][one["columns"]["messages"]]
        assert turns[1] == {"from": "gpt", "value": "a red kite"}
        assert (out / loaded["train"][0][one["columns"]["images"]][0]).is_file()


def test_messages_for_trl_have_as_many_places_as_pictures(tmp_path: Path):
    rows = questions()
    out = exported(tmp_path, "trl", rows)

    loaded = load_dataset(str(out), cache_dir=str(tmp_path / "cache"))

    assert {name: len(split) for name, split in loaded.items()} == {"train": 9, "test": 3}
    first = loaded["train"][0]
    user, assistant = first["messages"]
    assert [part["type"] for part in user["content"]] == ["image", "text"]
    assert (user["role"], assistant["role"]) == ("user", "assistant")
    assert assistant["content"][0]["text"] == rows[0].answer
    assert (np.asarray(first["images"][0]) == world_pixels(0)).all()


def test_pandas_reads_questions_of_vlmevalkit_as_they_were(tmp_path: Path):
    rows = questions(c="", d="")[:2] + [
        replace(row, question=HOSTILE, more=("a hen",)) for row in questions()[2:]
    ]
    rows = [replace(row, answer="AB"[place % 2]) for place, row in enumerate(rows)]
    out = exported(tmp_path, "vlmevalkit-tsv", rows, splits=["train"])

    read = pd.read_csv(out / "train.tsv", sep="\t")

    assert [*read.columns] == ["index", "image", "question", *"ABCDE", "answer", "category", "id"]
    by_id = {row.id: row for row in rows}
    assert len(set(read["index"])) == len(read) == 9
    for _, line in read.iterrows():
        row = by_id[line["id"]]
        offered = [line[letter] for letter in "ABCDE" if not pd.isna(line[letter])]
        assert tuple(offered) == row.options[: row.offered]
        assert (line["question"], line["answer"], line["category"]) == (
            row.question,
            row.answer,
            row.category,
        )
        assert len(line["image"]) > 64  # shorter ones are numbers of other rows
        assert same_picture(base64.b64decode(line["image"]), row)


@pytest.mark.parametrize("text", ["None", "N/A", "nan", "NULL"])
def test_an_option_that_pandas_takes_for_missing_is_not_lost_silently(tmp_path: Path, text: str):
    with pytest.raises(UserMistake, match=r"1 of 12 rows.*missing value.*nature-00000"):
        exported(tmp_path, "vlmevalkit-tsv", [replace(questions()[0], b=text), *questions()[1:]])


def test_webdataset_reads_pictures_and_texts_of_all_shards(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(shards, "ROWS_PER_SHARD", 4)
    rows = [replace(row, scores={"clip": 0.5}, attributes={"colour": HOSTILE}) for row in questions()]
    rows[0] = replace(rows[0], id="../../etc/a.b")
    out = exported(tmp_path, "webdataset", rows)

    names = [str(path) for path in sorted(out.glob("train-*.tar"))]
    read = list(webdataset.WebDataset(names, shardshuffle=False).decode("pil"))

    assert len(names) == 3
    by_id = {row.id: row for row in rows}
    assert len({one["__key__"] for one in read}) == len({one["json"]["id"] for one in read}) == 9
    for one in read:
        row = by_id[one["json"]["id"]]
        assert (np.asarray(one["png"]) == np.asarray(Image.open(io.BytesIO(row.image)))).all()
        assert one["json"]["attributes"] == [{"name": "colour", "value": HOSTILE}]


def test_pycocotools_finds_every_caption_of_a_picture(tmp_path: Path, capsys):
    out = exported(tmp_path, "coco-captions", captions(), splits=["train"])

    coco = COCO(str(out / "captions_train.json"))
    results = [{"image_id": number, "caption": "x"} for number in coco.getImgIds()]

    assert len(coco.getImgIds()) == 6
    for number in coco.getImgIds():
        texts = [one["caption"] for one in coco.loadAnns(coco.getAnnIds(imgIds=[number]))]
        assert texts == ["a red kite", "a kite in the sky"]  # two rows of a picture say them once
        entry = coco.loadImgs([number])[0]
        with Image.open(out / "images" / entry["file_name"]) as image:
            assert image.size == (entry["width"], entry["height"])
    assert sorted(coco.loadRes(results).getImgIds()) == sorted(coco.getImgIds())


def test_questions_give_their_descriptions_to_coco(tmp_path: Path):
    out = exported(tmp_path, "coco-captions", questions())
    told = json.loads((out / "captions_test.json").read_text())
    assert {one["caption"] for one in told["annotations"]} == {"a frog in the park at noon"}


@pytest.mark.parametrize(
    ("to", "rows", "why"),
    [
        ("vlmevalkit-tsv", captions(), "12 have no options"),
        (
            "llava",
            [*questions()[1:], replace(questions()[0], a="<image> of a frog")],
            "1 hold <image> in a text",
        ),
        ("sharegpt", questions(answer=""), "12 have no answer"),
        ("coco-captions", questions(description=""), "12 have no text that describes"),
    ],
)
def test_rows_that_a_format_cannot_hold_stop_it_before_anything_is_written(tmp_path: Path, to, rows, why):
    with pytest.raises(UserMistake, match=why):
        exported(tmp_path, to, rows)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_rows_that_a_format_cannot_hold_are_left_out_and_counted_where_asked(tmp_path: Path):
    mixed = [*captions()[:5], *questions()[5:]]
    done = export(dataset(tmp_path / "set", mixed), format_of("vlmevalkit-tsv"), tmp_path / "out", skip=True)
    assert (done.rows, done.skipped) == ({"train": 5, "test": 2}, {"have no options": 5})
    assert len(pd.read_csv(tmp_path / "out" / "test.tsv", sep="\t")) == 2


def test_nothing_is_written_where_no_row_is_left_or_a_named_split_is_empty(tmp_path: Path):
    folder = dataset(tmp_path / "set", captions())
    with pytest.raises(EmptyDataset, match="12 have no options"):
        export(folder, format_of("vlmevalkit-tsv"), tmp_path / "out", skip=True)
    with pytest.raises(EmptyDataset, match="validation"):
        export(folder, format_of("llava"), tmp_path / "out", splits=["validation"])
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("to", format_names())
def test_equal_rows_give_equal_bytes_and_a_full_place_is_left_alone(tmp_path: Path, to: str):
    folder = dataset(tmp_path / "set", questions())
    for name in ("one", "two"):
        export(folder, format_of(to), tmp_path / name)
    one, two = (bytes_of(tmp_path / name) for name in ("one", "two"))
    assert one
    assert one == two
    with pytest.raises(PlaceError, match="not empty"):
        export(folder, format_of(to), tmp_path / "one")


def test_no_more_than_a_row_group_of_pictures_is_read_at_a_time(tmp_path: Path, monkeypatch):
    folder = dataset(tmp_path / "set", questions())
    sizes: list[int] = []
    read = pq.ParquetFile.read_row_group

    def watched(self, *args, **asked):
        table = read(self, *args, **asked)
        sizes.append(table.num_rows)
        return table

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched)
    monkeypatch.setattr(pq.ParquetFile, "read", None)
    for to in format_names():
        export(folder, format_of(to), tmp_path / to)
    assert max(sizes) == RECIPE.dataset.rows_per_group


def test_a_folder_from_elsewhere_need_not_have_all_splits(tmp_path: Path):
    folder = dataset(tmp_path / "set", questions())
    for path in (folder / "data").iterdir():
        if not path.name.startswith("train"):
            path.unlink()
    assert export(folder, format_of("llava"), tmp_path / "out").rows == {"train": 9}
    for path in (folder / "data").iterdir():
        path.unlink()
    with pytest.raises(TableError, match="holds no split"):
        export(folder, format_of("llava"), tmp_path / "none")


def test_an_unknown_format_is_told_with_those_there_are():
    with pytest.raises(UserMistake, match=r"alpaca.*coco-captions, llava, sharegpt, trl"):
        format_of("alpaca")

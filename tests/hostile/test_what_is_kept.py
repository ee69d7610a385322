"""What strangers and models write can be kept, shown and put into prompts, and nothing else."""

from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.backends.scripted import ScriptedLabeller, ScriptedPainter, ScriptedWriter
from blip_core.dataset import write_dataset
from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.labelling import label_pictures
from blip_core.painting import paint_pictures, picture_prompt
from blip_core.recipes import load_recipe
from blip_core.recipes.labels import Labels
from blip_core.recipes.pictures import Pictures
from blip_core.records import (
    LABEL_SCHEMA,
    MAX_DETAIL_CHARS,
    REJECTION_SCHEMA,
    SCENE_SCHEMA,
    Label,
    Rejection,
    Scene,
    sum_up,
)
from blip_core.scenes import write_scenes
from blip_core.sources.pictures import outside_picture
from blip_core.store import read_rows, write_rows
from tests.hostile.files import encoded, noise
from tests.hostile.texts import BIDI, ESCAPE, INJECTION, LABEL, LINK, MARKUP, NUL, SURROGATE
from tests.unit.examples import example, png, world_pixels

RECIPE = load_recipe("gallery-vqa")
NASTY = {
    "surrogate": f"half {SURROGATE} a character",
    "nul": f"a dog{NUL}cat",
    "bidi": f"a dog {BIDI}tac",
    "escape": f"{ESCAPE} a dog",
    "markup": MARKUP,
    "link": LINK,
    "injection": INJECTION,
    "placeholder": "{question} {0} {scene.__class__} {{}} %s",
    "image token": "<image> <image> </s> <pad> <|endoftext|>",
    "halves": "dog \ud83d\udc15 \ufffe \ufeff\u200d",
}


def write_and_read(path: Path, rows: list, schema, record) -> list:
    write_rows(path, rows, schema)
    return read_rows(path, record)


@pytest.mark.parametrize("kind", NASTY)
def test_labels_and_refusals_of_any_text_come_back_from_parquet(kind: str, tmp_path: Path):
    nasty = NASTY[kind]
    texts = [
        LABEL.replace("A brown dog", nasty).replace("the ball", nasty).replace("Blue", nasty),
        LABEL.replace("Answer: A", f"Answer: {nasty}"),
        nasty,
    ]
    scenes = [Scene(f"x-{number}", "x", "A dog runs.", 0, 1) for number in range(3)]
    pictures, _ = paint_pictures(ScriptedPainter(cycle([noise()])), scenes, Pictures(), seed=0)
    settings = Labels(prompt="<image>", retries=0)

    labels, refused = label_pictures(ScriptedLabeller(texts), pictures, settings, seed=0)

    assert (len(labels), len(refused)) == (1, 2)
    assert write_and_read(tmp_path / "labels.parquet", labels, LABEL_SCHEMA, Label) == labels
    assert write_and_read(tmp_path / "refused.parquet", refused, REJECTION_SCHEMA, Rejection) == refused


@pytest.mark.parametrize("kind", NASTY)
def test_scenes_of_any_text_come_back_from_parquet(kind: str, tmp_path: Path):
    settings = RECIPE.scenes.model_copy(update={"count": 1})
    texts = [f"1. A dog near {NASTY[kind]} runs.\n2. {NASTY[kind]}"]

    scenes, _ = write_scenes(ScriptedWriter(cycle(texts)), settings, seed=0)

    assert write_and_read(tmp_path / "scenes.parquet", scenes, SCENE_SCHEMA, Scene) == scenes


@given(st.text(), st.text())
def test_any_rejection_can_be_kept_printed_and_read_again(name: str, detail: str):
    rejection = Rejection(name, "any", "any-reason", detail)

    assert rejection.id.isprintable()
    assert rejection.detail.isprintable()
    assert Rejection(**rejection.to_row()) == rejection


def test_a_megabyte_of_detail_is_cut():
    assert len(Rejection("x", "any", "too-long", "d" * 2**20).detail) == MAX_DETAIL_CHARS


def test_a_summary_counts_reasons_most_frequent_first_with_an_example_of_each():
    refused = [
        Rejection("p1", "s", "blank", "grey"),
        *[Rejection(n, "s", "cut", n * 2) for n in ("p2", "p3")],
    ]

    assert sum_up(refused) == "cut 2, such as p2 (p2p2); blank 1, such as p1 (grey)"


@pytest.mark.parametrize("kind", NASTY)
def test_what_a_row_says_stands_in_the_prompts_as_it_is(kind: str):
    nasty = NASTY[kind]
    row = example(0, question=nasty, a=nasty, b="{description}")

    asked = describe_prompt(RECIPE.inference, row)
    answered = answer_prompt(RECIPE.inference, row, description=nasty)

    assert asked.count(nasty) == 1
    assert answered.count(nasty) == 3
    assert "B. {description}\n" in answered


@pytest.mark.parametrize("kind", NASTY)
def test_a_scene_stands_in_the_prompt_of_its_picture_as_it_is(kind: str):
    scene = Scene("x-0", "x", NASTY[kind], 0, 1)

    assert picture_prompt(scene, Pictures(prompt="A photo of {scene}.")) == f"A photo of {NASTY[kind]}."


@pytest.mark.parametrize("kind", ["markup", "link", "injection", "placeholder", "image token"])
def test_the_card_of_a_dataset_shows_texts_and_no_markup(kind: str, tmp_path: Path):
    rows = [example(0, image=png(world_pixels(0)), description=NASTY[kind], question=f"| {NASTY[kind]} |")]

    write_dataset(tmp_path, rows, [], {rows[0].id: "train"}, RECIPE, {})

    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    sample = next(line for line in card.splitlines() if line.startswith(f"| {rows[0].id} "))
    assert "<" not in sample
    assert "](" not in sample.replace("\\](", "")
    assert sample.replace("\\|", "").count("|") == 6


def test_a_picture_in_a_file_that_is_also_something_else_loses_the_rest_when_it_becomes_a_row():
    picture = outside_picture(encoded(noise(), "JPEG") + MARKUP.encode(), "x", "any")

    assert MARKUP.encode() not in picture.png

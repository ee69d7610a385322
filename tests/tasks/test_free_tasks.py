"""Captions and free answers from a table or a folder to the answers of a tuned model, stage by stage."""

import pytest

from blip_core.backends.scripted import ScriptedLabeller
from blip_core.dataset import read_split
from blip_core.recipes import load_recipe
from blip_core.store import read_rows
from blip_core.wiring import check_can_run, workplace
from tasks import answer_table, build_dataset, label_pictures, predict_variant, read_pictures, read_table
from tasks import tune_adapter as tuning
from tasks.stage import path_of
from tests.unit.examples import png, world_pixels

ROWS = 16
PROMPTS = {"caption": "a photo of", "vqa": "Question: {question} Answer:"}
TABLES = {
    "caption": ("image,caption", "{n}.png,a picture of thing {n}"),
    "vqa": ("image,question,answer", "{n}.png,Which number is this?,number {n}"),
}
LABELS = {
    "caption": "Description: a picture of {n} things",
    "vqa": "Question: How many are there?\nAnswer: {n} things",
}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(ROWS):
        (folder / f"{number}.png").write_bytes(png(world_pixels(number)))
    return folder


def recipe_of(task, source, base, *more):
    fields = [
        *(f"task={task}", "stages=1", "findings=[]", "evaluation.kind=split", "dataset.test_share=0.3"),
        *(f"source={source}", f"inference.answer_prompt='{PROMPTS[task]}'", "inference.circular=false"),
        *("inference.ablations=[]", "inference.quantisation=none", "inference.max_new_tokens=6"),
        *(f"finetune.base={base}", "finetune.quantisation=none", "finetune.epochs=2"),
        *("finetune.batch_size=4", "finetune.describe_share=0.0", "curation.lengths.min_words=1"),
        *("curation.near_duplicates.enabled=false", "labels.per_picture=1", "inference.dense=never"),
    ]
    return load_recipe("gallery-vqa", "pocket", [*fields, *more])


def tuned_answers(recipe, dataset):
    """What the tuned variant says of the test rows."""
    adapter = tuning.tune_adapter.task.fn(recipe=recipe, dataset=dataset)
    carrying = next(variant for variant in recipe.variants if variant.adapter)
    said = predict_variant.predict_variant.task.fn(
        recipe=recipe, variant=carrying, dataset=dataset, adapter=adapter
    )
    return predict_variant.read_predictions(said)


@pytest.mark.parametrize("task", TABLES)
@pytest.mark.parametrize("family", ["t5", "opt"])
def test_a_table_is_learnt_from_and_answered_in_words(task, family, album, tiny_blip2):
    head, line = TABLES[task]
    table = album / "table.csv"
    table.write_text("\n".join([head, *(line.format(n=n) for n in range(ROWS))]))
    recipe = recipe_of(task, f"{{kind='table', path='{table}'}}", tiny_blip2(family))
    check_can_run(recipe)

    dataset = read_table.read_table.task.fn(recipe=recipe)
    rows = read_split(path_of(dataset), "test")
    said = tuned_answers(recipe, dataset)

    assert [(one.id, one.task, one.target) for one in said] == [(row.id, task, row.target) for row in rows]
    assert {(one.ranked, one.truth, one.offered) for one in said} == {("", "", 0)}
    assert len(rows) > 1


@pytest.mark.parametrize("task", TABLES)
def test_a_folder_is_labelled_for_the_task_of_the_recipe(task, album, tiny_blip2, monkeypatch):
    source = f"{{kind='folder', path='{album}'}}"
    recipe = recipe_of(task, source, tiny_blip2("t5"))
    check_can_run(recipe)
    texts = [LABELS[task].format(n=number) for number in range(ROWS)]
    monkeypatch.setattr(label_pictures, "build_labeller", lambda _: ScriptedLabeller(texts))

    pictures = read_pictures.read_pictures.task.fn(recipe=recipe)
    labels = label_pictures.label_pictures.task.fn(recipe=recipe, pictures=pictures)
    dataset = build_dataset.build_dataset.task.fn(recipe=recipe, pictures=pictures, labels=labels)

    rows = [row for split in ("train", "validation", "test") for row in read_split(path_of(dataset), split)]
    assert {row.task for row in rows} == {task}
    assert sorted(row.target for row in rows) == sorted(
        f"{'a picture of ' if task == 'caption' else ''}{number} things" for number in range(ROWS)
    )
    card = (path_of(dataset) / "README.md").read_text()
    assert recipe.kind.rows_are.capitalize() in card
    assert recipe.kind.hub_category in card


def test_labels_of_another_task_are_not_taken_for_those_of_four_options(album, tiny_blip2):
    source = f"{{kind='folder', path='{album}'}}"
    keys = set()
    pictures = read_pictures.read_pictures.task.fn(recipe=recipe_of("vqa", source, tiny_blip2("t5")))
    for task in TABLES:
        keys.add(label_pictures.key(recipe_of(task, source, tiny_blip2("t5")), pictures))
    four = load_recipe("gallery-vqa", "pocket", [f"source={source}"])
    assert len(keys | {label_pictures.key(four, pictures)}) == 3


def test_a_folder_of_pictures_is_captioned_and_each_stands_under_its_path(album, tiny_blip2):
    (album / "deep").mkdir()
    (album / "deep" / "x, y.png").write_bytes(png(world_pixels(99)))
    recipe = recipe_of("caption", f"{{kind='folder', path='{album}'}}", tiny_blip2("t5"))
    from flows.predict import open_table

    table, asking = open_table(recipe, str(album), "", [])
    base = next(variant for variant in recipe.variants if variant.name == "flan-t5")
    ref = answer_table.answer_table.task.fn(recipe=asking, variant=base, table=table, adapter=None)
    rows, refused = answer_table.read_answers(ref)

    assert {row.id for row in rows} == {"deep/x, y.png", *(f"{number}.png" for number in range(ROWS))}
    assert {(row.task, row.ranked) for row in rows} == {("caption", "")}
    assert refused == []
    assert read_rows(workplace().store.find(ref.key).path / answer_table.FILE, type(rows[0])) == rows


@pytest.mark.parametrize(
    ("head", "columns", "task"),
    [
        ("image,question", [], "vqa"),
        ("image,question,answer", [], "vqa"),
        ("image,caption", [], "caption"),
        ("image,question,kind of question", ["options="], "vqa"),
        ("image,question,a,b,c,d", [], "mcq"),
    ],
)
def test_what_is_handed_in_tells_how_it_is_asked(head, columns, task, album):
    from flows.predict import open_table

    table = album / "table.csv"
    table.write_text(f"{head}\n0.png{',x' * head.count(',')}\n")
    gallery = load_recipe("gallery-vqa", "pocket")
    assert open_table(gallery, str(table), "", columns)[1].task == task

"""Annotation steps over rows: what each leaves behind, what is counted, and when it is worked again."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from blip_core.backends.scripted import ScriptedLabeller, ScriptedScorer
from blip_core.dataset import read_split
from blip_core.errors import EmptyDataset
from blip_core.inference import answer
from blip_core.modeling import attach_adapter, load_blip2, save_adapter
from blip_core.ports import no_progress
from blip_core.recipes import Checkpoint, Recipe, Variant, load_recipe
from blip_core.recipes.annotations import Draft
from blip_core.recipes.finetune import Adapter
from blip_core.records import SPLITS, Example, Rejection
from blip_core.store import read_rows
from blip_core.wiring import workplace
from blip_core.wiring.variants import load_variant
from tasks import annotate_rows, collect_rows, curate_rows, read_pictures
from tasks.collect_rows import FILE
from tasks.rows import REJECTIONS
from tasks.stage import metadata_of, path_of
from tasks.tune_adapter import ADAPTER
from tests.unit.examples import png, world_pixels

PICTURES = 12
MATCH = '{step = "match", model = "pocket/clip", texts = ["target"], min_score = 0.4}'
ATTRIBUTES = (
    '{step = "attributes", model = "pocket/clip", banks = [{name = "colour", words = ["red", "blue"]}], '
    'writes = "{target} in {colour}"}'
)
DRAFT = '{step = "draft", writes = "target"}'
CAPTIONS = ("task=caption", "stages=1", "inference.answer_prompt=a photo of", "inference.circular=false")
SETTINGS = (
    *CAPTIONS,
    "inference.ablations=[]",
    "finetune.describe_share=0.0",
    "finetune.own_description_share=0.0",
    "finetune.batch_size=2",
    "evaluation.kind=split",
    "dataset.test_share=0.3",
    "curation.near_duplicates.enabled=false",
)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))


class LastDigit(ScriptedScorer):
    """Scores every text of a picture by how many were shown before it: 0, 0.1, to 0.9, and again."""

    def score(self, pictures, texts):
        before = len(self.calls)
        self.calls += texts
        return [[(before + place) % 10 / 10] * len(asked) for place, asked in enumerate(texts)]


@pytest.fixture
def models(monkeypatch):
    """What was loaded, none of it real; checkpoints are told by their names."""
    loaded: list[str] = []

    def scorer(recipe, checkpoint):
        loaded.append(checkpoint.id)
        return LastDigit([])

    def labeller(recipe, annotation, adapter):
        loaded.append("labeller")
        return ScriptedLabeller(f"a thing that is number {number}" for number in range(PICTURES))

    monkeypatch.setattr("blip_core.wiring.annotating._scorer", scorer)
    monkeypatch.setattr("blip_core.wiring.annotating._labeller", labeller)
    monkeypatch.setattr("blip_core.wiring.annotating.checkpoint_identity", lambda checkpoint: checkpoint.id)
    return loaded


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(PICTURES):
        (folder / f"{number:02d}.png").write_bytes(png(world_pixels(number)))
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        writer.writerows([f"{number:02d}.png", f"a nice thing {number}"] for number in range(PICTURES))
        writer.writerow(["absent.png", "a nice thing"])
    return folder


@pytest.fixture
def known_models(monkeypatch):
    monkeypatch.setattr(
        "blip_core.recipes.checkpoint.POCKET_MODELS",
        ("writer", "painter", "llava", "blip2-opt", "blip2-t5", "clip"),
    )


@pytest.fixture
def table(album, known_models):
    def recipe(*steps: str, more: tuple[str, ...] = ()) -> Recipe:
        source = ("source.kind=table", f"source.path={album / 't.csv'}")
        return load_recipe(
            "gallery-vqa", "pocket", [*SETTINGS, *source, f"annotations=[{', '.join(steps)}]", *more]
        )

    return recipe


def annotated(recipe: Recipe, **inputs):
    rows = collect_rows.collect_rows.task.fn(recipe, **inputs)
    for step in recipe.steps:
        rows = annotate_rows.annotate_rows.task.fn(recipe, step, rows)
    return rows


def test_a_table_goes_through_steps_and_becomes_a_dataset_that_counts_what_each_refused(table, models):
    recipe = table(MATCH, ATTRIBUTES)
    rows = annotated(recipe)
    dataset = curate_rows.curate_rows.task.fn(recipe, rows)

    told = metadata_of(dataset)
    assert told["steps"] == [
        {"step": "match", "seen": 12, "kept": 6, "refused": 6},
        {"step": "attributes", "seen": 6, "kept": 6, "refused": 0},
    ]
    assert told["rejected"]["no-text-matches"] == 6
    rejects = read_rows(path_of(dataset) / "rejects.parquet", Rejection)
    assert {(one.stage, one.reason) for one in rejects} >= {
        ("match", "no-text-matches"),
        ("table", "unreadable-picture"),
    }
    kept = [row for split in SPLITS for row in read_split(path_of(dataset), split)]
    assert all(row.attributes["colour"] in ("red", "blue") and row.target.endswith(" in red") for row in kept)
    assert all(0.4 <= row.scores["match-target"] <= 0.9 for row in kept)
    card = (path_of(dataset) / "README.md").read_text()
    assert "step match" in card
    assert "kept 6 of 12 rows" in card


def test_datasets_reads_what_steps_found(table, models):
    from datasets import load_dataset

    recipe = table(ATTRIBUTES)
    dataset = curate_rows.curate_rows.task.fn(recipe, annotated(recipe))
    row = load_dataset(str(path_of(dataset)), split="train")[0]
    assert row["attributes"] == [{"name": "colour", "value": "red"}]
    assert [one["name"] for one in row["scores"]] == ["colour", "colour-margin"]


def test_pictures_that_a_model_describes_first_are_not_labelled(album, known_models, models):
    recipe = load_recipe(
        "gallery-vqa",
        "pocket",
        [*SETTINGS, "source.kind=folder", f"source.path={album}", f"annotations=[{DRAFT}]"],
    )
    assert not recipe.asks_labeller
    pictures = read_pictures.read_pictures.task.fn(recipe)
    rows = annotated(recipe, pictures=pictures)

    made = read_rows(path_of(rows) / FILE, Example)
    assert [row.target for row in made][:2] == ["a thing that is number 0", "a thing that is number 1"]
    assert models == ["labeller"]


@pytest.mark.parametrize(
    "prompt", ["###Human: <image> Look. ###Assistant:", "<image>Which one is in the park?"]
)
def test_the_adapter_of_an_earlier_phase_drafts_with_the_picture_where_the_prompt_says(
    table, tiny_blip2, prompt
):
    base = tiny_blip2("opt")
    step = Draft(step="draft", by="first", prompt=prompt, max_new_tokens=6, batch_size=5, writes="target")
    recipe = table(more=(f"finetune.base={base}", "inference.quantisation=none"))
    recipe = recipe.model_copy(update={"annotations": (step,)})

    def tune(folder: Path) -> dict[str, Any]:
        bundle = attach_adapter(load_blip2(base), Adapter(preset="projection"), seed=0)
        with torch.no_grad():
            for parameter in filter(lambda one: one.requires_grad, bundle.model.parameters()):
                parameter.normal_(std=5.0)
        save_adapter(bundle, folder / ADAPTER, Checkpoint(id=str(base)))
        return {}

    adapter = workplace().store.publish("adapter-of-first", "adapter", tune).ref()
    rows = collect_rows.collect_rows.task.fn(recipe)
    asked = read_rows(path_of(rows) / FILE, Example)
    drafted = annotate_rows.annotate_rows.task.fn(recipe, "draft", rows, adapter)

    def said(folder: Path | None) -> list[str]:
        variant = Variant(name="any", role="base", model=recipe.finetune.base)
        asking = recipe.inference.model_copy(update={"answer_prompt": prompt, "max_new_tokens": 6})
        answers = answer(load_variant(recipe, variant, folder), asked, asking, "any", no_progress)
        return [" ".join(one.generated.split()) for one in answers.predictions]

    written = [row.target for row in read_rows(path_of(drafted) / FILE, Example)]
    assert written == said(path_of(adapter) / ADAPTER)
    assert written != said(None)


def test_a_step_is_worked_again_where_what_decides_it_changes_and_else_not(table, models):
    recipe = table(MATCH)
    first = annotated(recipe)
    assert annotated(recipe) == first
    assert models == ["pocket/clip"]
    lower = table(MATCH.replace("0.4", "0.3"))
    assert annotated(lower).key != first.key
    rows = collect_rows.collect_rows.task.fn(recipe)
    keys = {annotate_rows.key(one, "match", rows) for one in (recipe, lower, table(MATCH, more=("seed=5",)))}
    assert len(keys) == 3
    with_adapter = annotate_rows.key(recipe, "match", rows, rows)
    assert with_adapter not in keys


def test_rejections_of_earlier_steps_are_kept_with_later_ones(table, models):
    rows = annotated(table(MATCH, MATCH.replace("0.4", "0.3")))
    refused = read_rows(path_of(rows) / REJECTIONS, Rejection)
    assert {one.stage for one in refused} == {"table", "match", "match-2"}
    assert metadata_of(rows)["steps"][1]["step"] == "match-2"


def test_a_step_that_refuses_all_rows_says_why(table, models):
    with pytest.raises(EmptyDataset, match=r"the step match refused all of its 12 rows: no-text-matches 12"):
        annotated(table(MATCH.replace("0.4", "0.99")))


def test_rows_too_few_for_one_batch_are_told_with_what_took_them(table, models):
    recipe = table(MATCH, more=("finetune.batch_size=8",))
    rows = annotated(recipe)
    with pytest.raises(EmptyDataset, match=r"6 rows left.* takes 8 .*the step match kept 6 of 12; the gate"):
        curate_rows.curate_rows.task.fn(recipe, rows)


def test_captions_that_all_say_the_same_are_refused(table, models):
    recipe = table(ATTRIBUTES.replace("{target} in {colour}", "a thing that is {colour}"))
    with pytest.raises(EmptyDataset, match=r"all 12 captions .* say the same, 'a thing that is red'"):
        curate_rows.curate_rows.task.fn(recipe, annotated(recipe))

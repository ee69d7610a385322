"""Captions and free answers, as somebody runs them: from a table to measures, a finding and texts."""

import csv

import pytest

from tests.unit.examples import png, world_pixels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

LEARNT, JUDGED = 12, 6
TABLES = {
    "caption": ("image,caption", "{n}.png,a picture of thing {n}", "a photo of", "cider"),
    "vqa": ("image,question,answer", "{n}.png,What is picture {n}?,a thing", "{question}", "vqa-accuracy"),
}


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(LEARNT + JUDGED):
        (folder / f"{number}.png").write_bytes(png(world_pixels(number)))
    return folder


@pytest.fixture
def models(doubles) -> list[str]:
    """The doubles' overrides that name models and sizes, not rows."""
    rows = ("scenes.", "source.", "evaluation.", "labels.")
    return [override for override in doubles if not override.startswith(rows)]


def write_recipe(task, album):
    """A recipe as somebody writes it, beside the two tables that it names."""
    head, line, prompt, measure = TABLES[task]
    for name, numbers in (("learn", range(LEARNT)), ("judge", range(LEARNT, LEARNT + JUDGED))):
        (album / f"{name}.csv").write_text("\n".join([head, *(line.format(n=n) for n in numbers)]))
    path = album / f"{task}.toml"
    path.write_text(f"""
schema_version = 1
name = "own-{task}"
title = "Own {task}"
task = "{task}"
source = {{ kind = "table", path = "{album}/learn.csv" }}
evaluation = {{ kind = "table", path = "{album}/judge.csv" }}
inference = {{ answer_prompt = "{prompt}" }}
dataset = {{ validation_share = 0.2, test_share = 0.0 }}
curation = {{ near_duplicates = {{ enabled = false }}, lengths = {{ min_words = 1 }} }}
variants = [{{ name = "flan-t5", role = "base" }}, {{ name = "finetuned", role = "base", adapter = true }}]

[[findings]]
name = "tuning-helps"
measure = "{measure}"
a = "flan-t5"
b = "finetuned"
expect = "more"
""")
    return path


@pytest.mark.parametrize("task", TABLES)
def test_a_table_ends_in_measures_and_a_finding_and_pictures_in_texts(task, home, models, album, tmp_path):
    from flows.pipeline import pipeline
    from flows.predict import predict

    recipe, measure = str(write_recipe(task, album)), TABLES[task][3]
    summary = pipeline(recipe=recipe, overrides=models)
    (finding,) = summary["findings"]
    assert (finding["measure"], finding["n"]) == (measure, JUDGED)
    assert {"finetuned", "flan-t5"} == set(summary["variants"])

    handed_in = album if task == "caption" else album / "judge.csv"
    answered = predict(str(handed_in), str(tmp_path / "out"), recipe=recipe, overrides=models)
    with (tmp_path / "out" / "submission.csv").open(newline="") as file:
        texts = [row["answer"] for row in csv.DictReader(file)]
    assert len(texts) == answered["answered"] == (LEARNT + JUDGED if task == "caption" else JUDGED)
    assert (answered["scores"] is None) == (task == "caption")

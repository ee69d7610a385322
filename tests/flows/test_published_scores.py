"""Recipes that answer a published set without tuning, through the whole command on pocket-sized models."""

import json
from pathlib import Path

import pytest

from blip_core.errors import TableError
from tests.published_sets import asked_rows, write_gqa, write_vqa

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

SETS = {
    "vqav2": (write_vqa, "vqa-accuracy", 0.631),
    "okvqa": (lambda root, rows: write_vqa(root, rows, prefix=""), "vqa-accuracy-lemmas", 0.407),
    "gqa": (write_gqa, "gqa-accuracy", 0.442),
}


@pytest.mark.parametrize("layout", SETS)
def test_ten_rows_in_the_native_files_end_beside_the_published_scores(layout, home, tmp_path):
    from flows.pipeline import pipeline

    write, measure, published = SETS[layout]
    root = write(tmp_path / layout, asked_rows(10))
    summary = pipeline(recipe=f"{layout}-zero-shot", overrides=[f"evaluation.path={root}"])

    of_opt, of_t5 = summary["published"]
    assert (of_t5["variant"], of_t5["measure"], of_t5["published"]) == ("flan-t5", measure, published)
    assert of_t5["n"] == 10
    assert of_t5["measured"] == pytest.approx(summary["variants"]["flan-t5"]["measures"][measure])
    assert of_t5["difference"] == pytest.approx(of_t5["measured"] - published)
    assert (of_opt["published_of"], of_opt["measured_of"]) == (
        "Salesforce/blip2-opt-2.7b",
        "pocket/blip2-opt",
    )
    assert summary["dataset"] is None
    assert summary["adapter"] is None
    assert "Published and measured" in (page := Path(summary["report"])).read_text()
    assert json.loads(page.with_name("scores.json").read_text())["published"] == summary["published"]


def test_a_set_with_a_missing_picture_stops_before_anybody_answers(home, tmp_path):
    from flows.pipeline import pipeline

    root = write_vqa(tmp_path / "vqav2", asked_rows(10))
    gone = sorted((root / "val2014").iterdir())[0]
    gone.unlink()
    with pytest.raises(TableError, match=rf"{gone.name}.* is no file.*every row of vqav2 is judged"):
        pipeline(recipe="vqav2-zero-shot", overrides=[f"evaluation.path={root}"])

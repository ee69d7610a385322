"""Several seeds side by side: what a person and a program read of them."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from blip_core import strict_json
from blip_core.reporting.pooled import Pooled, pooled_sentences, pooled_variants, show_pooled
from blip_core.scoring.pooling import PooledFinding


@pytest.fixture
def pooled(summary, finding):
    by_seed = (finding(), finding(holds=False, difference=0.01), finding())
    other = replace(
        summary,
        variants={**summary.variants, "finetuned": replace(summary.variants["finetuned"], value=0.663)},
    )
    runs = (summary, other, summary)
    found = PooledFinding("tuning-helps", by_seed, 0.02, finding(difference=0.037))
    return Pooled("gallery-vqa", "pocket", (0, 1, 2), runs, (found,), pooled_variants(runs))


def test_the_table_shows_each_seed_and_all_together(pooled):
    console = Console(file=io.StringIO(), width=200)
    show_pooled(console, pooled)
    said = console.file.getvalue()
    line = next(line for line in said.splitlines() if line.startswith("tuning-helps"))
    assert line.split()[1:9] == ["✓", "+5.1", "✗", "+1.0", "✓", "+5.1", "✓", "+3.7"]
    assert "+3.7 points (95 % +3.0 to +7.2)" in said
    variant = next(line for line in said.splitlines() if line.startswith("finetuned"))
    assert variant.split()[2:] == ["76.3", "66.3", "76.3", "73.0", "5.8"]


@pytest.mark.parametrize("name", ["color-is-told-by-enhancing", "material-is-told-by-enhancing"])
def test_no_name_of_a_finding_is_cut_on_a_usual_terminal(pooled, name):
    console = Console(file=io.StringIO(), width=80)
    show_pooled(console, replace(pooled, findings=(replace(pooled.findings[0], name=name),)))
    line = next(line for line in console.file.getvalue().splitlines() if line.startswith(name))
    assert line.split()[7:9] == ["✓", "+3.7"]


def test_a_sentence_says_in_how_many_seeds_a_finding_holds(pooled):
    (said,) = pooled_sentences(pooled)
    assert said.startswith("✓ tuning-helps holds pooled, and in 2 of 3 seeds. ")
    assert "seeds spread by 2.0 points" in said


def test_the_object_is_json_with_every_seed(pooled):
    told = strict_json.loads(strict_json.dumps(pooled.to_dict()))
    (found,) = told["findings"]
    assert told["seeds"] == [0, 1, 2]
    assert [one["holds"] for one in found["by_seed"]] == [True, False, True]
    assert (found["holding"], found["pooled"]["difference"]) == (2, 0.037)
    assert len(told["runs"]) == 3


def test_a_recipe_without_findings_still_shows_its_scores(pooled):
    console = Console(file=io.StringIO(), width=200)
    show_pooled(console, replace(pooled, findings=()))
    assert "nothing to pool" in console.file.getvalue()
    assert "finetuned" in console.file.getvalue()


def test_a_variant_that_a_seed_lacks_is_a_gap(pooled):
    fewer = replace(pooled.runs[0], variants={})
    (gap, *_) = pooled_variants((fewer, *pooled.runs))["baseline"].values
    assert gap is None

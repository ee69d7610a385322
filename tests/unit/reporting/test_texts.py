"""What people see of variants that wrote texts: their measure in its own unit, and nothing of letters."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from blip_core.recipes import load_recipe
from blip_core.records import Prediction
from blip_core.reporting import from_scores, show_ladder, summarise_comparisons, summarise_variants
from blip_core.reporting.ladder_table import ladder_cells
from blip_core.scoring import judge_run
from tests.unit.examples import example, png, world_pixels
from tests.unit.judged_rows import report_of

TEXTS = ("a red bus on a street", "two dogs in a park", "a bowl of soup", "a man on a boat at sea")
FEW = 200  # resamples


def written(variant, right, task, of=24):
    empty = dict.fromkeys(("p_a", "p_b", "p_c", "p_d"), 0.0) | {"ranked": "", "truth": "", "offered": 0}
    empty |= {"generated_letter": "", "description": "", "variant": variant, "task": task}
    targets = [TEXTS[number % len(TEXTS)] for number in range(of)]
    return [
        Prediction(
            id=f"q{number}",
            picture_id=f"p{number}",
            category=("food", "travel")[number % 2],
            kind="",
            generated=target if number < right else "<b>something</b> else",
            target=target,
            **empty,
        )
        for number, target in enumerate(targets)
    ]


def scores_of(task, findings="[]"):
    prompt = "A photo of" if task == "caption" else "{question}"
    overrides = [
        f"task={task}", "stages=1", f"inference.answer_prompt='{prompt}'", "evaluation={kind='split'}",
        "inference.circular=false", "inference.ablations=[]", "finetune.describe_share=0.0",
        f"findings={findings}",
    ]  # fmt: skip
    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    answers = {name: written(name, right, task) for name, right in (("flan-t5", 4), ("finetuned", 20))}
    return dict(judge_run(recipe, answers, {}, draws=FEW).scores), answers


@pytest.mark.parametrize(
    ("task", "heading", "unit"), [("vqa", "VQA accuracy (95 %)", " %"), ("caption", "CIDEr-D (95 %)", "")]
)
def test_the_ladder_has_the_measure_of_its_kind(task, heading, unit):
    scores, _ = scores_of(task)
    heads, first, second = ladder_cells(from_scores(scores))
    assert heads[1] == heading
    assert f"{unit} (" in second[1]
    assert ("%" in second[1]) == (unit == " %")
    assert first[2] == ""
    assert second[2] == "flan-t5"


def test_the_terminal_says_which_variant_is_better():
    console = Console(file=io.StringIO(), width=200)
    show_ladder(console, from_scores(scores_of("caption")[0]))
    shown = console.file.getvalue()
    assert "CIDEr-D" in shown
    assert "finetuned is better than flan-t5" in shown
    assert "accuracy" not in shown


def test_programs_get_every_measure_and_no_accuracy():
    ladder = from_scores(scores_of("vqa")[0])
    told = summarise_variants(ladder)["finetuned"]
    assert (told.accuracy, told.measure) == (None, "vqa-accuracy")
    assert told.value == told.measures["vqa-accuracy"] == pytest.approx(20 / 24)
    assert {"anls", "bleu-4", "rouge-l-f", "words"} < set(told.measures)
    (compared,) = summarise_comparisons(ladder)
    assert compared.difference == pytest.approx(16 / 24)


@pytest.mark.parametrize("task", ["vqa", "caption"])
def test_the_page_shows_measures_and_no_letters(task):
    scores, answers = scores_of(task)
    picture = png(world_pixels(1))
    rows = [
        replace(example(0), id=one.id, picture_id=one.picture_id, image=picture, task=task, answer="",
                **dict.fromkeys("abcd", ""))
        for one in answers["flan-t5"]
    ]  # fmt: skip
    from blip_core.reporting import render_report

    page = render_report(report_of(answers, rows, scores))
    assert "Every measure of the texts" in page
    assert "Letters: which were right" not in page
    assert "Calibration" not in page
    assert "guessing" not in page
    assert "<b>something" not in page

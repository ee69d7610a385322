import io

import pytest
from rich.console import Console

from blip_core.dataset.steps import Step
from blip_core.dataset.tracing import Trace, trace_row
from blip_core.pocket.tracing import composed_steps
from blip_core.reporting.trace_lines import show_trace
from blip_core.store.lineage import Lineage
from tests.unit.grown_store import GrownStore


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    grown = GrownStore(tmp_path_factory.mktemp("store"))
    grown.predict("finetuned", grown.examples)
    grown.predict("baseline", grown.examples, right=False, made_from={})
    return grown


def shown(trace, width=80):
    console = Console(file=io.StringIO(), width=width)
    show_trace(console, trace)
    return console.file.getvalue()


def of(grown, row_id):
    return shown(trace_row(Lineage(grown.store.artifacts()), row_id))


def test_every_stage_is_a_block_in_order(grown):
    text = of(grown, grown.examples[0].id)
    headings = [line.split()[0] for line in text.splitlines() if line[:1].strip()]
    assert headings == ["answers", "example", "label", "picture", "scene", "recipe"]


def test_answers_say_who_was_right(grown):
    text = of(grown, grown.examples[0].id)
    right = grown.examples[0].answer
    assert f"finetuned   {right} (0.70)   right" in text
    assert f"wrong, {right} is right" in text
    assert f"adapter {grown.adapter.digest[:12]}" in text


def test_texts_fold_below_their_own_beginning_and_no_line_ends_in_blanks(grown):
    text = of(grown, grown.examples[0].id)
    assert all(line == line.rstrip() and len(line) <= 80 for line in text.splitlines())
    assert "\n              Every scene belongs to this category:\n" in text


def test_a_refused_row_shows_stage_and_reason(grown):
    row_id = grown.examples[0].id
    step = Step("refused", row_id, {"by": "labels", "reason": "missing-answer", "detail": "read: nothing"})
    text = shown(Trace(row_id, [step]))
    assert "at stage    labels" in text
    assert "reason      missing-answer" in text


def test_what_is_unknown_says_why(tmp_path):
    old = GrownStore(tmp_path, says=False)
    text = of(old, old.examples[0].id)
    assert "no more is known: its dataset was made before lineage was kept" in text


def test_a_picture_lists_its_questions_with_their_splits(grown):
    text = of(grown, grown.examples[0].picture_id)
    assert f"{grown.examples[0].id}   What runs here?" in text


def test_a_bundled_question_shows_that_its_truth_is_exact():
    text = shown(Trace("shifted-q00012", composed_steps("shifted-q00012")))
    assert "(right)" in text
    assert "truth" in " ".join(text.split())


def test_control_characters_of_a_model_do_not_reach_the_terminal():
    facts = {"text": "a dog\x1b[31m\r and a cat"}
    text = shown(Trace("x\x07", [Step("scene", "x\x07", facts)]))
    assert not {"\x1b", "\x07", "\r"} & set(text)
    assert "a dog" in text


def test_an_example_shows_what_was_found_about_it_and_a_caption_what_would_be_right():
    facts = {
        "split": "train",
        "options": {},
        "answer": "",
        "target": "a red shoe",
        "category": "",
        "gates_passed": [],
    }
    found = {
        "attributes": {"color": "red", "sole": ""},
        "scores": {"color": 0.61},
        "mended": "a red red shoe",
    }
    said = {"right": None, "truth": "a red shoe", "offered": 0, "ranked": "", "generated": "a shoe", "p": {}}
    told = {"variant": "tuned", "description": "", "adapter": None, "judged_on": "pocket"}
    steps = [Step("prediction", "r", said | told), Step("example", "r", facts | found)]
    text = shown(Trace("r", steps))
    assert "right would be: a red shoe" in text
    assert "no letter" not in text
    assert "attributes  color red, sole none" in text
    assert "scores      color 0.610" in text
    assert "before      a red red shoe" in text

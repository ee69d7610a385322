"""The recipe that tells what a gate is worth: two phases that differ in it alone, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.curation import check_judges, shipped_gates
from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe
from blip_core.recipes.ablation import ablate, equal_rows, gate_section, phases_of
from tests.packages import install

JUDGED = [
    "curation.second_judge.variant='flan-t5'",
    "curation.blind={variant='flan-t5', drop=true}",
    "evaluation={kind='bundled'}",
]
NEEDED = {
    "unsafe_pictures": ['curation.unsafe_pictures.model="somebody/classifier"'],
    "reworded_questions": ['curation.reworded_questions.model="somebody/embedder"'],
}
GATES = [gate.name for gate in shipped_gates()]
PLUGGED = """
from blip_core.curation import Gate
from blip_core.recipes import Section

class Shady(Section):
    enabled: bool = False
    bound: int = 3

GATE = Gate("shady", "dark pictures", Shady, lambda rows, settings: (list(rows), []))
"""


def recipe(*overrides: str):
    return load_recipe("gallery-vqa", "pocket", [*JUDGED, *overrides])


def views(made):
    return [made.in_phase(phase) for phase in made.phases]


def test_the_recipe_of_a_gate_is_the_recipe_with_two_phases_two_variants_and_one_finding():
    plain, made = recipe(), ablate(recipe(), "same-questions", {"without-same-questions": 40})
    before, after = (one.model_dump(mode="json") for one in (plain, made))
    moved = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert moved == {"name", "title", "phases", "variants", "findings", "inference"}
    assert made.name == "gallery-vqa-ablate-same-questions"
    assert made.inference == plain.inference.model_copy(update={"ablations": ()})
    assert [(one.name, one.role, made.phase_of(one)) for one in made.variants] == [
        ("without-same-questions", "base", "without-same-questions"),
        ("with-same-questions", "base", "with-same-questions"),
    ]
    (finding,) = made.findings
    assert (finding.name, finding.a, finding.b) == ("same-questions-helps", *phases_of("same_questions"))
    assert (finding.measure, finding.expect, finding.set) == ("letter-right", "more", "")
    without, with_it = views(made)
    assert (without.dataset.train_rows, with_it.dataset.train_rows) == (40, 0)


@given(gate=st.sampled_from(GATES), is_on=st.booleans(), rows=st.integers(0, 500))
def test_the_phases_differ_in_the_gate_and_the_cut_alone_whichever_gate_and_whether_it_was_on(
    gate, is_on, rows
):
    plain = recipe(*NEEDED.get(gate, ()), f"curation.{gate}.enabled={str(is_on).lower()}")
    made = ablate(plain, gate, {phases_of(gate)[0]: rows})
    without, with_it = (one.model_dump(mode="json") for one in views(made))
    assert without["dataset"].pop("train_rows", 0) == rows
    off, on = (getattr(one.curation, gate) for one in views(made))
    assert (off.enabled, on.enabled) == (False, True)
    assert off == on.model_copy(update={"enabled": False})
    for view in (without, with_it):
        view["curation"].pop(gate, None)
        view.pop("phase")
    assert without == with_it


@pytest.mark.parametrize("gate", ["confidence", "near-duplicates", "letter_balance", "second-judge"])
def test_both_phases_write_paint_and_label_the_same(gate):
    shared = "seed", "source", "scenes", "pictures", "labels", "finetune", "task", "stages"
    plain, made = recipe(), ablate(recipe(), gate)
    assert {one.digest(*shared) for one in (plain, *views(made))} == {plain.digest(*shared)}


@pytest.mark.parametrize("gate", ["confidence", "lengths", "blind"])
def test_it_reads_again_as_it_was_written(gate, tmp_path):
    made = ablate(recipe(), gate, {phases_of(gate)[1]: 7})
    path = tmp_path / "made.toml"
    path.write_text(made.to_toml(), encoding="utf-8")
    assert load_recipe(str(path), "pocket") == made


@pytest.mark.parametrize("gate", ["second_judge", "blind"])
def test_the_variant_that_a_gate_asks_stays_on_the_ladder(gate):
    assert [one.name for one in ablate(recipe(), gate).variants] == [*phases_of(gate), "flan-t5"]


def test_the_alarm_keeps_no_side_from_being_made():
    made = ablate(recipe("curation.alarm={enabled=true, max_wrong_share=0.1}"), "confidence")
    assert [one.curation.alarm.enabled for one in views(made)] == [False, False]


@pytest.mark.parametrize("given_settings", ["", "curation.plugins.shady={bound=9}"])
def test_the_gate_of_a_package_is_left_out_and_put_in(tmp_path, monkeypatch, given_settings):
    install(tmp_path, "shades", {"shades_gate.py": PLUGGED}, {"gates": {"shady": "shades_gate:GATE"}})
    monkeypatch.syspath_prepend(tmp_path)
    made = ablate(recipe(*filter(None, [given_settings])), "shady")
    off, on = (one.curation.plugins for one in views(made))
    assert (off, on) == ({}, {"shady": {"enabled": True, "bound": 9 if given_settings else 3}})


@pytest.mark.parametrize("name", ["x", "a-very-long-name-of-a-recipe-that-somebody-gave-it-and-then-some-64"])
def test_names_stay_within_what_names_may_be(name):
    assert len(ablate(recipe(f"name={name[:64]}"), "scene_duplicates").name) <= 64


@pytest.mark.parametrize(
    ("overrides", "gate", "told"),
    [
        ([], "confidense", "did you mean confidence?"),
        ([], "alarm", "there is no gate 'alarm'"),
        ([], "plugins", "there is no gate 'plugins'"),
        ([], "", "there is no gate ''"),
        (["curation.second_judge.variant=''"], "second_judge", "variant is empty"),
        (["curation.second_judge.variant='finetuned'"], "second_judge", "'finetuned'; allowed: baseline"),
        (["curation.blind.variant='nobody'"], "blind", "'nobody'"),
        (["curation.blind.drop=false"], "blind", "--set curation.blind.drop=true"),
        (["evaluation.kind=split"], "decontamination", "evaluation.kind is split"),
        (["phases=[{name='wide'}, {name='narrow'}]"], "lengths", "has the phases wide, narrow"),
    ],
)
def test_a_gate_that_cannot_be_measured_is_refused_with_the_reason(overrides, gate, told):
    with pytest.raises(RecipeError) as refused:
        ablate(recipe(*overrides), gate)
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["vqav2-zero-shot", "okvqa-zero-shot", "gqa-zero-shot"])
def test_a_recipe_that_learns_nothing_has_no_use_for_a_gate(name):
    with pytest.raises(RecipeError, match=f"{name} learns nothing"):
        ablate(load_recipe(name), "lengths")


@pytest.mark.parametrize(
    ("gate", "task"), [("letter_balance", "vqa"), ("same_questions", "caption"), ("single_answers", "mcq")]
)
def test_a_gate_that_passes_a_kind_by_says_which_kinds_it_judges(gate, task):
    with pytest.raises(RecipeError, match=rf"the gate {gate} judges rows of the task .*, and .* is {task}"):
        check_judges(gate, task)
    check_judges("lengths", task)


@pytest.mark.parametrize("written", ["near_duplicates", "near-duplicates"])
def test_a_gate_goes_by_its_name_with_either_stroke(written):
    assert gate_section(written) == "near_duplicates"


@pytest.mark.parametrize(
    ("grown", "cut"),
    [({"a": 9, "b": 7}, {"a": 7}), ({"a": 7, "b": 9}, {"b": 7}), ({"a": 7, "b": 7}, {})],
)
def test_only_the_phase_with_more_rows_is_cut(grown, cut):
    assert equal_rows(grown) == cut

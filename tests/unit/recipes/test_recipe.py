"""What a recipe says of itself: under which names it is filed, and which of its phases are meant."""

import pytest

from blip_core.kinds import kind_of
from blip_core.recipes import load_recipe
from blip_core.recipes.inference import Inference
from blip_core.recipes.phases import WHOLE
from blip_core.recipes.word_options import WordOptions


def of(*overrides: str):
    return load_recipe("gallery-vqa", "pocket", overrides)


def test_runs_are_filed_under_its_name_unless_it_names_an_experiment():
    assert of().experiment == "gallery-vqa"
    assert of("tracking.experiment=mine").experiment == "mine"
    assert of("name=other").experiment == "other"


def test_its_kind_is_that_of_its_task():
    assert of().kind is kind_of("mcq")


def test_a_recipe_without_phases_is_one_without_a_name():
    recipe = of()
    assert (recipe.each_phase(), recipe.last_phase, recipe.label) == ((WHOLE,), "", "gallery-vqa")
    assert recipe.in_phase(WHOLE) is recipe


def test_the_last_phase_is_the_runs():
    recipe = of("phases=[{name='wide'}, {name='narrow', start='wide'}]", "findings=[]")
    assert [phase.name for phase in recipe.each_phase()] == ["wide", "narrow"]
    assert recipe.last_phase == "narrow"
    assert [recipe.in_phase(phase).label for phase in recipe.phases] == [
        "gallery-vqa wide",
        "gallery-vqa narrow",
    ]


@pytest.mark.parametrize("stages", [1, 2])
def test_a_phase_has_stages_of_its_own(stages: int):
    prompts = "inference={answer_prompt='{question}{a}{b}{c}{d}', ablations=[]}"
    own = f", {prompts}, finetune={{describe_share=0.0}}" if stages == 1 else ""
    recipe = of(f"phases=[{{name='wide', stages={stages}{own}}}]")
    assert recipe.in_phase(recipe.phases[0]).stages == stages


def test_rows_asked_on_the_way_are_answered_in_words_whatever_the_scores_ask_for():
    colors = WordOptions(name="color", words=("red", "blue"))
    scored = Inference(circular=True, ablations=("blind",), closed_answers=("red", "blue"), options=(colors,))
    assert scored.once() == Inference()
    assert scored.by_prompt("{question}") == Inference(answer_prompt="{question}")

"""What a recipe refuses, and in which words."""

from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe, load_recipe

ANSWER_ALONE = "inference.answer_prompt='{question}{a}{b}{c}{d}'"
DESCRIBED = "inference.answer_prompt='{question}{description}'"
A_PHOTO = "inference.answer_prompt='a photo of'"
SHUFFLED = ["source={kind='table',path='t.csv',shuffle_options=true}"]
WHOLE = "finetune={adapter={preset='language-model'},quantisation='none'}"
WORDED = "See <image>: {question}{description}{a}{b}{c}{d}"
NO_OPTIONS = ["inference.circular=false", "inference.ablations=[]"]


def _probe(rows, task="vqa", further=""):
    return f"{{name='old',task='{task}',{further}rows={{kind='{rows}'}}}}"


def _refusal(*overrides, recipe="gallery-vqa", profile="pocket"):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, profile, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("scenes.cuont=3", "scenes.cuont (in --set scenes.cuont=3): there is no such field; did you mean"),
        ("scnes.count=3", "scnes (in --set scnes.count=3): there is no such field; did you mean scenes?"),
        ("scenes.count=0", "scenes.count is 0 (in --set scenes.count=0); allowed: a whole number from 1"),
        ("scenes.count=many", "scenes.count is 'many' (in --set scenes.count=many); allowed: a whole number"),
        ("scenes.count=true", "scenes.count is true (in --set scenes.count=true); allowed: a whole number"),
        ("scenes.temperature=0", "allowed: a number above 0.0, up to 2.0"),
        ("finetune.learning_rate=nan", "allowed: a number above 0.0, up to 1.0"),
        ("pictures.width_px=65", "allowed: a whole number from 32, up to 2048, in steps of 8"),
        ("finetune.quantisation=int4", "allowed: one of none, int8, nf4"),
        ("finetune.adapter.preset=lora", "one of qformer, qformer-attention, language-attention,"),
        ("source.kind=web", "source.kind is 'web' (in --set source.kind=web); allowed: 'prompts', 'folder'"),
        ("source.kind=folder", "source.path is missing"),
        ("seed.x=1", "seed is {'x': 1}"),
        ("variants=[]", "variants is []"),
        ("variants=[{name='x', role='z'}]", "variants[0].role is 'z'"),
        ("scenes.model=pocket/writr", "scenes.model: the pocket family has no 'pocket/writr'; did you mean"),
        ("scenes.model=a b", "scenes.model: checkpoint 'a b' is neither a hub id (owner/name) nor a path"),
        ("scenes.model={id='./here', revision='main'}", "revision 'main': only hub ids have revisions"),
        ("curation.lengths.min_words=500", "min_words (500) is above max_words (200)"),
        ("dataset.validation_share=0.97", "validation_share (0.97) and test_share (0.05)"),
        ("finetune.adapter.pattern='('", "pattern is not a regular expression"),
        ("name=My recipe", "of lowercase letters, digits and dashes"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_hold_is_named_with_what_is_allowed(override, said):
    assert said in _refusal(override)


@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        (["labels.temperature=0"], ["labels.temperature", "labels.retries"]),
        (["labels.temperature=0", "labels.retries=0", "labels.per_picture=2"], ["labels.per_picture"]),
        (["scenes.categories=[]"], ["source.kind", "scenes.categories"]),
        (["scenes.categories=[{name='a',hint='x'},{name='a',hint='y'}]"], ["scenes.categories", "once"]),
        (["scenes.prompt=Write scenes"], ["scenes.prompt", "{category}, {numbers}, {per_call}"]),
        (["pictures.prompt='{scene} {mood}'"], ["pictures.prompt", "{mood}"]),
        (["pictures.prompt='{scene'"], ["pictures.prompt", "stray brace"]),
        (["pictures.prompt='{scene:>1000000000}'"], ["pictures.prompt", "plain ones: {scene}"]),
        (["pictures.prompt='{scene!r}'"], ["pictures.prompt", "plain ones: {scene}"]),
        (["pictures.prompt='{scene.text}'"], ["pictures.prompt", "must contain {scene}"]),
        (["labels.prompt=Say something"], ["labels.prompt", "<image>"]),
        (["inference.describe_prompt=' '"], ["inference.describe_prompt is empty", "stages"]),
        (["inference.describe_prompt='Look: {answer}'"], ["inference.describe_prompt", "{question}"]),
        (["stages=1"], ["inference.answer_prompt", "{description}"]),
        (["stages=1", ANSWER_ALONE], ["inference.ablations", "stages"]),
        (["stages=1", ANSWER_ALONE, "inference.ablations=[]"], ["describe_share", "stages"]),
        (["task=caption"], ["task", "stages"]),
        (["task=vqa", "inference.free_generation=false"], ["task", "inference.free_generation"]),
        (["task=vqa", DESCRIBED], ["task", "inference.circular"]),
        (["task=caption", "stages=1", A_PHOTO, *NO_OPTIONS], ["evaluation.kind", "task"]),
        (["task=caption", "stages=1", "inference.answer_prompt='{question}'"], ["{question}", "none"]),
        (["task=captions"], ["'captions'", "caption, mcq, vqa"]),
        (["task=vqa", DESCRIBED, *NO_OPTIONS, *SHUFFLED], ["source.shuffle_options", "task"]),
        (["inference.min_new_tokens=49"], ["min_new_tokens is 49", "max_new_tokens is 48"]),
        (["evaluation.kind=split", "dataset.test_share=0.0"], ["evaluation.kind", "dataset.test_share"]),
        (["finetune.base={id='pocket/blip2-t5', dtype='float16'}"], ["base.dtype", "float16"]),
        ([WHOLE, "finetune.base={id='pocket/blip2-t5', dtype='bfloat16'}"], ["language_model", "base.dtype"]),
        ([WHOLE], ["finetune.adapter trains language_model in full", "inference.quantisation is nf4"]),
        ([f"finetune.wordings=['{WORDED}', '{{question}}{{a}}']"], ["finetune.wordings[1] must contain {b}"]),
        ([f"finetune.wordings=['{WORDED}<image>']"], ["finetune.wordings[0] holds <image> more than once"]),
        (["inference.describe_prompt='<image><image>'"], ["inference.describe_prompt holds <image> more"]),
        (["finetune.base=./m/x.gguf"], ["finetune.base", "x.gguf"]),
        (["variants=[{name='a',role='baseline',adapter=true}]"], ["adapter", "role"]),
        (["variants=[{name='a',role='base',model='./x'}]"], ["model", "finetune.base"]),
        (["variants=[{name='a',role='base'},{name='a',role='baseline'}]"], ["variants", "more than once"]),
        (["variants=[{name='a',role='base',answers='ranked'}]"], ["variants.a.answers", "task is mcq"]),
        (["variants=[{name='a',role='base',answers='read'}]"], ["variants.a.answers", "task is mcq"]),
        (["sheet={prompts=['a','a ']}"], ["sheet", "prompts holds 'a' more than once"]),
        (["sheet={prompts=['a','']}"], ["sheet", "prompts holds an empty one"]),
        ([f"probes=[{_probe('bundled')},{_probe('bundled')}]"], ["probes holds old more than once"]),
        ([f"probes=[{_probe('split')}]"], ["probe old: rows.kind is split", "pocket, table, native"]),
        ([f"probes=[{_probe('bundled', 'caption')}]"], ["probe old: evaluation.kind is bundled", "caption"]),
        (["probes=[" + _probe("bundled", "vqa", "prompt='Now?',") + "]"], ["probes.old.prompt must contain"]),
    ],
)  # fmt: skip
def test_fields_that_contradict_each_other_are_both_named(overrides, fields):
    refusal = _refusal(*overrides)
    assert [field for field in fields if field not in refusal] == []


@pytest.mark.parametrize("field", ["variants", "findings", "phases"])
@pytest.mark.parametrize(
    "value", ["5", "true", "'text'", "['text']", "[3]", "{name='x'}", "[{}, 'text']", "[[]]"]
)
def test_a_list_of_tables_that_is_none_is_named(field, value):
    assert _refusal(f"{field}={value}").startswith(field)


@pytest.mark.parametrize("phase", ["{}", "{seed=3}", "{name=3}", "{name=[]}"])
def test_a_phase_without_a_name_is_told_as_that_alone(phase):
    refusal = _refusal(f"phases=[{phase}]")
    assert [line for line in refusal.splitlines() if not line.startswith("phases[0].")] == []
    assert "phases[0].name is " in refusal


@pytest.mark.parametrize("field", ["variants", "phases"])
@pytest.mark.parametrize("value", ["5", "'text'", "['text']", "{name='x'}"])
def test_findings_wait_for_lists_that_hold(field, value):
    shipped = load_recipe("gallery-vqa", "pocket")
    assert shipped.findings
    assert _refusal(f"{field}={value}", "inference.ablations=5").startswith(
        ("variants", "phases", "inference")
    )


def test_a_picture_may_be_described_without_its_question():
    recipe = load_recipe("gallery-vqa", "pocket", ["inference.describe_prompt='Describe the picture.'"])
    assert recipe.inference.describe_prompt == "Describe the picture."


def test_composed_pictures_are_for_pocket_labellers_only():
    assert "labels.model is llava-hf" in _refusal("source.kind=world", profile="workstation")
    assert load_recipe("gallery-vqa", overrides=["source.kind=world"]).source.style == "shifted"


def test_every_mistake_is_told_at_once():
    refusal = _refusal("scenes.count=0", "labels.retries=-1")
    assert len(refusal.splitlines()) == 2


def test_a_mistake_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "fast.toml"
    path.write_text("[pictures]\nsteps = 0\n")
    assert f"pictures.steps is 0 (in {path})" in _refusal(profile=str(path))


def test_low_precision_of_the_language_model_does_not_forbid_an_adapter_on_it():
    recipe = load_recipe("gallery-vqa", overrides=["finetune.adapter.preset=language-attention"])
    assert recipe.finetune.quantisation == "nf4"


def _numbers(section, path=""):
    """Dotted names of all fields that hold a number or one beside other things."""
    for name, field in section.model_fields.items():
        if get_origin(field.annotation) is tuple:
            continue  # a list is overridden as a whole
        kinds = {field.annotation, *get_args(field.annotation)}
        if kinds & {int, float}:
            yield f"{path}{name}"
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _numbers(kind, f"{path}{name}.")


OF_OTHER_SOURCES = {"source.limit", "source.count", "source.seed", "source.questions_each"}
OF_OTHER_SOURCES |= {"evaluation.count", "evaluation.seed", "evaluation.questions_each"}
NUMBERS = sorted(set(_numbers(Recipe)) - OF_OTHER_SOURCES)


def test_the_numbers_of_a_recipe_were_found():
    assert {
        "seed",
        "finetune.learning_rate",
        "finetune.adapter.alpha",
        "curation.letter_balance.max_share",
    } < set(NUMBERS)


@pytest.mark.parametrize("number", ["nan", "-nan", "inf", "-inf", "1e400"])
@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_that_is_none_is_refused_in_every_field(field, number):
    said = _refusal(f"{field}={number}")
    assert f"{field} is {float(number)} (in --set " in said
    assert "allowed: " in said


@pytest.mark.parametrize("number", ["nan", "inf", "1e999"])
def test_it_is_refused_in_a_file_too(number, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(f"[finetune]\nlearning_rate = {number}\n")
    said = _refusal(profile=str(path))
    assert f"learning_rate is {float(number)} (in {path}); allowed: a number above 0.0, up to 1.0" in said


@pytest.mark.parametrize(
    ("further", "told"),
    [
        (
            "answers='ranked'",
            "variants.a.answers is ranked, but it carries no adapter that learnt",
        ),
        ("answers='read',answer_prompt='What is {question}'", "variants.a.answer_prompt contains"),
        ("answers='chosen'", "allowed: one of written, ranked, read"),
    ],
)
def test_a_way_of_answering_freely_needs_what_it_answers_with(further, told):
    assert told in _refusal(
        f"variants=[{{name='a',role='base',{further}}}]", "findings=[]", recipe="fashion-vqa"
    )

"""What a recipe may declare of its variants, and what goes when others are compared."""

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe
from blip_core.scoring.findings import check_measures

OTHERS = "variants=[{name='plain', role='base'}, {name='finetuned', role='base', adapter=true}]"


def gallery(*overrides):
    return load_recipe("gallery-vqa", "pocket", overrides)


def declared(**fields):
    told = {"name": "gain", "a": "flan-t5", "b": "finetuned", **fields}
    tables = ", ".join(f"{name}={value!r}" for name, value in told.items())
    return f"findings=[{{{tables}}}]"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"b": "fintuned"}, "finding gain: fintuned is not compared; allowed: baseline, flan-t5, finetuned"),
        ({"a": "x@blind"}, "finding gain: x is not compared"),
        ({"a": "finetuned@dark"}, "the mode 'dark', and inference.ablations holds one-stage, description"),
        ({"a": "finetuned@"}, "the mode ''"),
        ({"set": "split"}, "set is 'split', but the variants are judged on bundled"),
        ({"a": "finetuned"}, "a and b are both finetuned; name two variants"),
        ({"expect": "better"}, "findings[0].expect is 'better'"),
        ({"margin": -0.1}, "findings[0].margin is -0.1"),
        ({"test": "unpaired"}, "findings[0].test is 'unpaired'"),
        ({"name": "My gain"}, "findings[0].name is 'My gain'"),
        ({"measur": "anls"}, "did you mean measure?"),
    ],
)
def test_a_finding_over_what_is_not_compared_is_refused(fields, said):
    with pytest.raises(RecipeError) as caught:
        gallery(declared(**fields))
    assert said in str(caught.value)


@pytest.mark.parametrize("margin", ["nan", "inf"])
def test_a_margin_that_is_no_number_is_refused(margin):
    with pytest.raises(RecipeError, match=r"findings\[0\].margin is (nan|inf)"):
        gallery(f"findings=[{{name='x', a='flan-t5', b='finetuned', margin={margin}}}]")


def test_two_findings_of_one_name_are_refused():
    one = "{name='x', a='flan-t5', b='finetuned'}"
    with pytest.raises(RecipeError, match="findings holds x more than once"):
        gallery(f"findings=[{one}, {one}]")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([declared(measure="letter-rihgt")], "there is no measure 'letter-rihgt'; did you mean letter-right"),
        ([declared(measure="anls")], "anls does not judge rows of the task mcq; allowed: letter-right"),
        ([declared(measure="circular-right"), "inference.circular=false"], "inference.circular is true"),
        ([declared(measure="no-letter"), "inference.free_generation=false"], "inference.free_generation is"),
        ([declared(measure="circular-right", a="finetuned@blind")], "leave @MODE out"),
    ],
)  # fmt: skip
def test_a_measure_without_values_is_refused_before_work_begins(overrides, said):
    with pytest.raises(RecipeError, match="finding gain: ") as caught:
        check_measures(gallery(*overrides))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("override", "left"),
    [
        ("seed=3", ["tuning-helps", "description-helps"]),
        ("inference.ablations=['blind']", ["tuning-helps"]),
        (OTHERS, ["description-helps"]),
        ("variants=[{name='alone', role='base'}]", []),
        ("findings=[]", []),
    ],
)
def test_a_finding_goes_with_what_an_override_no_longer_compares(override, left):
    assert [one.name for one in gallery(override).findings] == left


def test_a_finding_of_a_file_that_never_fitted_stays_and_is_refused(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("[[findings]]\nname = 'x'\na = 'flan-t5'\nb = 'nobody'\n")
    with pytest.raises(RecipeError, match="nobody is not compared"):
        load_recipe("gallery-vqa", str(file), ["inference.ablations=[]"])


def test_findings_change_no_digest_of_recipes_that_declare_none():
    plain, silent = gallery("findings=[]"), gallery("findings=[]", "seed=0")
    assert "findings" not in plain.to_toml()
    assert plain.digest() == silent.digest() != gallery().digest()
    stages = ("inference", "finetune", "evaluation", "variants")
    assert plain.digest(*stages) == gallery().digest(*stages)


def test_findings_come_back_from_the_text_of_a_recipe(tmp_path):
    file = tmp_path / "again.toml"
    file.write_text(gallery().to_toml())
    assert load_recipe(str(file)) == gallery()


def test_a_profile_that_compares_others_takes_the_recipes_findings_away(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("[[variants]]\nname = 'plain'\nrole = 'base'\n")
    assert load_recipe("gallery-vqa", str(file)).findings == ()

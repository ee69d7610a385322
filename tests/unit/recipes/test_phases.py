"""Phases in a recipe: what they take from its sections, and what is refused in one sentence."""

import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe, load_recipe

TWO = """
[[phases]]
name = "wide"

[[phases]]
name = "narrow"
start = "wide"
"""
LADDER = """
[[variants]]
name = "plain"
role = "base"

[[variants]]
name = "half-way"
role = "base"
adapter = "wide"

[[variants]]
name = "tuned"
role = "base"
adapter = true
"""


@pytest.fixture
def written(tmp_path):
    """Load a recipe with these phases, this ladder and these settings of its own."""

    def load(phases: str, ladder: str = LADDER, *overrides: str) -> Recipe:
        own = load_recipe("gallery-vqa", "pocket").model_dump(mode="json", exclude_none=True)
        del own["profile"], own["findings"]
        path = tmp_path / "two.toml"
        path.write_text(tomli_w.dumps(own | tomllib.loads(ladder) | tomllib.loads(phases)), encoding="utf-8")
        return load_recipe(str(path), "pocket", overrides)

    return load


def test_a_phase_takes_what_it_leaves_out_from_the_recipe_field_by_field(written):
    recipe = written('[[phases]]\nname = "wide"\nfinetune = {epochs = 7}\nseed = 5', LADDER)
    wide = recipe.in_phase(recipe.phases[0])
    assert (wide.finetune.epochs, wide.seed) == (7, 5)
    assert wide.finetune == recipe.finetune.model_copy(update={"epochs": 7.0})
    assert wide.labels == recipe.labels
    assert (wide.phases, wide.phase, wide.label) == ((), "wide", "gallery-vqa wide")


def test_a_phase_that_says_nothing_is_the_recipe_in_all_that_keys_are_made_of(written):
    recipe = written(TWO)
    sections = ("finetune", "seed", "task", "stages", "scenes", "labels", "curation", "dataset", "name")
    for phase in recipe.phases:
        assert recipe.in_phase(phase).digest(*sections) == recipe.digest(*sections)


def test_an_override_reaches_the_phases_that_say_nothing_else(written):
    phases = TWO + "finetune = {epochs = 7}\n"
    recipe = written(phases, LADDER, "finetune.epochs=2", "finetune.learning_rate=0.01")
    tunings = [recipe.in_phase(phase).finetune for phase in recipe.phases]
    assert [(one.epochs, one.learning_rate) for one in tunings] == [(2, 0.01), (7, 0.01)]


def test_a_source_of_another_kind_replaces_the_recipes(written):
    recipe = written(TWO + 'source = {kind = "folder", path = "pictures"}\n')
    assert [recipe.in_phase(phase).source.kind for phase in recipe.phases] == ["prompts", "folder"]


def test_nothing_of_a_source_clings_to_one_of_another_kind(written):
    table = 'source={kind="table", path="t.csv", images="photos", questions="table"}'
    phases = TWO + 'source = {kind = "folder", path = "pictures"}\n'
    recipe = written(phases, LADDER, table)
    assert recipe.in_phase(recipe.phases[1]).source.path == "pictures"


def test_a_recipe_of_phases_is_written_and_read_again(written, tmp_path):
    recipe = written(TWO + "rows = {own = 1, wide = 0.5}\nfinetune = {epochs = 7}\n")
    path = tmp_path / "resolved.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert load_recipe(str(path)) == recipe
    assert load_recipe(str(path)).digest() == recipe.digest()


def test_a_recipe_without_phases_says_nothing_of_them():
    recipe = load_recipe("gallery-vqa", "pocket")
    assert not {"phases", "phase"} & set(recipe.model_dump())
    assert all("phase" not in one for one in recipe.model_dump()["variants"])
    (only,) = recipe.each_phase()
    assert recipe.in_phase(only) is recipe
    assert (recipe.last_phase, only.path_of("source")) == ("", "source")


def test_variants_carry_the_phase_they_name_or_the_last(written):
    recipe = written(TWO)
    assert [recipe.phase_of(one) for one in recipe.variants] == [None, "wide", "narrow"]
    assert [one.adapter for one in recipe.variants] == [False, True, True]


THIRD = {
    "starts from itself": 'start = "one"',
    "starts from nobody": 'start = "two"',
    "learns from nobody": "rows = {elsewhere = 1}",
    "learns from itself": "rows = {one = 1}",
    "weights of nothing": "rows = {own = 0, wide = 0}",
    "a weight below 0": "rows = {own = -1}",
    "another size": 'start = "wide"\nfinetune = {adapter = {r = 8}}',
    "other modules": 'start = "narrow"\nfinetune = {adapter = {preset = "projection"}}',
    "another base": 'finetune = {base = "pocket/blip2-opt"}',
    "a source for nothing": 'rows = {wide = 1}\nsource = {kind = "folder", path = "p"}',
    "an unknown field": "finetune = {epoch = 1}",
    "what cannot be together": "labels = {temperature = 0.0}",
}
SAID = {
    "starts from itself": r"phase one starts from itself; allowed here: base, wide, narrow",
    "starts from nobody": r"phase one starts from two, and there is no such phase",
    "learns from nobody": r"phase one learns from the rows of elsewhere, and there is no such",
    "learns from itself": r"phase one learns from the rows of itself; allowed here: own, wide",
    "weights of nothing": r"the weights in rows of phase one sum to 0: nothing would be learnt",
    "a weight below 0": r"phases\[2\]\.rows\.own is -1",
    "another size": r"phase one starts from wide, whose adapter does not fit.*r is 8 and was 32",
    "other modules": r"phase one starts from narrow.*preset is projection and was qformer",
    "another base": r"the phases of a recipe tune one model",
    "a source for nothing": r"phase one has a source of its own, and rows gives own no weight",
    "an unknown field": r"phases\[2\]\.finetune\.epoch.*did you mean epochs",
    "what cannot be together": r"phase one: labels\.temperature is 0",
}
NAMES = {
    "wide": r"phases holds wide more than once; names must differ",
    "base": r"a phase is named base, which means something else",
    "own": r"a phase is named own, which means something else",
    "champion": r"a phase is named champion, which means something else",
    "Wide": r"phases\[2\]\.name is 'Wide'",
}


@pytest.mark.parametrize("case", THIRD)
def test_a_phase_that_cannot_be_is_refused_in_one_sentence(written, case):
    with pytest.raises(RecipeError, match=SAID[case]) as refused:
        written(f'{TWO}\n[[phases]]\nname = "one"\n{THIRD[case]}\n')
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_a_phase_cannot_have_is_refused(written, name):
    with pytest.raises(RecipeError, match=NAMES[name]):
        written(f'{TWO}\n[[phases]]\nname = "{name}"\n')


def test_a_phase_that_starts_from_a_later_one_is_refused(written):
    phases = '[[phases]]\nname = "wide"\nstart = "narrow"\n[[phases]]\nname = "narrow"\n'
    with pytest.raises(
        RecipeError, match=r"phase wide starts from narrow, which comes after it; allowed here"
    ):
        written(phases)


def test_a_phase_that_learns_from_a_later_one_is_refused(written):
    phases = '[[phases]]\nname = "wide"\nrows = {narrow = 1}\n[[phases]]\nname = "narrow"\n'
    with pytest.raises(RecipeError, match=r"phase wide learns from the rows of narrow, which comes after it"):
        written(phases)


@pytest.mark.parametrize("named", ["wider", "narow", "phase-3"])
def test_a_variant_of_a_phase_that_is_not_there_is_refused(written, named):
    ladder = LADDER.replace('"wide"', f'"{named}"')
    with pytest.raises(RecipeError, match=rf"variant half-way: .* phase {named}, and there is wide, narrow"):
        written(TWO, ladder)


def test_dropout_may_differ_from_that_of_the_start(written):
    recipe = written(TWO + "finetune = {adapter = {dropout = 0.0}}\n")
    assert recipe.in_phase(recipe.phases[1]).finetune.adapter.dropout == 0


@pytest.mark.parametrize("phases", ["3", '"wide"', "[1]", '{name = "wide"}', "[[]]", '[{name = ["wide"]}]'])
def test_phases_that_are_no_list_of_tables_are_refused(phases):
    with pytest.raises(RecipeError, match="phases"):
        load_recipe("gallery-vqa", "pocket", [f"phases={phases}"])


def test_a_phase_cannot_be_named_from_outside():
    with pytest.raises(RecipeError, match=r"phase is 'wide': a run sets it"):
        load_recipe("gallery-vqa", "pocket", ["phase=wide"])


@given(st.lists(st.sampled_from("abcde"), unique=True, min_size=1), st.data())
def test_phases_are_accepted_exactly_where_they_start_from_earlier_ones(names, data):
    starts = [data.draw(st.sampled_from(["base", *"abcde"])) for _ in names]
    tables = ", ".join(
        f'{{name="{name}", start="{start}"}}' for name, start in zip(names, starts, strict=True)
    )
    holds = all(start in ("base", *names[:place]) for place, start in enumerate(starts))
    if holds:
        recipe = load_recipe("gallery-vqa", "pocket", [f"phases=[{tables}]"])
        assert [phase.name for phase in recipe.phases] == names
        return
    with pytest.raises(RecipeError, match="starts from"):
        load_recipe("gallery-vqa", "pocket", [f"phases=[{tables}]"])

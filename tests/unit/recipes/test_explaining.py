"""Words about a recipe's fields: their names, what they hold, and values cut to what one can read."""

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe, field_names, load_recipe

NAMES = set(field_names(Recipe))


@pytest.mark.parametrize(
    "name", ["seed", "scenes.count", "finetune.adapter.preset", "scenes.model", "variants"]
)
def test_what_an_override_can_name_is_listed(name: str):
    assert name in NAMES


@pytest.mark.parametrize(
    "name",
    ["scenes", "finetune.adapter", "variants.name", "variants.role", "phases.finetune.epochs", "findings.a"],
)
def test_sections_and_what_stands_in_lists_of_tables_are_not(name: str):
    assert name not in NAMES


@pytest.mark.parametrize("spare", [-30, -1, 0, 1, 2, 300])
def test_a_value_is_shown_whole_up_to_what_one_reads_on_a_line(spare: int):
    value = "x" * (78 + spare)  # with its quotation marks 80 are shown
    with pytest.raises(RecipeError) as caught:
        load_recipe("gallery-vqa", "pocket", [f"task={value}", f"source.kind={value}", f"stages={value}"])
    told = next(line for line in str(caught.value).splitlines() if line.startswith("stages is "))
    shown = told.removeprefix("stages is ").partition(" (in ")[0]
    assert shown == (f"'{value}'" if spare <= 0 else f"'{'x' * 79}...")


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("variants=[{name='x', role='base', adapter=3}]", "variants[0].adapter is 3"),
        ("variants=[{name='x', role='base'}, {name='y', role='base', phase=3}]", "variants[1].phase is 3"),
        ("scenes.categories=[{name='a', hint=3}]", "scenes.categories[0].hint is 3"),
        ("scenes.categories=['text']", "scenes.categories[0] is 'text'"),
        ("inference.ablations=['blind', 'deaf']", "inference.ablations[1] is 'deaf'"),
        ("inference.ablations='blind'", "inference.ablations is 'blind'"),
    ],
)
def test_a_mistake_in_a_list_is_told_by_its_place(override: str, path: str):
    with pytest.raises(RecipeError) as caught:
        load_recipe("gallery-vqa", "pocket", [override])
    assert path in str(caught.value)

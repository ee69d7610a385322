"""Overrides mean the same in any order, and change of a table what they name and nothing else."""

from functools import cache
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blip_core.errors import RecipeError
from blip_core.recipes import ServedModel, load_recipe, show_recipe
from blip_core.recipes.changing import CHECKPOINT_FIELDS
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.loader import profile_names
from blip_core.recipes.overrides import parse_override

FIELDS = [".".join(path) for path in CHECKPOINT_FIELDS]
SERVED = ["url=http://127.0.0.1:8000/v1", "served_model=m"]
# What a checkpoint, a server, an adapter, a source and a gate are told of, whole and by their parts.
OVERRIDES = [
    *(f"{field}=owner/other" for field in FIELDS),
    *(f"{field}.dtype=bfloat16" for field in FIELDS),
    *(f"{field}.revision=v1" for field in FIELDS),
    *(f"{field}.{served}" for field in ("scenes.model", "labels.model") for served in SERVED),
    "labels.model={id='owner/other'}",
    "labels.model={url='http://127.0.0.1:8000/v1', served_model='m'}",
    "labels.model.max_requests=500",
    "finetune.adapter.preset=projection",
    "finetune.adapter.pattern='.*query'",
    "finetune.adapter.r=8",
    "finetune.adapter={preset='qformer', alpha=8.0}",
    "source.kind=folder",
    "source.path=somewhere",
    "source={kind='table'}",
    "curation.letter_balance.enabled=false",
    "curation.letter_balance={}",
    "title.more=5",
    "title=Short",
]


@cache
def resolved(overrides):
    """The recipe, or that there is none."""
    try:
        return load_recipe("gallery-vqa", "workstation", overrides)
    except RecipeError:
        return None


def named_by(override):
    """Every field that an override names; of a table, each that it holds."""

    def fields(table, above=""):
        for name, value in table.items():
            yield from fields(value, f"{above}{name}.") if isinstance(value, dict) else (f"{above}{name}",)

    return set(fields(parse_override(override)))


@given(st.lists(st.sampled_from(OVERRIDES), min_size=2, max_size=3, unique=True))
def test_the_order_of_overrides_does_not_matter(overrides):
    named = [named_by(one) for one in overrides]
    assume(sum(map(len, named)) == len(set().union(*named)))  # of a field named twice the last one counts
    first, *others = (resolved(order) for order in permutations(overrides))
    assert all(other == first for other in others)


def at(recipe, field):
    for name in field.split("."):
        recipe = getattr(recipe, name)
    return recipe


LOADED = [
    (field, profile)
    for profile in profile_names()
    for field in FIELDS
    if isinstance(at(load_recipe("gallery-vqa", profile), field), Checkpoint)  # and no server's
]


@pytest.mark.parametrize(("field", "profile"), LOADED)
def test_another_checkpoint_is_loaded_as_the_one_before_it(field, profile):
    before = at(load_recipe("gallery-vqa", profile), field)
    for way in (f"{field}=owner/other", f"{field}.id=owner/other", f"{field}={{id='owner/other'}}"):
        model = at(load_recipe("gallery-vqa", profile, [way]), field)
        assert (model.id, model.dtype) == ("owner/other", before.dtype)


@pytest.mark.parametrize("field", ["scenes.model", "labels.model"])
def test_a_checkpoint_in_place_of_a_server_is_loaded_in_whole_precision(field):
    served = at(load_recipe("gallery-vqa", "modern-server"), field)
    assert isinstance(served, ServedModel)
    for way in (f"{field}=owner/other", f"{field}.id=owner/other", f"{field}={{id='owner/other'}}"):
        assert at(load_recipe("gallery-vqa", "modern-server", [way]), field) == Checkpoint(id="owner/other")


@pytest.mark.parametrize(("field", "profile"), LOADED)
def test_one_field_of_a_checkpoint_is_changed_alone(field, profile):
    before = at(load_recipe("gallery-vqa", profile), field)
    after = at(load_recipe("gallery-vqa", profile, [f"{field}.dtype=bfloat16"]), field)
    assert after == before.model_copy(update={"dtype": "bfloat16"})


@pytest.fixture
def bare(tmp_path):
    """A profile that says nothing, so that schema defaults hold."""
    (tmp_path / "bare.toml").write_text("")
    return str(tmp_path / "bare.toml")


OPTIONAL = [field for field in FIELDS if at(load_recipe("gallery-vqa"), field) is None]


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_checkpoint_that_nothing_names_has_to_be_named_before_its_parts(field, bare):
    with pytest.raises(RecipeError, match=f"{field}.id is missing"):
        load_recipe("gallery-vqa", bare, [f"{field}.dtype=bfloat16"])
    assert at(load_recipe("gallery-vqa", bare, [f"{field}=owner/other"]), field).id == "owner/other"


@pytest.mark.parametrize("field", [field for field in FIELDS if field not in OPTIONAL])
def test_a_checkpoint_that_is_written_nowhere_is_changed_in_part_as_well(field, bare):
    before = at(load_recipe("gallery-vqa", bare), field)
    after = load_recipe("gallery-vqa", bare, [f"{field}.dtype=bfloat16"])
    assert at(after, field) == before.model_copy(update={"dtype": "bfloat16"})
    other = load_recipe("gallery-vqa", bare, [f"{field}=owner/other"])
    assert at(other, field).dtype == before.dtype


def test_a_server_takes_the_place_of_a_checkpoint_and_a_checkpoint_that_of_a_server(tmp_path):
    served = [f"labels.model.{one}" for one in SERVED]
    model = load_recipe("gallery-vqa", "workstation", served).labels.model
    assert (model.url, model.served_model) == ("http://127.0.0.1:8000/v1", "m")
    profile = tmp_path / "served.toml"
    profile.write_text(f"[labels]\nmodel = {{ {', '.join(_quoted(one) for one in SERVED)} }}")
    assert (
        load_recipe("gallery-vqa", str(profile), ["labels.model=owner/other"]).labels.model.id
        == "owner/other"
    )
    fewer = load_recipe("gallery-vqa", str(profile), ["labels.model.max_requests=9"]).labels.model
    assert fewer == model.model_copy(update={"max_requests": 9})


def _quoted(text):
    name, value = text.split("=")
    return f'{name} = "{value}"'


@pytest.mark.parametrize(
    "both",
    [
        ["labels.model=owner/other", "labels.model.url=http://127.0.0.1:8000/v1"],
        ["finetune.adapter.preset=projection", "finetune.adapter.pattern='.*query'"],
        ["title=Short", "title.more=5"],
    ],
)
def test_overrides_that_contradict_each_other_are_refused(both):
    for given_ in (both, both[::-1]):
        with pytest.raises(RecipeError):
            load_recipe("gallery-vqa", "workstation", given_)


def test_a_shown_recipe_tells_that_the_dtype_is_the_profiles_still():
    text = show_recipe("gallery-vqa", "workstation", ["labels.model=owner/other"])
    _, _, labels = text.partition("[labels.model]")
    assert 'id = "owner/other"  # --set labels.model=owner/other' in labels
    assert 'dtype = "float16"  # profile workstation' in labels


@pytest.mark.parametrize("said", ["http://me:secret@h:8000/v1", "https://h/v1?key=secret"])
def test_a_key_in_an_address_is_not_shown_again(said):
    with pytest.raises(RecipeError) as told:
        load_recipe("gallery-vqa", "pocket", [f"labels.model.url={said}", "labels.model.served_model=m"])
    assert "secret" not in str(told.value)
    assert "labels.model: url holds more than an address" in str(told.value)

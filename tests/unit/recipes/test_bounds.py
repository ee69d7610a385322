"""Numbers and names that sections share: both ends belong to them, what is beyond does not."""

import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from blip_core.recipes.base import BatchSize, NewTokens, Section, Share, Slug, Temperature, TopP
from blip_core.recipes.phases import Weight


class _Held(Section):
    """One field of each type, as recipes hold them: strictly."""

    share: Share = 0.0
    batch_size: BatchSize = 1
    new_tokens: NewTokens = 1
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    weight: Weight = 0.0
    slug: Slug = "a"


LEAST = 5e-324  # the smallest number above 0
INSIDE = {
    "share": [0.0, LEAST, 0.5, 1.0],
    "batch_size": [1, 2, 4096],
    "new_tokens": [1, 2, 4096],
    "temperature": [0.0, 1.0, 2.0],
    "top_p": [LEAST, 0.5, 1.0],
    "weight": [0.0, 1.0, 1e6],
    "slug": ["a", "0", "a-b", "9a-", "a" * 64],
}
OUTSIDE = {
    "share": [-LEAST, math.nextafter(1.0, 2.0), math.nan],
    "batch_size": [0, -1, 4097, 1.5, True],
    "new_tokens": [0, -1, 4097, "8"],
    "temperature": [-LEAST, math.nextafter(2.0, 3.0), math.inf],
    "top_p": [0.0, -LEAST, math.nextafter(1.0, 2.0)],
    "weight": [-LEAST, math.nextafter(1e6, 1e7), math.inf],
    "slug": ["", "-a", "A", "a b", "a_b", "ä", "a" * 65],
}


@pytest.mark.parametrize(("field", "value"), [(name, one) for name, held in INSIDE.items() for one in held])
def test_what_is_inside_is_held_as_it_is(field: str, value: Any):
    assert getattr(_Held.model_validate({field: value}), field) == value


@pytest.mark.parametrize(("field", "value"), [(name, one) for name, held in OUTSIDE.items() for one in held])
def test_what_is_outside_is_refused(field: str, value: Any):
    with pytest.raises(ValidationError):
        _Held.model_validate({field: value})


def test_a_default_is_held_to_the_same_bounds():
    class Wrong(Section):
        share: Share = 2.0

    with pytest.raises(ValidationError):
        Wrong()


@pytest.mark.parametrize(("seed", "is_one"), [(0, True), (2**32 - 1, True), (2**32, False), (-1, False)])
def test_seeds_are_those_that_every_library_takes(seed: int, is_one: bool):
    from blip_core.recipes import Recipe

    adapter = TypeAdapter(Recipe.model_fields["seed"].rebuild_annotation())
    assert (_validates(adapter, seed)) == is_one


def _validates(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True

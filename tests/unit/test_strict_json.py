import json
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core import strict_json
from blip_core.errors import NotANumber

names = st.text(max_size=4)
finite = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names
values = st.recursive(
    finite, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)
none_numbers = st.sampled_from([nan, inf, -inf])


@st.composite
def broken(draw):
    """A nesting with one number that is none, and the keys that lead to it."""
    value, way = draw(none_numbers), []
    for _ in range(draw(st.integers(0, 4))):
        beside = draw(st.lists(values, max_size=2))
        if draw(st.booleans()):
            place = draw(st.integers(0, len(beside)))
            value, way = [*beside[:place], value, *beside[place:]], [place, *way]
        else:
            name = draw(names)
            value, way = (
                {**{f"{name}{number}x": one for number, one in enumerate(beside)}, name: value},
                [name, *way],
            )
    return value, way


def dotted(way):
    path = ""
    for part in way:
        if isinstance(part, str) and part.isidentifier():
            path += f".{part}" if path else part
        else:
            path += f"[{part!r}]"
    return path or "the value"


@given(values, st.booleans())
def test_what_is_finite_comes_back_as_it_was(value, sort_keys):
    text = strict_json.dumps(value, sort_keys=sort_keys)
    assert strict_json.loads(text) == value
    assert text == json.dumps(value, sort_keys=sort_keys)


@given(broken())
def test_a_number_that_is_none_is_refused_with_the_keys_that_lead_to_it(case):
    value, way = case
    with pytest.raises(NotANumber) as refused:
        strict_json.dumps(value)
    assert str(refused.value).startswith(f"{dotted(way)} is ")


@given(broken())
def test_what_is_refused_for_writing_is_refused_for_reading(case):
    with pytest.raises(NotANumber):
        strict_json.loads(json.dumps(case[0]))


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", "-1e999"])
def test_literals_that_are_no_numbers_are_refused(literal):
    with pytest.raises(NotANumber, match=literal):
        strict_json.loads(f'{{"a": [{literal}]}}')


def test_a_key_that_is_no_number_is_refused():
    with pytest.raises(NotANumber, match=r"a\[nan\] is nan"):
        strict_json.dumps({"a": {nan: 1}})


def test_what_holds_itself_is_no_matter_of_numbers():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular") as refused:
        strict_json.dumps(loop)
    assert not isinstance(refused.value, NotANumber)


def test_the_largest_numbers_are_numbers():
    largest = 1.7976931348623157e308
    assert isfinite(strict_json.loads(strict_json.dumps(largest)))

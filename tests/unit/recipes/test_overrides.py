from string import ascii_lowercase

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from blip_core.errors import RecipeError
from blip_core.recipes.overrides import parse_override

names = st.text(ascii_lowercase + "_", min_size=1).filter(lambda name: name[0] != "_")
values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    st.lists(st.integers(0, 9)),
)


@given(st.lists(names, min_size=1, max_size=4), values)
def test_any_toml_value_comes_back_at_its_path(path, value):
    written = tomli_w.dumps({"value": value}).partition("=")[2].strip()
    patch = parse_override(f"{'.'.join(path)}={written}")
    for name in path:
        assert list(patch) == [name]
        patch = patch[name]
    assert patch == value


@given(st.text())
def test_any_text_gives_a_patch_or_an_error_that_quotes_it(text):
    try:
        outcome = str(len(parse_override(text)))
    except RecipeError as error:
        outcome = str(error)
    assert outcome == "1" or str(RecipeError(text)) in outcome or repr(text) in outcome


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("50", 50),
        ("1e-3", 0.001),
        ("true", True),
        ('"50"', "50"),
        ("pocket/writer", "pocket/writer"),
        ("~/models/a b", "~/models/a b"),
        ("2024-01-01", "2024-01-01"),
        ("a=b", "a=b"),
        ("1\nother = 2", "1\nother = 2"),
        ("{ id = 'x' }", {"id": "x"}),
    ],
)
def test_what_is_no_toml_value_is_text(raw, value):
    assert parse_override(f"section.field={raw}") == {"section": {"field": value}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scenes.count", "there is no '='"),
        ("=3", "is not a field name"),
        ("scenes..count=3", "is not a field name"),
        ("scenes.count=", "there is no value"),
        ('name="open', "is not valid TOML"),
        ("variants=[{", "is not valid TOML"),
        ("a=" + "[" * 5_000, "nested deeper"),
        ("a=" + "{a=" * 5_000, "nested deeper"),
        ("a={" + ".".join("b" * 50) + "=1}", "nested deeper"),
        (".".join("a" * 50) + "=1", "is not a field name"),
        ("a=[1" + "0" * 5_000 + "]", "is not valid TOML"),
        ("a=[1" + "0" * 20 + "]", "beyond 64 bits"),
        ("a=" + "x" * 20_000, "at most 20,000 are read"),
        ("a=\ud800", "no text file can"),
        ("a=b\0c", "no text file can"),
    ],
)
def test_a_malformed_override_says_what_is_wrong(text, said):
    with pytest.raises(RecipeError, match=said):
        parse_override(text)

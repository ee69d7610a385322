"""A shown recipe says of each value where it came from, and can be run again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.recipes import load_recipe, profile_names, recipe_names, show_recipe
from blip_core.recipes.explaining import Layer
from blip_core.recipes.origins import origins_of, write_with_origins
from blip_core.recipes.reading import parse_toml

NAME = st.text("abc.-# ", min_size=1, max_size=4)
VALUE = st.recursive(
    st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=9)
    | st.sampled_from(['"""', "a\nb", "# no comment"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=12,
)


def line(text: str, section: str, field: str) -> str:
    """The line of a field in a section."""
    below = text.partition(f"[{section}]\n")[2].partition("\n[")[0] if section else text
    return next(one for one in below.splitlines() if one.startswith(f"{field} ="))


@pytest.mark.parametrize("profile", profile_names())
@pytest.mark.parametrize("name", recipe_names())
def test_what_is_shown_is_the_same_recipe(tmp_path, name, profile):
    path = tmp_path / "shown.toml"
    path.write_text(show_recipe(name, profile, ["scenes.count=7"]), encoding="utf-8")
    assert load_recipe(str(path)) == load_recipe(name, profile, ["scenes.count=7"])


@pytest.mark.parametrize(
    ("section", "field", "origin"),
    [
        ("", "title", "recipe gallery-vqa"),
        ("", "profile", "--profile"),
        ("scenes", "count", "--set scenes.count=7"),
        ("scenes", "max_calls_factor", "default"),
        ("scenes.model", "id", "profile pocket"),
        ("scenes.model", "dtype", "default"),
        ("labels", "retries", "recipe gallery-vqa"),
    ],
)
def test_each_value_tells_who_wrote_it(section, field, origin):
    shown = show_recipe("gallery-vqa", "pocket", ["scenes.count=7"])
    assert line(shown, section, field).endswith(f"  # {origin}")


def test_the_last_who_wrote_a_value_is_told():
    shown = show_recipe("gallery-vqa", "pocket", ["seed=1", "seed=2"])
    assert line(shown, "", "seed") == "seed = 2  # --set seed=2"


def test_what_a_later_layer_drove_out_is_nobodys():
    before = Layer("first", {"model": {"id": "a", "dtype": "float16"}, "kept": {"x": 1}})
    after = Layer("second", {"model": {"id": "b"}, "kept": {"y": 2}})
    assert origins_of([before, after], [], {}) == {
        ("model", "id"): "second",
        ("kept", "x"): "first",
        ("kept", "y"): "second",
    }


@given(st.dictionaries(NAME, VALUE, max_size=5))
def test_comments_change_no_value(content):
    assert parse_toml(write_with_origins(content, {})) == content


@pytest.mark.parametrize(
    ("content", "headings"),
    [
        ({"a": {"b": {"c": 1}}}, ["[a.b]"]),
        ({"a": {"x": 1, "b": {"c": 1}}}, ["[a]", "[a.b]"]),
        ({"a": {}, "b": {"c": {}}}, ["[a]", "[b.c]"]),
        ({"x": 1}, []),
        ({"x": 1, "a": {"l": [{"y": "z" * 120}] * 2}}, ["[[a.l]]"] * 2),
    ],
)
def test_a_section_has_a_heading_where_a_value_stands_right_below_it(content, headings):
    shown = write_with_origins(content, {})
    assert [line for line in shown.splitlines() if line.startswith("[")] == headings
    assert not shown.startswith("\n")

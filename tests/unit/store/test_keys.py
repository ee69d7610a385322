import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.store import Store, canonical_json, content_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_the_order_of_fields_does_not_matter(inputs: dict):
    backwards = dict(reversed(inputs.items()))

    assert content_key("a", inputs, 1) == content_key("a", backwards, 1)


@pytest.mark.parametrize(
    "other", [content_key("b", {"x": 1}, 1), content_key("a", {"x": 2}, 1), content_key("a", {"x": 1}, 2)]
)
def test_stage_inputs_and_code_version_all_count(other: str):
    assert content_key("a", {"x": 1}, 1) != other


def test_a_new_code_version_of_a_stage_changes_its_keys_alone(tmp_path):
    old, new = Store(tmp_path), Store(tmp_path, code_versions={"scenes": 2})

    assert old.key("scenes", {}) != new.key("scenes", {})
    assert old.key("labels", {}) == new.key("labels", {})


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, {1: "a"}, {"a": [{2: "b"}]}])
def test_what_json_cannot_tell_apart_is_refused(value):
    with pytest.raises(TypeError):
        canonical_json(value)


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"loss": math.nan})

import re
from math import inf, nan

import pytest

from blip_core.errors import FoundryError, NotANumber
from blip_core.finite import check_finite
from blip_core.ports import rows_named


def test_numbers_and_what_is_not_there_pass():
    check_finite("a share", {"value": 0.5, "low": -1e308, "high": None})


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_the_first_that_is_none_is_named(number):
    with pytest.raises(NotANumber, match=re.escape(f"the ladder: low is {number}, where a number")):
        check_finite("the ladder", {"value": 0.5, "low": number, "high": nan})


def test_it_is_an_error_on_purpose_and_a_value_error():
    assert issubclass(NotANumber, FoundryError)
    assert issubclass(NotANumber, ValueError)


def test_a_place_in_a_batch_gets_the_name_of_its_row():
    with (
        pytest.raises(NotANumber, match="park-00001-p0: the model") as named,
        rows_named(["x", "park-00001-p0"]),
    ):
        raise NotANumber("the model gave NaN", place=1)
    assert named.value.place is None


def test_what_names_no_place_goes_through_as_it_is():
    with pytest.raises(NotANumber, match=r"^the server said so$"), rows_named(["x"]):
        raise NotANumber("the server said so")

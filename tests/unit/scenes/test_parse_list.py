import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.scenes import format_list, parse_list

FORMS = [
    ("1. A dog runs.\n2. A cat sleeps.", ["A dog runs.", "A cat sleeps."]),
    ("1) A dog runs.\n2) A cat sleeps.", ["A dog runs.", "A cat sleeps."]),
    ("(1) A dog runs.\n(2) A cat sleeps.", ["A dog runs.", "A cat sleeps."]),
    ("**1.** A dog runs.\n**2. A cat sleeps.**", ["A dog runs.", "A cat sleeps."]),
    ("1. **A dog**: it runs.", ["A dog: it runs."]),
    ("1. 1. A dog runs.", ["A dog runs."]),
    ('1. "A dog runs."', ["A dog runs."]),
    ("Sure! Here is your list:\n\n1. A dog runs.", ["A dog runs."]),
    ("1. A dog runs.\n\nI hope that these help!", ["A dog runs."]),
    ("1. A dog runs\n   over the grass.\n2. A cat sleeps.", ["A dog runs over the grass.", "A cat sleeps."]),
    ("1. **A dog**\n   - runs over the grass", ["A dog runs over the grass"]),
    ("1. A dog runs.\r\n2. A cat sleeps.\r\n", ["A dog runs.", "A cat sleeps."]),
    ("1. A walk of\n3.5 km.", ["A walk of 3.5 km."]),
    ("1. \n2. A cat sleeps.", ["A cat sleeps."]),
    ("There is no list here.", []),
    ("", []),
]

AWKWARD = st.text(alphabet="12.)( *_`-\"'\u201c\u201d\n\r\t ab\u2028\x00[]", max_size=200)


@pytest.mark.parametrize(("text", "items"), FORMS)
def test_reads_the_forms_that_models_use(text, items):
    assert parse_list(text) == items


@given(st.text() | AWKWARD)
def test_no_text_breaks_it_and_no_item_is_empty(text):
    assert all(item.strip() and len(item.splitlines()) == 1 for item in parse_list(text))


@given(st.text() | AWKWARD)
def test_it_reads_its_own_form_back(text):
    items = parse_list(text)
    assert parse_list(format_list(items)) == items


@pytest.mark.parametrize("piece", ["(", "1. ", "*", " ", '"', "\n", "1.\n- ", "_`"])
def test_long_repetitions_are_read_in_linear_time(piece):
    assert len(parse_list(piece * 200_000)) < 20_000

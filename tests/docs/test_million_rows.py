"""The page on a million rows says what `foundry plan` says today."""

import pytest

from docs.generate import PLANNED
from tests.docs.documents import name_of


@pytest.mark.slow
@pytest.mark.parametrize("path", PLANNED, ids=name_of)
def test_a_planned_page_is_what_would_be_planned(path):
    assert path.read_text(encoding="utf-8") == PLANNED[path](), "run `make docs` and commit what it writes"

"""The page of the person on call says of every error what it means and what to do."""

import inspect
import re

from blip_core import errors
from tests.docs.documents import ROOT

PAGE = (ROOT / "docs" / "how-to" / "on-call.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_every_error_has_its_line_with_what_to_look_at_and_what_to_do():
    ours = [name for name, kind in vars(errors).items() if inspect.isclass(kind)]
    rows = {name: cells for name, *cells in _ROW.findall(PAGE)}
    assert sorted(rows) == sorted(name for name in ours if issubclass(getattr(errors, name), Exception))
    assert all(cell.strip() for cells in rows.values() for cell in cells)

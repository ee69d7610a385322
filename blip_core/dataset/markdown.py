"""Tables of a card, in Markdown that nothing in their cells can break."""

import re
from collections.abc import Iterable, Sequence

CELL_CHARACTERS = 160

_SPECIAL = re.compile(r"[\\|`\[\]]")  # cells, code, links and pictures


class Markup(str):
    """Markdown of our own, which a cell shows as what it stands for."""

    __slots__ = ()


def markdown_table(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A table; texts are cut, set on one line and escaped."""
    rule = ["---"] * len(heads)
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in (heads, rule, *lines))


def _cell(value: object) -> str:
    """Text of one cell: on one line, and with nothing that ends the cell or turns into markup."""
    if isinstance(value, Markup):
        return value
    text = " ".join(str(value).split())
    if len(text) > CELL_CHARACTERS:
        text = text[:CELL_CHARACTERS].rstrip() + " …"
    return _SPECIAL.sub(r"\\\g<0>", text.replace("&", "&amp;").replace("<", "&lt;"))

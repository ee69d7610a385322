"""The page that people review on: one file that opens from disk, asks no network and is worked by keys."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.kinds import kind_of
from blip_core.records import Example
from blip_core.reporting.gallery import as_script_data
from blip_core.reporting.html import content_policy
from blip_core.reporting.pictures import picture_uri
from blip_core.reviewing.choosing import Choice

if TYPE_CHECKING:
    from jinja2 import Template

REASONS = (
    "the answer is wrong",
    "several options are right",
    "it cannot be seen in the picture",
    "it can be answered without the picture",
    "the picture is broken",
    "the text is harmful or private",
)
"""Why rows are dropped, by the digits 1 to 6; other reasons are written."""

PICTURE_BYTES = 40_000

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What the page shows.

    Attributes:
        title: its heading.
        digest: of the dataset, which the decisions will name.
        chosen: rows to look at, in order.
        why: how they were chosen, for people.
    """

    title: str
    digest: str
    chosen: Sequence[Choice]
    why: str


def write_page(page: ReviewPage, rows: Iterable[Example], path: Path) -> None:
    """Write the page.

    Args:
        page: see `ReviewPage`.
        rows: those chosen at least, in any order; one at a time is held.
        path: of the file.

    Raises:
        TableError: A picture that has to be made smaller cannot be read.
    """
    style, script = _part("review.css"), _part("review.js")
    text = _template().render(
        title=page.title,
        why=page.why,
        policy=content_policy(style, script),
        style=style,
        script=script,
        data=as_script_data(_data(page, rows)),
    )
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text.lstrip(), encoding="utf-8")
    unfinished.replace(path)


def _data(page: ReviewPage, rows: Iterable[Example]) -> dict[str, Any]:
    place = {one.id: number for number, one in enumerate(page.chosen)}
    chosen = {one.id: one for one in page.chosen}
    pictures: dict[str, str] = {}
    names: dict[str, str] = {}
    found: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        if row.id in place:
            name = names.setdefault(hashlib.sha256(row.image).hexdigest(), f"p{len(names)}")
            pictures.setdefault(name, picture_uri(row.image, PICTURE_BYTES, f"picture of {row.id}"))
            found[place[row.id]] = _row(row, name, chosen[row.id])
    return {
        "digest": page.digest,
        "page": hashlib.sha256("\n".join(place).encode()).hexdigest(),
        "reasons": REASONS,
        "rows": [found[number] for number in sorted(found)],
        "pictures": pictures,
    }


def _row(row: Example, picture: str, chosen: Choice) -> dict[str, Any]:
    kind = kind_of(row.task)
    return {
        "id": row.id,
        "picture": picture,
        "why": chosen.why,
        "refused": chosen.refused,
        "notes": [row.category, row.kind],
        "asks": kind.asks,
        "hasOptions": kind.has_options,
        "context": row.context,
        "question": row.question,
        "options": list(row.options[: row.offered]) if kind.has_options else [],
        "answer": row.answer,
        "text": row.target,
        "description": row.description,
    }


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_part("review.html.j2"))


@cache
def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")

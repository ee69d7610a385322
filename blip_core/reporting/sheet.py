"""The sheet of a run: what every variant made of the same prompts about the same pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from blip_core import strict_json
from blip_core.reporting.pictures import picture_uri

_PICTURE_BYTES = 24_000
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The same prompts for every variant</title>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
table { border-collapse: collapse; margin-bottom: 2rem }
th, td { border-top: 1px solid #d8dbe0; padding: .4rem .7rem; text-align: left; vertical-align: top }
td { max-width: 20rem; overflow-wrap: anywhere }
img { image-rendering: pixelated; width: 12rem }
</style></head><body><h1>The same prompts for every variant</h1>
"""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One prompt about one picture, and what each variant wrote."""

    picture: str
    prompt: str
    said: Mapping[str, str]


def write_sheet(page: Path, rows: Path, filled: Sequence[SheetRow], pictures: Mapping[str, bytes]) -> None:
    """Write the sheet as a page that needs nothing beside it, and its rows as a JSON object a line.

    Args:
        page: where the page goes.
        rows: where the rows go.
        filled: the rows, those of one picture together.
        pictures: encoded, by their names in the rows.
    """
    lines = [strict_json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in filled]
    rows.write_text("".join(lines), encoding="utf-8")
    parts = [
        _table(picture, [*ones], pictures[picture])
        for picture, ones in groupby(filled, key=lambda row: row.picture)
    ]
    page.write_text(f"{_HEAD}{''.join(parts)}</body></html>\n", encoding="utf-8")


def read_filled(rows: Path) -> list[dict[str, str]]:
    """The rows of a sheet as a table: picture, prompt and a column a variant."""
    told = [strict_json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    return [{"picture": one["picture"], "prompt": one["prompt"], **one["said"]} for one in told]


def _table(name: str, rows: Sequence[SheetRow], picture: bytes) -> str:
    variants = [*rows[0].said]
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in variants)
    body = "".join(
        f'<tr><th scope="row">{escape(row.prompt)}</th>'
        + "".join(f"<td>{escape(row.said[one])}</td>" for one in variants)
        + "</tr>\n"
        for row in rows
    )
    shown = f'<img src="{picture_uri(picture, _PICTURE_BYTES, name)}" alt="{escape(name)}">'
    heading = f"<thead><tr><th>prompt</th>{head}</tr></thead>"
    return f"<h2>{escape(name)}</h2>{shown}<table>{heading}\n<tbody>{body}</tbody></table>\n"

"""What parts two datasets: lines for a terminal, JSON values, and a page that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from blip_core.dataset.comparing import Difference, Drift
from blip_core.records import Example
from blip_core.reporting.pictures import picture_uri
from blip_core.reporting.words import p_words

_SHOWN_IDS = 50
_PICTURE_BYTES = 24_000
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Two datasets</title>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
table { border-collapse: collapse; margin-bottom: 1.5rem }
th, td { border-top: 1px solid #d8dbe0; padding: .3rem .7rem; text-align: left; vertical-align: top }
td.n { text-align: right }
figure { display: inline-block; margin: 0 1rem 1rem 0; max-width: 14rem; vertical-align: top }
img { image-rendering: pixelated; width: 12rem }
figcaption, .soft { color: #555b66; font-size: 90%; overflow-wrap: anywhere }
</style></head><body>
"""


def difference_lines(difference: Difference, embedded: float | None = None) -> list[str]:
    """Rows of both, what came, went, changed or moved, and how far shares have drifted; a line each.

    Args:
        difference: what parts them.
        embedded: distance of their texts' embeddings, where it was measured.
    """
    one = difference
    lines = [
        f"rows: {one.before:,} before, {one.after:,} after",
        f"added {len(one.added):,}, removed {len(one.removed):,}, changed {len(one.changed):,}, "
        f"in another split {len(one.moved):,}",
        *(_drift_line(drift) for drift in one.drifts),
    ]
    if embedded is not None:
        lines.append(f"texts: their mean embeddings lie {embedded:.3f} apart (0 the same, 2 opposite)")
    for name in ("removed", "changed", "moved"):
        ids = getattr(one, name)
        if ids:
            more = f" and {len(ids) - _SHOWN_IDS:,} more" if len(ids) > _SHOWN_IDS else ""
            lines.append(f"{name}: {', '.join(ids[:_SHOWN_IDS])}{more}")
    return lines


def difference_entry(difference: Difference, embedded: float | None = None) -> dict[str, Any]:
    """The same as JSON values, with the ids of all rows."""
    return {**asdict(difference), "extends": difference.extends, "embedding_distance": embedded}


def write_difference(
    path: Path,
    names: tuple[str, str],
    difference: Difference,
    added: Sequence[Example],
    embedded: float | None = None,
) -> None:
    """Write the page.

    Args:
        path: of the page.
        names: of the two datasets.
        difference: what parts them.
        added: some of the rows that came, which are shown.
        embedded: see `difference_lines`.
    """
    lines = "".join(f"<li>{escape(line)}</li>" for line in difference_lines(difference, embedded))
    tables = "".join(_drift_table(drift, difference.extends) for drift in difference.drifts)
    shown = "".join(_figure(row) for row in added)
    samples = f"<h2>Some of the rows that came</h2>{shown}" if shown else ""
    title = f"<h1>{escape(names[0])} and {escape(names[1])}</h1>"
    path.write_text(f"{_HEAD}{title}<ul>{lines}</ul>{tables}{samples}</body></html>\n", encoding="utf-8")


def _drift_line(drift: Drift) -> str:
    return f"{drift.of}: distance {drift.distance:.3f} (0 the same shares, 1 disjoint), p {p_words(drift.p)}"


def _drift_table(drift: Drift, extends: bool) -> str:
    names = sorted({*drift.before, *drift.after})
    if not names:
        return ""
    later = "new rows" if extends else "after"
    rows = "".join(
        f"<tr><th>{escape(name)}</th>{_cell(drift.before, name)}{_cell(drift.after, name)}</tr>"
        for name in names
    )
    heading = f"<h2>{escape(drift.of.capitalize())}</h2><p class='soft'>{escape(_drift_line(drift))}</p>"
    return f"{heading}<table><tr><th></th><th>before</th><th>{later}</th></tr>{rows}</table>"


def _cell(counts: Mapping[str, int], name: str) -> str:
    total = sum(counts.values())
    share = counts.get(name, 0) / total if total else 0.0
    return f"<td class='n'>{counts.get(name, 0):,} <span class='soft'>{share:.1%}</span></td>"


def _figure(row: Example) -> str:
    told = f"{row.id}: {row.question} {row.answer} {row.target}. {row.description}"
    picture = picture_uri(row.image, _PICTURE_BYTES, row.id)
    return f'<figure><img alt="" src="{picture}"><figcaption>{escape(told)}</figcaption></figure>'

"""One self-contained page of a run: no script, no outside request, everything a model wrote escaped."""

import base64
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core import figures
from blip_core.records import LETTERS
from blip_core.reporting.ladder import Ladder
from blip_core.reporting.summary import Summary
from blip_core.reporting.terminal import p_words
from blip_core.reporting.words import share_words

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, slots=True)
class Sample:
    """One example of the dataset; `picture` holds encoded bytes, PNG or JPEG."""

    picture: bytes
    scene: str
    description: str
    question: str
    options: tuple[str, str, str, str]
    answer: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the page shows.

    Attributes:
        title: its heading.
        summary: the run as programs see it.
        ladder: the variants side by side.
        curve: rows of the loss curve as `blip_core.figures.loss_curve` takes them; may be empty.
        sheet_png: the encoded picture sheet; may be empty.
        samples: a few examples of the dataset.
        recipe_toml: the resolved recipe.
        note: what a reader has to know of the scores.
    """

    title: str
    summary: Summary
    ladder: Ladder
    curve: Sequence[Mapping[str, float]] = ()
    sheet_png: bytes = b""
    samples: Sequence[Sample] = ()
    recipe_toml: str = ""
    note: str = ""


def render_report(report: Report) -> str:
    """The page as HTML."""
    return _template().render(
        report=report,
        summary=report.summary,
        ladder=report.ladder,
        letters=LETTERS,
        ladder_image=_figure(figures.ladder, report.ladder.scores) if report.ladder.rungs else "",
        curve_image=_figure(figures.loss_curve, report.curve) if report.curve else "",
        sheet_image=_data_uri(report.sheet_png, "image/png") if report.sheet_png else "",
    )


def write_report(report: Report, path: Path) -> Path:
    """Write the page to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_report(report), encoding="utf-8")
    return path


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "share": share_words,
        "points": lambda value: f"{100 * value:+.1f}",
        "p": p_words,
        "picture": lambda data: _data_uri(data, _media_type(data)),
    }
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _figure(draw: Any, rows: Sequence[Any]) -> str:
    """Draw a figure as SVG inside an `img`, where nothing it holds can act on the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = draw(rows, Path(folder) / "figure.svg")
        return _data_uri(path.read_bytes(), "image/svg+xml")


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _media_type(data: bytes) -> str:
    return "image/jpeg" if data.startswith(b"\xff\xd8") else "image/png"

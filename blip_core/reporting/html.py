"""One self-contained page of a run: no outside request, one script, everything a model wrote escaped."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from blip_core.curation import GateCount
from blip_core.records import OPTION_LETTERS, Example
from blip_core.reporting import tables
from blip_core.reporting.doubts import doubt_cells
from blip_core.reporting.drawings import FIGURES, draw_learning, draw_scores
from blip_core.reporting.findings import findings_cells
from blip_core.reporting.funnel import funnel_cells, sample_cells
from blip_core.reporting.gallery import Answers, Gallery, as_script_data, build_gallery
from blip_core.reporting.labellers import LabellerTables
from blip_core.reporting.ladder import Ladder
from blip_core.reporting.pictures import data_uri, picture_uri
from blip_core.reporting.published import published_cells
from blip_core.reporting.summary import Summary
from blip_core.reporting.words import cost_words, p_words, share_words
from blip_core.scoring import BY_LETTER

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent
_SAMPLE_BYTES = 40_000
_SHEET_BYTES = 600_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One example of the dataset; `picture` holds encoded bytes, PNG, JPEG or WebP."""

    picture: bytes
    scene: str
    description: str
    question: str
    options: Sequence[str]
    answer: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the page shows; a part for which there is nothing is left out with its heading.

    Attributes:
        title: its heading.
        summary: the run as programs see it.
        ladder: the variants side by side.
        scores: the JSON object that the ladder came from; of it come parts, modes and calibration.
        answers: predictions by variant, in the order of the ladder; may be empty.
        examples: the rows that were answered, for the gallery; read once.
        curve: rows of the loss curve as `blip_core.figures.loss_curve` takes them; may be empty.
        drawn: figures of scores and curve, where they are drawn already.
        watched: what the model said of a few rows while it was tuned, as rows of `samples.jsonl`.
        sheet_png: the encoded picture sheet; may be empty.
        samples: a few examples of the dataset.
        recipe_toml: the resolved recipe.
        note: what a reader has to know of the scores.
        labellers: those of several phases side by side; None where there is one.
        gates: what each gate saw and refused, in order; may be empty.
        made: metadata of the dataset, of which measured doubts are told; may be empty.
    """

    title: str
    summary: Summary
    ladder: Ladder
    scores: Mapping[str, Any] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    examples: Iterable[Example] = ()
    curve: Sequence[Mapping[str, float]] = ()
    drawn: Sequence[Path] = ()
    watched: Sequence[Mapping[str, Any]] = ()
    sheet_png: bytes = b""
    samples: Sequence[Sample] = ()
    recipe_toml: str = ""
    note: str = ""
    labellers: LabellerTables | None = None
    gates: Sequence[GateCount] = ()
    made: Mapping[str, Any] = field(default_factory=dict)


def render_report(report: Report) -> str:
    """The page as HTML.

    Raises:
        TableError: A picture that has to be made smaller cannot be read.
    """
    style, script = _part("report.css"), _part("report.js")
    return (
        _template()
        .render(
            report=report,
            summary=report.summary,
            ladder=report.ladder,
            letters=OPTION_LETTERS,
            policy=content_policy(style, script),
            style=style,
            script=script,
            watched=sorted(report.watched, key=lambda one: (one["id"], one["step"])),
            sheet_image=picture_uri(report.sheet_png, _SHEET_BYTES) if report.sheet_png else "",
            **_figures(report),
            **_tables(report),
            **_gallery(report),
        )
        .lstrip()
    )


def write_report(report: Report, path: Path) -> Path:
    """Write the page to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_report(report), encoding="utf-8")
    return path


def content_policy(style: str, script: str) -> str:
    """What a browser may do with the page: show its pictures, and use this very style and script.

    Nothing may be fetched or sent, no other script runs, and no text can be turned into markup. The block of
    data needs no leave, as browsers never execute its type.
    """
    rules = (
        "default-src 'none'",
        "img-src data:",
        f"style-src '{_hash_of(style)}'",
        f"script-src '{_hash_of(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    )
    return "; ".join(rules)


def _figures(report: Report) -> dict[str, str]:
    """Addresses of the figures by their names in the template; empty where there is nothing to draw.

    They are SVG inside an `img`, where nothing that a figure holds can act on the page.
    """
    with TemporaryDirectory() as folder:
        drawn = report.drawn or [
            *draw_scores(report.ladder, report.scores, Path(folder)),
            *draw_learning(report.curve, Path(folder)),
        ]
        addresses = {path.name: data_uri(path.read_bytes(), "image/svg+xml") for path in drawn}
    return {f"{Path(name).stem}_image": addresses.get(name, "") for name in FIGURES}


def _tables(report: Report) -> dict[str, Any]:
    rungs = report.ladder.rungs
    parts = {
        "kind": tables.parts(report.scores, "by_kind"),
        "category": tables.parts(report.scores, "by_category"),
    }
    first = next(iter(report.answers.values()), ())
    return {
        "has": {
            "circular": any(rung.circular for rung in rungs),
            "free": any(rung.free for rung in rungs),
            "calibration": any(rung.calibration_error is not None for rung in rungs),
        },
        "modes": tables.modes(report.scores),
        "parts": {heading: lines for heading, lines in parts.items() if lines},
        "captions": tables.captions(report.scores),
        "measures": tables.measures(report.ladder),
        "findings": findings_cells(report.summary.findings),
        "funnel": funnel_cells(report.gates),
        "doubts": doubt_cells(report.made),
        "gated": sample_cells(report.gates),
        "published": published_cells(report.summary.published),
        "confusions": tables.confusions(report.answers),
        "unknown": sum(not row.truth for row in first),
        "value": report.ladder.value_words,
        "has_options": report.ladder.ranking == BY_LETTER,
    }


def _gallery(report: Report) -> dict[str, Gallery | str | None]:
    if not any(report.answers.values()):
        return {"gallery": None, "gallery_data": ""}
    gallery = build_gallery(report.answers, report.examples, report.scores.get("candidates", ()))
    return {"gallery": gallery, "gallery_data": as_script_data(gallery.data)}


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "share": share_words,
        "width": lambda share: f"{100 * share:.1f}%",
        "count": lambda number: f"{number:,}",
        "points": lambda value: f"{100 * value:+.1f}",
        "p": p_words,
        "cost_words": lambda stage: cost_words({"costs": stage.costs}),
        "picture": lambda data: picture_uri(data, _SAMPLE_BYTES),
    }
    return environment.from_string(_part("report.html.j2"))


@cache
def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash_of(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"

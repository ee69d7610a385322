"""Says in Prefect and MLflow what came of a growth, and calls somebody where a bound is passed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prefect import Flow, State
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event

from blip_core.dataset.comparing import Drift, rows_of
from blip_core.dataset.growth import balance_of
from blip_core.reporting import GrowthSummary
from blip_core.reporting.growth import growth_lines, growth_page
from flows.failures import failure_sentence
from flows.growing.growing import Growth, line_of
from flows.recording import Recorder
from tasks.stage import path_of

GROWN = "foundry.dataset.grown"
ALERT = "foundry.dataset.alert"
RESOURCE = "foundry.line"
CLEAR_P = 0.01  # a drift is told only where chance alone would not give it as often as this


@dataclass(frozen=True, slots=True)
class Bounds:
    """What somebody is called for, besides a growth that brings nothing.

    Attributes:
        refused: largest share of the questions asked that may become no row.
        drift: largest distance that shares of letters, kinds or categories may move.
    """

    refused: float
    drift: float


def keep_growth(recorder: Recorder, growth: Growth, bounds: Bounds) -> dict[str, Any]:
    """Tell MLflow, Prefect and whoever listens to its events; gives the growth as programs see it."""
    summary = summarise_growth(growth, bounds)
    recorder.run.metrics(growth_metrics(summary))
    recorder.run.tags(
        {
            "foundry.version": summary.version,
            "foundry.parent": summary.parent,
            "foundry.line": line_of(growth.recipe).key,
            "foundry.alert": " ".join(summary.alerts),
        }
    )
    create_markdown_artifact(growth_page(summary), key="growth", description=growth_lines(summary)[0])
    for line in growth_lines(summary):
        recorder.page.say(line)
    tell(summary.line, GROWN if summary.is_new else ALERT, asdict(summary))
    if summary.is_new and summary.alerts:
        tell(summary.line, ALERT, asdict(summary))
    return asdict(summary)


def summarise_growth(growth: Growth, bounds: Bounds) -> GrowthSummary:
    """A growth as programs see it, with what somebody should look at."""
    before = growth.parent if growth.is_new else growth.version
    scenes = growth.version.scenes - (before.scenes if before else 0)
    added = growth.version.rows - (before.rows if before else 0)
    asked = scenes * growth.recipe.labels.per_picture
    rows = [(row.answer, row.category) for _, row in rows_of(path_of(growth.dataset))]
    drifts = growth.difference.drifts if growth.difference else ()
    refused = 1 - added / asked if asked else 0.0
    return GrowthSummary(
        line=line_of(growth.recipe).name,
        version=growth.version.digest,
        parent=growth.version.parent,
        is_new=growth.is_new,
        rows=growth.version.rows,
        added=added,
        asked=asked,
        refused_share=refused,
        balance=balance_of([letter for letter, _ in rows], [category for _, category in rows]),
        drift={one.of: one.distance for one in drifts},
        stopped=growth.stopped,
        alerts=tuple(_alerts(growth, refused, drifts, bounds)),
    )


def growth_metrics(summary: GrowthSummary) -> dict[str, float]:
    """Figures of a growth under the names that MLflow draws their course by."""
    return {
        "growth/rows": float(summary.rows),
        "growth/added": float(summary.added),
        "growth/refused_share": summary.refused_share,
        "growth/balance": summary.balance,
        "growth/alerts": float(len(summary.alerts)),
        **{f"growth/drift_{name}": distance for name, distance in summary.drift.items()},
    }


def alert_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Call somebody where a regeneration fails: nothing came of it; to be named as `on_failure`."""
    sentence = failure_sentence(state.result(raise_on_failure=False))
    named = [str(flow_run.parameters.get(name, "")) for name in ("recipe", "profile")]
    tell(" ".join(filter(None, named)), ALERT, {"alerts": [f"the run failed: {sentence}"]})


def tell(line: str, event: str, payload: Mapping[str, Any]) -> None:
    """Emit an event about a line of growth, which automations listen to."""
    slug = re.sub(r"[^a-z0-9]+", "-", line.lower()).strip("-")
    resource = {"prefect.resource.id": f"{RESOURCE}.{slug}", "prefect.resource.name": line}
    emit_event(event, resource=resource, payload=dict(payload))


def _alerts(growth: Growth, refused: float, drifts: tuple[Drift, ...], bounds: Bounds) -> Iterator[str]:
    if not growth.is_new:
        yield f"nothing came{f': {growth.stopped}' if growth.stopped else ', the target was reached before'}"
        return
    if refused > bounds.refused:
        yield f"{refused:.0%} of the questions asked became no row, and {bounds.refused:.0%} is the bound"
    for one in drifts:
        if one.distance > bounds.drift and one.p < CLEAR_P:
            yield (
                f"the {one.of} of the new rows lie {one.distance:.2f} from those before "
                f"(p {one.p:.2g}), and {bounds.drift:.2f} is the bound"
            )
    if growth.difference and not growth.difference.extends:
        lost, moved = len(growth.difference.removed), len(growth.difference.moved)
        changed = len(growth.difference.changed)
        yield (
            f"earlier rows did not stay: {lost} are gone, {changed} changed, {moved} are in another split; a "
            "gate that weighs later rows against earlier ones does that"
        )

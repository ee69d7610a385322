"""The labellers of a run's phases side by side, where the same pictures were labelled by more than one."""

from dataclasses import asdict
from typing import Any

from blip_core.records import Label
from blip_core.reporting import LabellerTables, labeller_tables
from blip_core.scoring.labellers import Agreement, Labelled, LabellerFigures, agreements, figures_of
from blip_core.store import Artifact, ArtifactRef, read_rows
from blip_core.wiring import workplace
from flows.phases import Phases
from flows.recording import Recorder
from tasks.label_pictures import FILE
from tasks.stage import metadata_of


def keep_labellers(recorder: Recorder, made: Phases) -> LabellerTables | None:
    """Keep figures of all labellers, and give what the page shows; None for one alone."""
    own = {name: _labels_of(made.datasets.get(name)) for name in made.names}
    if len({labels.key for labels in own.values() if labels}) < 2:
        return None  # phases that share their labels are one labeller
    labelled = [_labelled(name, made.datasets[name], labels) for name, labels in own.items() if labels]
    pairs = agreements(labelled)
    if not pairs:
        return None
    figures = [figures_of(one) for one in labelled]
    recorder.run.metrics(_metrics(figures, pairs))
    recorder.run.table([asdict(one) for one in figures], "labellers.json")
    recorder.run.table([asdict(one) for one in pairs], "labellers-agree.json")
    return labeller_tables(figures, pairs)


def _labels_of(dataset: ArtifactRef | None) -> Artifact | None:
    """What was labelled for a phase's own rows; None where they were mixed, or came with their answers."""
    key = metadata_of(dataset).get("made_from", {}).get("labels") if dataset else None
    return workplace().store.find(key) if key else None


def _labelled(phase: str, dataset: ArtifactRef, labels: Artifact) -> Labelled:
    told = labels.metadata
    gates = {one["gate"]: (one["seen"], one["refused"]) for one in metadata_of(dataset)["gates"]}
    named = told["settings"]["labels"]["model"]
    return Labelled(
        phase,
        str(named.get("id") or named["served_model"]),
        str(told["made_from"]["pictures"]),
        int(told["asked"]),
        list(read_rows(labels.path / FILE, Label)),
        gates,
    )


def _metrics(figures: list[LabellerFigures], pairs: list[Agreement]) -> dict[str, float]:
    told: dict[str, Any] = {
        f"labels/{one.name}/{name}": value
        for one in figures
        for name, value in asdict(one).items()
        if isinstance(value, float)
    }
    for pair in pairs:
        told |= {
            f"labels/{pair.a}_{pair.b}/{name}": getattr(pair, name) for name in ("descriptions", "answers")
        }
    return told

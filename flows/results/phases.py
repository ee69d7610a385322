"""What each phase of a run hands over: its rows, its adapter, what was said of its evaluation rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core import figures
from blip_core.curation import GateCount
from blip_core.dataset import read_split
from blip_core.records import Example
from blip_core.reporting import AdapterSummary, DatasetSummary, PhaseSummary
from blip_core.reporting.doubts import doubt_metrics
from blip_core.reporting.funnel import funnel_metrics, funnel_rows
from blip_core.scoring import main_score, ranking_of
from blip_core.store import ArtifactRef
from flows.phases import Phases
from flows.recording import ANSWERING, Recorder
from flows.results.training import TUNING, Learning, keep_learning, training_summary
from tasks.stage import in_phase, metadata_of, path_of
from tasks.tune_adapter import ADAPTER

SHEET = "pictures.png"
SHEET_PICTURES = 20


def keep_earlier(recorder: Recorder, folder: Path, made: Phases, scores: Mapping[str, Any]) -> None:
    """Keep what the phases before the last one made, each in a folder and a run of its own."""
    for name in made.names[:-1]:
        (folder / name).mkdir(exist_ok=True)
        if name in made.datasets:
            keep_dataset(recorder, folder / name, made.datasets[name], name)
        if name in made.adapters:
            keep_adapter(recorder, folder / name, name, made.adapters[name], scores)


def keep_adapter(
    recorder: Recorder,
    folder: Path,
    phase: str,
    adapter: ArtifactRef,
    scores: Mapping[str, Any],
    won: bool = False,
) -> Learning:
    """Register the adapter of a phase and draw how it learnt; gives what shows it.

    That of the last phase bears the recipe's name, those of others their phase's as well. `champion` is an
    adapter that `won`: whose variant beats the same model without it by the recipe's rule.
    """
    recipe, tuning = recorder.recipe, in_phase(TUNING, phase)
    learning = keep_learning(recorder, folder, adapter, tuning)
    tuned = [variant.name for variant in recipe.variants if recipe.phase_of(variant) == phase]
    judged = [name for name in tuned if name in scores["variants"]]
    measure = ranking_of(scores).metric
    metrics = {f"{measure}_{name}": main_score(scores["variants"][name])["value"] for name in judged}
    name = recipe.name if phase == recipe.last_phase else f"{recipe.name}-{phase}"
    child = recorder.children.get(tuning, recorder.run)
    child.adapter(
        path_of(adapter) / ADAPTER,
        f"{name}-adapter",
        metrics,
        digest=adapter.digest,
        champion=won,
        served={"recipe": recipe.to_toml(), "phase": phase},
    )
    return learning


def keep_sets(recorder: Recorder, scores: Mapping[str, Any]) -> None:
    """Keep what was said of the rows of phases: means of all measures, with the run of each variant."""
    for phase, variants in scores.get("sets", {}).items():
        for name, means in variants.items():
            child = recorder.children.get(in_phase(f"{ANSWERING}{name}", phase))
            if child is not None:
                child.metrics({f"eval/{measure}": mean for measure, mean in means.items()})


def one_a_picture(rows: Sequence[Example]) -> list[Example]:
    """The first question of every picture."""
    return list({row.picture_id: row for row in reversed(rows)}.values())[::-1]


def keep_dataset(recorder: Recorder, folder: Path, dataset: ArtifactRef, phase: str) -> list[Example]:
    """Log a phase's dataset as the run's input, with a sheet of its pictures; gives the rows shown."""
    name = "-".join(filter(None, (recorder.recipe.name, phase)))
    recorder.run.dataset(name, dataset.digest, path_of(dataset), dataset.rows)
    recorder.run.tags({"foundry.dataset_digest": dataset.digest})
    keep_funnel(recorder, gates_of(dataset), phase)
    recorder.children.get(in_phase("dataset", phase), recorder.run).metrics(
        doubt_metrics(metadata_of(dataset))
    )
    samples = one_a_picture(read_split(path_of(dataset), "train"))[:SHEET_PICTURES]
    sheet = figures.contact_sheet([row.image for row in samples], [_caption(row) for row in samples])
    sheet.save(folder / SHEET)
    for run in recorder.runs_of(in_phase("labels", phase)):
        run.artifact(folder / SHEET)
    return samples


def keep_funnel(recorder: Recorder, gates: Sequence[GateCount], phase: str) -> None:
    """Keep what the gates of a phase saw and refused, as metrics of its dataset's run and as a table."""
    if not gates:
        return
    child = recorder.children.get(in_phase("dataset", phase), recorder.run)
    child.metrics(funnel_metrics(gates))
    child.table(funnel_rows(gates), "funnel.json")


def _caption(row: Example) -> str:
    return f"{row.question}\n{row.answer}: {row.target}\n{row.description}"


def summarise_phase(made: Phases, name: str) -> PhaseSummary:
    """A phase as programs see it."""
    dataset, adapter = made.datasets.get(name), made.adapters.get(name)
    return PhaseSummary(
        dataset=summarise_dataset(dataset) if dataset else None,
        adapter=summarise_adapter(adapter) if adapter else None,
    )


def summarise_dataset(dataset: ArtifactRef) -> DatasetSummary:
    """The dataset as programs see it."""
    made = metadata_of(dataset)
    gates = {one.gate: (one.seen, one.refused) for one in gates_of(dataset)}
    return DatasetSummary(str(path_of(dataset)), dataset.digest, made["splits"], made["rejected"], gates)


def gates_of(dataset: ArtifactRef) -> list[GateCount]:
    """What each gate saw and refused, in order; none of a mixture."""
    return [GateCount.from_dict(one) for one in metadata_of(dataset).get("gates", ())]


def summarise_adapter(adapter: ArtifactRef) -> AdapterSummary:
    """The adapter as programs see it."""
    told = training_summary(metadata_of(adapter))
    return AdapterSummary(str(path_of(adapter) / ADAPTER), adapter.digest, told)

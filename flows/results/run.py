"""What a finished run hands over: figures, tables, a registered adapter, links between pages, a summary."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blip_core import strict_json
from blip_core.recipes import Recipe
from blip_core.records import Example, Prediction
from blip_core.reporting import (
    POCKET_NOTE,
    ChampionSummary,
    LabellerTables,
    Ladder,
    MlflowSummary,
    PhaseSummary,
    Report,
    Sample,
    ScoresSummary,
    StageSummary,
    Summary,
    draw_scores,
    findings_of,
    from_scores,
    published_of,
    summarise_comparisons,
    summarise_variants,
    write_report,
)
from blip_core.reporting.sheet import read_filled
from blip_core.scoring import (
    Decision,
    Finding,
    decide,
)
from blip_core.scoring.published import BesidePublished
from blip_core.store import ArtifactRef
from blip_core.tracking.runs import JournalledRun
from blip_core.wiring import evaluation_examples
from flows.phases import Phases
from flows.recording import ANSWERING, Recorder
from flows.results.adapter_cards import stored_card
from flows.results.drawn_once import drawn_once
from flows.results.labellers import keep_labellers
from flows.results.metrics import finding_metrics, finding_row, gain_metrics, headline, variant_metrics
from flows.results.pages import REPORT, show_results
from flows.results.phases import (
    SHEET,
    gates_of,
    keep_adapter,
    keep_dataset,
    keep_earlier,
    keep_sets,
    summarise_adapter,
    summarise_dataset,
    summarise_phase,
)
from flows.results.training import TUNING, Learning
from flows.variants.named_adapter import NamedAdapter
from tasks import fill_sheet
from tasks.compare import read_scores
from tasks.predict_variant import FILE as PREDICTIONS
from tasks.predict_variant import read_predictions
from tasks.stage import in_phase, metadata_of, path_of
from tasks.tune_adapter import ADAPTER, remembered_of

SCORES = "scores.json"
NO_PHASES: Mapping[str, PhaseSummary] = {}
CHAMPION = "champion.json"
ADAPTER_CARD = "adapter-card.md"
SHOWN_SAMPLES = 6
TABLE_ROWS = 200  # what MLflow's table view shows at ease; all rows are in the Parquet file beside it
_PROMPT_CHARS = 200  # longer settings are read in recipe.toml


def keep_results(recorder: Recorder, made: Phases, scores: ArtifactRef | None = None) -> dict[str, Any]:
    """Record what a run made, in MLflow and in Prefect, and sum it up."""
    folder = recorder.place.reports / recorder.run.id
    folder.mkdir(parents=True, exist_ok=True)
    keep_recipe(recorder.recipe, recorder.run)
    told = read_scores(scores) if scores else {"variants": {}, "comparisons": []}
    keep_earlier(recorder, folder, made, told)
    dataset, adapter = made.datasets.get(made.last), made.adapters.get(made.last)
    samples = keep_dataset(recorder, folder, dataset, made.last) if dataset else []
    decision = None
    if scores and adapter:
        decision = decide(recorder.recipe.champion, told, remembered_of(adapter))
    won = decision is not None and decision.won
    learning = keep_adapter(recorder, folder, made.last, adapter, told, won) if adapter else Learning()
    if decision:
        keep_decision(recorder, folder, decision)
    ladder = from_scores(told)
    report = folder / REPORT if scores else None
    findings = findings_of(told)
    phases = {name: summarise_phase(made, name) for name in made.names if name}
    beside = published_of(told)
    held = ScoresSummary(str(path_of(scores)), scores.digest) if scores else None
    summary = summarise(recorder, dataset, adapter, ladder, report, decision, findings, phases, beside, held)
    if scores and adapter:
        keep_card(recorder, folder, adapter, told)
    if scores:
        keep_scores(recorder, folder, told, ladder)
        drawn = [*keep_figures(recorder, folder, scores.digest, told, ladder), *learning.drawn]
        labellers = keep_labellers(recorder, made)
        write_page(recorder, folder, summary, told, dataset, learning, samples, drawn, labellers)
    recorder.run.metrics(counts(dataset, adapter))
    show_results(recorder, summary, ladder, score_note(recorder.recipe) if scores else "")
    return summary.to_dict()


def counts(dataset: ArtifactRef | None, adapter: ArtifactRef | None) -> dict[str, float]:
    """What a run counted besides its scores; after them, as MLflow compares runs by what they told first."""
    told: dict[str, float] = {}
    if dataset:
        told |= {f"dataset/{split}": float(rows) for split, rows in metadata_of(dataset)["splits"].items()}
    best = metadata_of(adapter)["best_validation_loss"] if adapter else None
    return told if best is None else told | {"eval/loss": best}


def keep_scores(recorder: Recorder, folder: Path, told: Mapping[str, Any], ladder: Ladder) -> None:
    """Keep every variant's answers and scores."""
    (folder / SCORES).write_text(strict_json.dumps(told, indent=1), encoding="utf-8")
    for name, values in told["variants"].items():
        gain = gain_metrics(ladder.comparison_for(name))
        keep_variant(recorder, name, variant_metrics(values, ladder.ranking) | gain)
    recorder.run.metrics(headline(ladder))
    keep_sets(recorder, told)
    keep_findings(recorder, findings_of(told))
    keep_filled_sheet(recorder, folder)


def keep_figures(
    recorder: Recorder, folder: Path, digest: str, told: Mapping[str, Any], ladder: Ladder
) -> list[Path]:
    """Keep the figures of all scores, which a digest names; gives them."""
    drawn = drawn_once(
        recorder.place.store, {"scores": digest}, folder, lambda made: draw_scores(ladder, told, made)
    )
    for picture in drawn:
        recorder.run.artifact(picture)
    return drawn


def keep_filled_sheet(recorder: Recorder, folder: Path) -> None:
    """Keep what every variant made of the recipe's sheet, as a page and as a table."""
    if recorder.recipe.sheet is None:
        return
    filled = recorder.stages["sheet"].artifact.path
    page = folder / fill_sheet.FILE
    page.write_bytes((filled / fill_sheet.FILE).read_bytes())
    recorder.run.artifact(page)
    recorder.run.table(read_filled(filled / fill_sheet.ROWS), "sheet.json")


def keep_findings(recorder: Recorder, findings: Sequence[Finding]) -> None:
    """Keep what came of each finding, as metrics and as a table."""
    if not findings:
        return
    recorder.run.metrics(finding_metrics(findings))
    recorder.run.table([finding_row(one) for one in findings], "findings.json")


def keep_card(recorder: Recorder, folder: Path, adapter: ArtifactRef, told: Mapping[str, Any]) -> None:
    """Keep the adapter's card with its scores; the one beside it was written before they were known."""
    held = NamedAdapter(path_of(adapter) / ADAPTER, recorder.place.store.find(adapter.key))
    card = stored_card(held, folder, told, ADAPTER_CARD)
    if card:
        recorder.run.artifact(card)


def write_page(
    recorder: Recorder,
    folder: Path,
    summary: Summary,
    told: Mapping[str, Any],
    dataset: ArtifactRef | None,
    learning: Learning,
    samples: Sequence[Example],
    drawn: Sequence[Path],
    labellers: LabellerTables | None,
) -> None:
    """Write the run's page and keep it in MLflow, too."""
    recipe = recorder.recipe
    page = Report(
        title=f"{recipe.title} ({recipe.profile})",
        summary=summary,
        ladder=from_scores(told),
        scores=told,
        answers={name: answers_of(recorder, name) for name in told["variants"]},
        examples=evaluation_examples(recipe, path_of(dataset) if dataset else None),
        curve=learning.curve,
        watched=learning.watched,
        drawn=drawn,
        sheet_png=(folder / SHEET).read_bytes() if dataset else b"",
        samples=[
            Sample(row.image, row.scene, row.description, row.question, row.options, row.answer)
            for row in samples[:SHOWN_SAMPLES]
        ],
        recipe_toml=recipe.to_toml(),
        note=score_note(recipe),
        labellers=labellers,
        gates=gates_of(dataset) if dataset else (),
        made=metadata_of(dataset) if dataset else {},
    )
    recorder.run.artifact(write_report(page, folder / REPORT))


def score_note(recipe: Recipe) -> str:
    """What a reader has to know of the scores of a recipe."""
    recipe = recipe.in_phase(recipe.each_phase()[-1])
    notes = [POCKET_NOTE] if recipe.finetune.base.is_pocket else []
    if recipe.source.kind == "world":
        notes.append("The training pictures were composed, not painted; the pocket labeller labelled them.")
    if recipe.evaluation.kind == "split" and recipe.source.is_labelled:
        notes.append("The rows judged on were labelled by the labeller, whose mistakes count as truth.")
    return " ".join(notes)


def keep_recipe(recipe: Recipe, run: JournalledRun) -> None:
    """Keep the resolved recipe as a file that reproduces the run, and its settings as parameters."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        path.write_text(recipe.to_toml(), encoding="utf-8")
        run.artifact(path)
    settings = flatten(recipe.model_dump(mode="json", exclude={"variants"}))
    run.params({name: value for name, value in settings.items() if len(str(value)) <= _PROMPT_CHARS})


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name nested settings by their path: `finetune.adapter.r`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        flat |= flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def keep_variant(recorder: Recorder, name: str, metrics: Mapping[str, float]) -> None:
    """Keep what one variant answered, and its scores under the names that all variants share."""
    stage = f"{ANSWERING}{name}"
    child, answered = recorder.children[stage], recorder.stages[stage].artifact
    child.metrics(metrics)
    judged_on = {"foundry.evaluation": str(answered.metadata["evaluation_identity"])}
    child.tags({"foundry.variant": name, **judged_on})
    recorder.run.tags(judged_on)  # of all variants the same, or they would not have been compared
    child.artifact(answered.path / PREDICTIONS)
    rows = [row.to_row() for row in answers_of(recorder, name)[:TABLE_ROWS]]
    child.table(rows, "predictions.json")


def answers_of(recorder: Recorder, variant: str) -> list[Prediction]:
    """What a variant answered in this run."""
    return read_predictions(recorder.stages[f"{ANSWERING}{variant}"].artifact.ref())


def keep_decision(recorder: Recorder, folder: Path, decision: Decision) -> None:
    """Say in MLflow whether the adapter of this run earned the alias `champion`, and why or why not."""
    path = folder / CHAMPION
    path.write_text(strict_json.dumps(asdict(decision), indent=1), encoding="utf-8")
    told = {
        "foundry.champion": "won" if decision.won else "not won",
        "foundry.champion_reasons": " ".join(decision.reasons),
    }
    for run in recorder.runs_of(in_phase(TUNING, recorder.recipe.last_phase)):
        run.artifact(path)
        run.tags(told)


def summarise(
    recorder: Recorder,
    dataset: ArtifactRef | None,
    adapter: ArtifactRef | None,
    ladder: Ladder,
    report: Path | None,
    decision: Decision | None = None,
    findings: Sequence[Finding] = (),
    phases: Mapping[str, PhaseSummary] = NO_PHASES,
    published: Sequence[BesidePublished] = (),
    scores: ScoresSummary | None = None,
) -> Summary:
    """The run as programs see it."""
    return Summary(
        dataset=summarise_dataset(dataset) if dataset else None,
        variants=summarise_variants(ladder),
        comparisons=summarise_comparisons(ladder),
        adapter=summarise_adapter(adapter) if adapter else None,
        stages={
            name: StageSummary(
                round(record.seconds, 3), record.cached, record.artifact.metadata.get("costs", {})
            )
            for name, record in recorder.stages.items()
        },
        mlflow=MlflowSummary(recorder.tracking_uri, recorder.run.mlflow_id),
        report=str(report or ""),
        champion=ChampionSummary(decision.won, decision.reasons) if decision else None,
        findings=tuple(findings),
        published=tuple(published),
        phases=phases,
        scores=scores,
    )

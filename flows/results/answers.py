"""What answers to a table leave behind: files in a folder, a run in MLflow, a summary."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact

from blip_core import strict_json
from blip_core.recipes import AnsweringVariant, Variant
from blip_core.records import Rejection
from blip_core.reporting import POCKET_NOTE, Report, from_scores, write_report
from blip_core.reporting.markdown import answers_markdown, answers_words
from blip_core.reporting.submission import (
    PREDICTIONS,
    PROBLEMS,
    REPORT,
    SCORES,
    SUBMISSION,
    Answered,
    answered_schema,
    is_formula,
    publish_answers,
    submission_rows,
    write_problems,
    write_submission,
)
from blip_core.scoring import main_score, ranking_of, score, score_texts
from blip_core.store import ArtifactRef, write_rows
from blip_core.wiring.tables import table_warnings
from flows.recording import ANSWERING, Recorder
from flows.results.metrics import score_metrics, variant_metrics
from flows.results.pages import link_mlflow, say_where_recorded, to_prefect
from flows.results.run import TABLE_ROWS, keep_recipe, summarise
from tasks.answer_table import QuestionTable, read_answers, usable_rows


def keep_answers(
    recorder: Recorder,
    table: QuestionTable,
    answers: ArtifactRef,
    variant: AnsweringVariant,
    adapter: ArtifactRef | None,
    folder: Path,
) -> dict[str, Any]:
    """Write the answers to their folder, record them, and sum them up."""
    rows, rejections = read_answers(answers)
    table.check_complete(len(rows), len(rejections))
    scores = score_answers(rows, recorder.recipe.inference.free_generation)
    if scores is not None:
        scores["answers"] = table.view.reading.to_row()
    due = writers(rows, rejections, scores)
    due[REPORT] = partial(write_report, answers_page(recorder, table, variant, adapter, rows, scores))
    files = publish_answers(folder, due)
    keep_run(recorder, variant, rows, scores, files)
    summary = {
        "rows": len(rows) + len(rejections),
        "answered": len(rows),
        "refused": dict(Counter(one.reason for one in rejections)),
        "table": asdict(table.view.facts),
        "columns": asdict(table.view.columns),
        "answers": table.view.reading.to_row(),
        "unused_columns": table.view.unused,
        "warnings": table_warnings(recorder.recipe, table.view),
        "variant": variant.name,
        "adapter": adapter.digest if adapter else variant.adapter or None,
        "scores": scores,
        "note": note_of(variant),
        "escaped_ids": sum(map(is_formula, [row.id for row in rows] + [one.id for one in rejections])),
        "out": str(folder),
        "files": {Path(name).stem: str(path) for name, path in files.items()},
        "stages": {
            name: {"seconds": round(one.seconds, 3), "cached": one.cached}
            for name, one in recorder.stages.items()
        },
        "mlflow": {"tracking_uri": recorder.tracking_uri, "run_id": recorder.run.mlflow_id},
    }
    show_answers(recorder, summary)
    return summary


def answers_page(
    recorder: Recorder,
    table: QuestionTable,
    variant: AnsweringVariant,
    adapter: ArtifactRef | None,
    rows: Sequence[Answered],
    scores: Mapping[str, Any] | None,
) -> Report:
    """The page of the answers: their scores, if the table has right answers, and rows to leaf through."""
    ranked_by = {"measure": scores["measure"]} if scores and "measure" in scores else {}
    told = {"variants": {variant.name: scores} if scores else {}, "comparisons": [], **ranked_by}
    ladder = from_scores(told)
    return Report(
        title=f"{table.path.name}, answered by {variant.name}",
        summary=summarise(recorder, None, adapter, ladder, None),
        ladder=ladder,
        scores=told,
        answers={variant.name: rows},
        examples=usable_rows(table),
        recipe_toml=recorder.recipe.to_toml(),
        note=note_of(variant) if scores else "",
    )


def note_of(variant: AnsweringVariant) -> str:
    """What a reader has to know of the scores of a variant; empty where that is nothing."""
    return POCKET_NOTE if isinstance(variant, Variant) and variant.model.is_pocket else ""


def show_answers(recorder: Recorder, summary: Mapping[str, Any]) -> None:
    """Show what a run answered in its note in MLflow, in an artefact and the log of its Prefect run."""
    recorder.run.note(answers_markdown(summary, to_prefect(recorder)))
    said = answers_words(summary)
    create_markdown_artifact(answers_markdown(summary, {}), key="results", description=said)
    link_mlflow(recorder)
    for warning in summary["warnings"]:
        recorder.page.say(warning, logging.WARNING)
    recorder.page.say(said)
    recorder.page.say(f"answers: {summary['out']}")
    say_where_recorded(recorder)


def score_answers(rows: Sequence[Answered], is_free: bool) -> dict[str, Any] | None:
    """Scores of the rows whose answer or text the table knows; None where it knows none."""
    known = [row for row in rows if row.truth or row.target]
    if not known:
        return None
    return score(known, is_free) if known[0].offered else score_texts(known)


def writers(
    rows: Sequence[Answered], rejections: Sequence[Rejection], scores: Mapping[str, Any] | None
) -> dict[str, Callable[[Path], Any]]:
    """What writes each file that is due."""
    due: dict[str, Callable[[Path], Any]] = {
        SUBMISSION: partial(write_submission, rows=submission_rows(rows, rejections)),
        PREDICTIONS: partial(write_rows, rows=rows, schema=answered_schema(row.task for row in rows)),
        PROBLEMS: partial(write_problems, rejections=rejections),
    }
    if scores is not None:
        due[SCORES] = lambda path: path.write_text(strict_json.dumps(scores, indent=1), encoding="utf-8")
    return due


def keep_run(
    recorder: Recorder,
    variant: AnsweringVariant,
    rows: Sequence[Answered],
    scores: Mapping[str, Any] | None,
    files: Mapping[str, Path],
) -> None:
    """Keep recipe, answers and scores in MLflow under the names that all runs share."""
    keep_recipe(recorder.recipe, recorder.run)
    child = recorder.children[f"{ANSWERING}{variant.name}"]
    child.tags({"foundry.variant": variant.name})
    if scores is not None:
        ranked_by, main = ranking_of(scores), main_score(scores)
        child.metrics(variant_metrics(scores, ranked_by))
        known = {f"{ranked_by.metric}/{variant.name}": main["value"]}
        recorder.run.metrics(score_metrics(main, ranked_by.metric) | known)
    for path in files.values():
        child.artifact(path)
    child.table([row.to_row() for row in rows[:TABLE_ROWS]], "predictions.json")

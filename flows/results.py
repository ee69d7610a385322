"""What a finished run hands over: figures, tables and a registered adapter in MLflow, links in Prefect, a summary."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.tracking.runs import JournalledRun
from flows.recording import Recorder
from flows.servers import page_of
from tasks.compare import read_scores
from tasks.predict_variant import FILE as PREDICTIONS
from tasks.predict_variant import read_predictions
from tasks.stage import path_of
from tasks.tune_adapter import ADAPTER, CURVE, read_curve

TABLE_ROWS = 200  # what MLflow's table view shows at ease; all rows are in the Parquet file beside it
_PROMPT_CHARS = 200  # longer settings are read in recipe.toml


def keep_results(
    recorder: Recorder, dataset: ArtifactRef, adapter: ArtifactRef | None, scores: ArtifactRef
) -> dict[str, Any]:
    """Record the results of a run, in MLflow and in Prefect, and sum them up."""
    summary = summarise(recorder, dataset, adapter, scores)
    keep_recipe(recorder.recipe, recorder.run)
    recorder.run.dataset(recorder.recipe.name, dataset.digest, path_of(dataset), dataset.rows)
    recorder.run.tags({"foundry.dataset_digest": dataset.digest})
    told = read_scores(scores)
    for name, values in told["variants"].items():
        keep_variant(recorder, name, values)
    if adapter is not None:
        keep_adapter(recorder, adapter, told)
    link_prefect(recorder, summary)
    return summary


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


def keep_variant(recorder: Recorder, name: str, values: Mapping[str, Any]) -> None:
    """Keep what one variant answered, and its scores under the names that all variants share."""
    stage = f"predict {name}"
    child, answered = recorder.children[stage], recorder.stages[stage].artifact
    child.metrics(variant_metrics(values))
    child.tags({"foundry.variant": name})
    child.artifact(answered.path / PREDICTIONS)
    rows = [row.to_row() for row in read_predictions(answered.ref())[:TABLE_ROWS]]
    child.table(rows, "predictions.json")


def variant_metrics(values: Mapping[str, Any]) -> dict[str, float]:
    accuracy, free = values["accuracy"], values["free_generation"]
    kinds = {f"eval/accuracy_{kind}": score["value"] for kind, score in values["by_kind"].items()}
    return {
        "eval/accuracy": accuracy["value"],
        "eval/accuracy_low": accuracy["low"],
        "eval/accuracy_high": accuracy["high"],
        "eval/rows": accuracy["n"],
        "eval/generation_accuracy": free["accuracy"],
        "eval/invalid": free["invalid"],
        **kinds,
    }


def keep_adapter(recorder: Recorder, adapter: ArtifactRef, scores: Mapping[str, Any]) -> None:
    """Register the adapter; `champion` is one whose variant significantly beats the same model without it."""
    child, folder = recorder.children["finetune"], path_of(adapter)
    if recorder.stages["finetune"].cached:
        for row in read_curve(folder / CURVE):
            recorder.replay_step(child, row)
    child.artifact(folder / CURVE)
    tuned = [variant.name for variant in recorder.recipe.variants if variant.adapter is True]
    metrics = {f"accuracy_{name}": scores["variants"][name]["accuracy"]["value"] for name in tuned}
    child.adapter(
        folder / ADAPTER,
        f"{recorder.recipe.name}-adapter",
        metrics,
        digest=adapter.digest,
        champion=is_won(recorder.recipe, scores),
    )


def is_won(recipe: Recipe, scores: Mapping[str, Any]) -> bool:
    """Whether a variant with the tuned adapter is significantly better than its base without."""
    plain = {variant.name for variant in recipe.variants if variant.role == "base" and not variant.adapter}
    tuned = {variant.name for variant in recipe.variants if variant.adapter is True}
    return any(
        pair["a"] in plain and pair["b"] in tuned and pair["p_value"] < 0.05 and pair["low"] > 0
        for pair in scores["comparisons"]
    )


def link_prefect(recorder: Recorder, summary: Mapping[str, Any]) -> None:
    """Show the ladder on the page of the flow run, with a link to the run in MLflow."""
    page = recorder.run.page(page_of(recorder.place, "mlflow"))
    create_markdown_artifact(ladder_markdown(summary), key="ladder", description="The variants, side by side")
    if page:
        create_link_artifact(page, key="mlflow-run", link_text="This run in MLflow")


def ladder_markdown(summary: Mapping[str, Any]) -> str:
    """The ladder as a Markdown table, with the comparisons below."""
    lines = ["| variant | accuracy | 95 % interval | free answers | invalid | n |", "|---|---|---|---|---|---|"]
    for name, score in summary["variants"].items():
        low, high = score["ci95"]
        lines.append(
            f"| {name} | {score['accuracy']:.3f} | {low:.3f} to {high:.3f} | {score['generation_accuracy']:.3f} "
            f"| {score['invalid']:.3f} | {score['n']} |"
        )
    lines += ["", "| from | to | difference | 95 % interval | p |", "|---|---|---|---|---|"]
    for pair in summary["comparisons"]:
        low, high = pair["ci95"]
        lines.append(
            f"| {pair['a']} | {pair['b']} | {pair['difference']:+.3f} | {low:+.3f} to {high:+.3f} | {pair['p_value']:.3g} |"
        )
    return "\n".join([*lines, "", f"Dataset `{summary['dataset']['path']}`"])


def summarise(
    recorder: Recorder, dataset: ArtifactRef, adapter: ArtifactRef | None, scores: ArtifactRef
) -> dict[str, Any]:
    """The run as one JSON object."""
    made = recorder.stages["dataset"].artifact.metadata
    told = read_scores(scores)
    return {
        "dataset": {
            "path": str(path_of(dataset)),
            "digest": dataset.digest,
            "rows": made["splits"],
            "rejected": made["rejected"],
        },
        "variants": {name: _variant(values) for name, values in told["variants"].items()},
        "comparisons": [_comparison(values) for values in told["comparisons"]],
        "adapter": {"path": str(path_of(adapter) / ADAPTER), "digest": adapter.digest} if adapter else None,
        "stages": {
            name: {"seconds": round(record.seconds, 3), "cached": record.cached}
            for name, record in recorder.stages.items()
        },
        "mlflow": {"tracking_uri": recorder.tracking_uri, "run_id": recorder.run.mlflow_id},
        "report": "",
    }


def _variant(values: Mapping[str, Any]) -> dict[str, Any]:
    accuracy, free = values["accuracy"], values["free_generation"]
    return {
        "accuracy": accuracy["value"],
        "ci95": [accuracy["low"], accuracy["high"]],
        "n": accuracy["n"],
        "generation_accuracy": free["accuracy"],
        "invalid": free["invalid"],
    }


def _comparison(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "a": values["a"],
        "b": values["b"],
        "difference": values["difference"],
        "ci95": [values["low"], values["high"]],
        "p_value": values["p_value"],
    }

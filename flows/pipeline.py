"""recipe -> dataset -> adapter -> ladder: the whole run."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

from blip_core.recipes import load_recipe
from blip_core.wiring import check_can_run, check_checkpoints
from flows.compare_variants import compare_variants
from flows.finetune import finetune
from flows.recording import recorded
from flows.regenerate_dataset import regenerate_dataset
from flows.results import keep_results


@flow(name="pipeline", flow_run_name="{recipe}-{profile}")
def pipeline(
    recipe: str = "gallery-vqa", profile: str = "pocket", overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Grow a dataset, tune an adapter on it and say with statistics whether that helped.

    Args:
        recipe: Name of a shipped recipe, or path of one's own TOML file.
        profile: Name of a profile: with which checkpoints and on which hardware.
        overrides: Fields to change, each as section.field=value.
    """
    plan = load_recipe(recipe, profile, overrides)
    check_can_run(plan)
    check_checkpoints(plan)
    with recorded(plan) as recorder:
        dataset = regenerate_dataset(plan)
        adapter = finetune(plan, dataset)
        scores = compare_variants(plan, dataset, adapter)
        return keep_results(recorder, dataset, adapter, scores)

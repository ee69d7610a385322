"""`foundry compare`: every variant's answers, and the ladder."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import (
    AdapterDigest,
    AsJson,
    DatasetDigest,
    DryRun,
    Overrides,
    ProfileName,
    RecipeName,
)

VariantNames = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME|ADAPTER",
        help="Compare this instead of the recipe's variants; give it at least twice, and the others are "
        "measured against the first. A variant of the recipe; champion, candidate or models:/NAME@ALIAS of "
        "the registry; the folder of a PEFT adapter; or the digest of an adapter in the store.",
    ),
]


def compare(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    dataset: DatasetDigest = "",
    adapter: AdapterDigest = "",
    variant: VariantNames = None,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let every variant of a recipe answer the same questions, and say with statistics which is better.

    Example: foundry compare gallery-vqa --variant champion --variant finetuned
    """
    from flows.variants.choosing import with_variants

    names = variant or []
    plan = with_variants(load_recipe(recipe, profile, overrides or []), names)
    from flows.cli.dry_run import show_plan
    from flows.cli.running import run_flow

    if dry_run:
        show_plan(plan, as_json, "scores", dataset, adapter)
        return

    def load() -> Callable[[], dict[str, Any]]:
        from flows.compare_variants import compare_variants

        given = [recipe, profile, dataset, adapter, names]
        return partial(compare_variants, *given, overrides=overrides or [])

    run_flow(plan, load, as_json)

"""`foundry ablate`: what a gate is worth."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from blip_core.recipes import DEFAULT_PROFILE
from blip_core.recipes.ablation import ablate as ablated
from blip_core.recipes.ablation import gate_section
from flows.cli.commands.options import AsJson, Overrides, ProfileName, RecipeName, Seeds, load_seeds

_SEEDS = 3

GateName = Annotated[
    str,
    typer.Option("--gate", metavar="NAME", help="The gate, by the name of its section below `curation`."),
]
Against = Annotated[
    Literal["equal", "all"],
    typer.Option(
        "--against",
        help="Rows without the gate: as many as pass it, drawn at random, or all there are.",
    ),
]


def ablate(
    recipe: RecipeName,
    gate: GateName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    seeds: Seeds = _SEEDS,
    against: Against = "equal",
    as_json: AsJson = False,
) -> None:
    """Tune without a gate and with it, and say with statistics whether it helped.

    Both learn from equally many rows and are judged on the recipe's evaluation. Settings of the gate are
    changed by --set.

    Example: foundry ablate gallery-vqa --gate confidence --set curation.confidence.refused_share=0.2
    """
    from blip_core.curation import check_judges

    section = gate_section(gate)
    plans = load_seeds(recipe, profile, overrides or [], seeds)
    check_judges(section, plans[0].task)
    ablated(plans[0], section)
    from flows.cli.ablating import Ablation
    from flows.cli.seeded import run_seeds

    with TemporaryDirectory() as folder:
        ablation = Ablation(section, plans, against == "equal", Path(folder))
        run_seeds([ablated(one, section) for one in plans], ablation.load, as_json, ablation.grow)

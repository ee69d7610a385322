"""What a gate is worth: of every seed its rows first, without the gate and with it, then what they teach."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe
from blip_core.recipes.ablation import ablate, equal_rows, phases_of
from blip_core.reporting import Summary
from flows.cli.running import Flow


class Ablation:
    """One recipe under several seeds, tuned without a gate and with it.

    Args:
        gate: name of its section, or of a package's gate.
        recipes: the recipe as each seed has it.
        is_cut: whether both are tuned on equal numbers of rows.
        folder: where the recipes that are run are written.
    """

    def __init__(self, gate: str, recipes: Sequence[Recipe], is_cut: bool, folder: Path) -> None:
        self._gate = gate
        self._recipes = {recipe.seed: recipe for recipe in recipes}
        self._is_cut = is_cut
        self._folder = folder

    def grow(self, console: Console) -> None:
        """Make the rows of all seeds, and see to how many the larger set of each is cut.

        Raises:
            RecipeError: The gate refuses none in any seed.
        """
        counted = [self._grow(seed, console) for seed in self._recipes]
        seen, refused = (sum(column) for column in zip(*counted, strict=True))
        if not refused:
            raise RecipeError(
                f"the gate {self._gate} refuses none of {seen:,} rows, so that there is nothing to compare "
                f"and nothing was tuned; --set curation.{self._gate}.FIELD=VALUE makes it stricter"
            )

    def load(self, seed: int) -> Flow:
        """The run of a seed; its rows are there."""
        from flows.pipeline import pipeline

        return partial(pipeline, str(self._path(seed)), self._recipes[seed].profile)

    def _grow(self, seed: int, console: Console) -> tuple[int, int]:
        """Make the rows of a seed; gives how many came to the gate, and how many it refused."""
        from flows.regenerate_dataset import regenerate_dataset

        console.print(f"[bold]rows of seed {seed}[/bold]", highlight=False)
        recipe = self._recipes[seed]
        path = self._path(seed)
        path.write_text(ablate(recipe, self._gate).to_toml(), encoding="utf-8")
        made = Summary.from_dict(regenerate_dataset(str(path), recipe.profile))
        datasets = {name: phase.dataset for name, phase in made.phases.items() if phase.dataset}
        rows = {name: one.rows["train"] for name, one in datasets.items()}
        cut = equal_rows(rows) if self._is_cut else {}
        path.write_text(ablate(recipe, self._gate, cut).to_toml(), encoding="utf-8")
        without, with_it = phases_of(self._gate)
        seen, refused = datasets[with_it].gates[self._gate]
        learnt = ", ".join(
            f"{cut.get(name, rows[name]):,} {side} it" + (f" of {rows[name]:,}" if name in cut else "")
            for name, side in ((without, "without"), (with_it, "with"))
        )
        told = f"{self._gate} refuses {refused:,} of {seen:,} rows; training rows: {learnt}"
        console.print(told, highlight=False, markup=False, soft_wrap=True)
        return seen, refused

    def _path(self, seed: int) -> Path:
        return self._folder / f"{self._gate}-{seed}.toml"

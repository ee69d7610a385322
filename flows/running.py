"""A run from the command line: which Prefect server it uses, and where it is shown."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from blip_core.recipes import Recipe, load_recipe
from blip_core.reporting import Places, StageLines, Summary, from_scores, show_ladder, show_places
from blip_core.wiring import Workplace, prefect_api_url, prepare_environment, use_prefect_api, workplace
from flows.servers import answers, running_servers


def run_pipeline(
    recipe: str, profile: str, overrides: Sequence[str], stream: TextIO, closing_lines: bool
) -> dict[str, Any]:
    """Run the pipeline in this process and show it on a stream; gives its summary."""
    place = workplace()
    prepare_environment(place)
    server = choose_server(place)
    use_prefect_api(server)
    console = Console(file=stream)
    console.print(f"Prefect: {server or 'an embedded server is started, which takes 10 to 20 s'}", style="dim")
    from flows.pipeline import pipeline
    from flows.recording import shown_on

    with shown_on(StageLines(console)):
        summary: dict[str, Any] = pipeline(recipe, profile, list(overrides))
    if closing_lines:
        show_results(console, load_recipe(recipe, profile, overrides), Summary.from_dict(summary))
    return summary


def show_results(console: Console, recipe: Recipe, summary: Summary) -> None:
    """Print the ladder and the lines that say where everything lies."""
    from flows.results import SCORES, SHEET, score_note

    scores = json.loads(Path(summary.report).with_name(SCORES).read_text(encoding="utf-8"))
    show_ladder(console, from_scores(scores), score_note(recipe))
    show_places(
        console,
        Places(
            dataset=summary.dataset.path,
            adapter=summary.adapter.path if summary.adapter else "",
            pictures=str(Path(summary.report).with_name(SHEET)),
        ),
    )


def choose_server(place: Workplace) -> str:
    """API address of a server that is up: the environment's, else that of `foundry ui`; empty for the embedded one."""
    named = prefect_api_url()
    if named and answers(f"{named.rstrip('/')}/health"):
        return named
    if named:
        print(f"PREFECT_API_URL={named} does not answer; an embedded server is used.", file=sys.stderr)
    served = running_servers(place).get("prefect", "")
    return f"{served}/api" if served else ""

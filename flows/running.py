"""A run from the command line: which Prefect server it uses, and where it is shown."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from blip_core.recipes import Recipe, load_recipe
from blip_core.reporting import Places, StageLines, Summary, from_scores, show_ladder, show_places
from blip_core.wiring import Workplace, prefect_api_url, prepare_environment, use_prefect_api, workplace
from flows.guard import Lifeline
from flows.servers import answers, running_servers


def run_pipeline(
    recipe: str, profile: str, overrides: Sequence[str], stream: TextIO, closing_lines: bool
) -> dict[str, Any]:
    """Run the pipeline in this process and show it on a stream; gives its summary."""
    console = Console(file=stream)
    prepare_run(console)
    from flows.pipeline import pipeline
    from flows.recording import shown_on

    with shown_on(StageLines(console)):
        summary: dict[str, Any] = pipeline(recipe, profile, overrides)
    if closing_lines:
        show_results(console, load_recipe(recipe, profile, overrides), Summary.from_dict(summary))
    return summary


def run_pretraining(build: Path, members: Sequence[str], pace: float, stream: TextIO) -> list[Path]:
    """Train members of the pocket family in this process; gives the folders of their checkpoints."""
    prepare_run(Console(file=stream))
    from flows.pretrain_pocket import pretrain_pocket

    return pretrain_pocket(build.absolute(), members, pace)


def prepare_run(console: Console) -> None:
    """Choose a Prefect server and say which; to be called before Prefect is imported."""
    place = workplace()
    prepare_environment(place)
    server = choose_server(place, console)
    use_prefect_api(server)
    where = server or "an embedded server is started, which takes 10 to 20 s"
    console.print(f"Prefect: {where}", style="dim", highlight=False, soft_wrap=True)
    if not server:
        start_embedded_server()


def start_embedded_server() -> None:
    """Start the server that Prefect would start at the first call, and see to it that it outlives nobody."""
    from prefect.server.api.server import SubprocessASGIServer

    embedded = SubprocessASGIServer()
    embedded.start()
    if embedded.server_process is not None:
        Lifeline().hold(embedded.server_process.pid)


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


def choose_server(place: Workplace, console: Console) -> str:
    """API address of a server that is up: that of the environment, or of `foundry ui`; else empty."""
    named = prefect_api_url()
    if named and answers(f"{named.rstrip('/')}/health"):
        return named
    if named:
        console.print(f"PREFECT_API_URL={named} does not answer and is not used.", soft_wrap=True)
    served = running_servers(place).get("prefect", "")
    return f"{served}/api" if served else ""

"""A run from the command line: which Prefect server it uses, and where it is shown."""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from blip_core import strict_json
from blip_core.connecting import without_password
from blip_core.recipes import Recipe
from blip_core.reporting import (
    Places,
    StageLines,
    Summary,
    from_scores,
    show_champion,
    show_findings,
    show_ladder,
    show_places,
    show_published,
)
from blip_core.reporting.answers import show_table
from blip_core.reporting.bleu_parts import show_bleu_parts
from blip_core.reporting.growth import growth_lines
from blip_core.wiring import (
    Workplace,
    check_ready,
    prefect_api_url,
    prepare_environment,
    use_prefect_api,
    workplace,
)
from blip_core.wiring.servers import answers, pages_elsewhere, running_servers
from blip_core.wiring.tables import table_warnings, tables_of
from flows.cli.commands.options import only_json
from flows.cli.embedded import EmbeddedServer
from flows.prefect_database import check_prefect_database

_LOADED_LATE = ("fastapi.encoders", "prefect.flow_engine", "prefect.task_engine")
"""What Prefect loads as a flow begins, half a second of CPU; a server takes longer to start."""

Flow = Callable[[], dict[str, Any]]


def run_flow(recipe: Recipe, load: Callable[[], Flow], as_json: bool) -> None:
    """Run a flow in this process; people see stages and results, programs one JSON object on standard output.

    Args:
        recipe: what is run; what it needs is checked before any server is started.
        load: imports the flow, which imports Prefect, and binds its parameters.
        as_json: whether a program reads.
    """
    check_ready(recipe)
    show_tables(Console(file=sys.stderr if as_json else sys.stdout), recipe)
    if not as_json:
        console = Console(file=sys.stdout)
        show_results(console, recipe, Summary.from_dict(run_shown(load, console)))
        return
    with only_json() as output:
        output.write(strict_json.dumps(run_shown(load, Console(file=sys.stderr))) + "\n")


def show_tables(console: Console, recipe: Recipe) -> None:
    """Print what each table of questions that a recipe names is taken for."""
    for section, view in tables_of(recipe):
        console.print(f"[bold]{section}[/bold]", highlight=False)
        warnings = table_warnings(recipe, view)
        show_table(console, *view.describe(), warnings)


def run_shown(
    load: Callable[[], Flow], console: Console, meanwhile: Callable[[], None] | None = None
) -> dict[str, Any]:
    """Run a flow with its stages shown on a console; gives its summary.

    Args:
        load: see `run_flow`.
        console: where to.
        meanwhile: what else can be loaded while a server starts; where one is up, the flow loads it itself.
    """
    server = prepare_run(console)
    workplace().load_records()  # while Prefect is
    flow = load()
    from flows.heartbeats import without_heartbeats
    from flows.recording import shown_on

    if server:
        for late in _LOADED_LATE:
            import_module(late)
        if meanwhile:
            meanwhile()
        server.wait()
    with shown_on(StageLines(console)), without_heartbeats() if server else nullcontext():
        return flow()


def run_pretraining(build: Path, members: Sequence[str], pace: float, stream: TextIO) -> list[Path]:
    """Train members of the pocket family in this process; gives the folders of their checkpoints."""
    server = prepare_run(Console(file=stream))
    from flows.pretrain_pocket import pretrain_pocket

    if server:
        server.wait()
    return pretrain_pocket(build.absolute(), members, pace)


def planned_pretraining(build: Path, members: Sequence[str]) -> dict[str, str]:
    """What training the pocket family would do, by member: finished, begun or to be trained."""
    prepare_environment(workplace())
    from flows.pretrain_pocket import chosen_members
    from tasks.train_member import how_far

    return {member: how_far(member, build) for member in chosen_members(members)}


def prepare_run(console: Console) -> EmbeddedServer | None:
    """Choose a Prefect server and say which; to be called before Prefect is imported.

    Returns:
        The server that was started because none was up; it has yet to answer.
    """
    place = workplace()
    prepare_environment(place)
    server = choose_server(place, console)
    where = without_password(server) or "starting a server for this run, which takes some seconds"
    console.print(f"Prefect: {where}", style="dim", highlight=False, soft_wrap=True)
    if not server:
        check_prefect_database()
    embedded = None if server else EmbeddedServer(place)
    use_prefect_api(embedded.api if embedded else server)
    return embedded


def show_results(console: Console, recipe: Recipe, summary: Summary) -> None:
    """Print the ladder, if there is one, and the lines that say where everything lies."""
    from flows.results.phases import SHEET
    from flows.results.run import SCORES, score_note

    places = Places(
        dataset=summary.dataset.path if summary.dataset else "",
        adapter=summary.adapter.path if summary.adapter else "",
        pictures=str(Path(summary.report).with_name(SHEET)) if summary.report and summary.dataset else "",
        pages=pages_elsewhere(workplace()),
        report=summary.report,
        earlier_adapters={name: one.path for name, one in summary.earlier_adapters.items()},
    )
    if summary.report:
        scores = strict_json.loads(Path(summary.report).with_name(SCORES).read_text(encoding="utf-8"))
        show_ladder(console, from_scores(scores), score_note(recipe))
    show_bleu_parts(console, summary.variants, recipe.inference.max_new_tokens, recipe.kind.asks)
    show_published(console, summary.published)
    show_findings(console, summary.findings)
    if summary.champion:
        show_champion(console, summary.champion)
    for line in growth_lines(summary.growth) if summary.growth else ():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    show_places(console, places)


def choose_server(place: Workplace, console: Console) -> str:
    """API address of a server that is up: that of the environment, or of `foundry ui`; else empty."""
    named = prefect_api_url()
    if named and answers(f"{named.rstrip('/')}/health"):
        return named
    if named:
        shown = without_password(named)
        console.print(f"PREFECT_API_URL={shown} does not answer and is not used.", soft_wrap=True)
    served = running_servers(place).get("prefect", "")
    return f"{served}/api" if served else ""

"""A run from the command line: which Prefect server it uses, and where it is shown."""

import sys
from collections.abc import Sequence
from typing import Any, TextIO

from blip_core.wiring import Workplace, prefect_api_url, prepare_environment, use_prefect_api, workplace
from flows.servers import answers, running_servers


def run_pipeline(
    recipe: str, profile: str, overrides: Sequence[str], stream: TextIO, closing_lines: bool
) -> dict[str, Any]:
    """Run the pipeline in this process and show it on a stream; gives its summary."""
    place = workplace()
    prepare_environment(place)
    use_prefect_api(choose_server(place))
    from flows.pipeline import pipeline
    from flows.recording import NoScreen, shown_on

    with shown_on(NoScreen()):
        summary: dict[str, Any] = pipeline(recipe, profile, list(overrides))
    return summary


def choose_server(place: Workplace) -> str:
    """API address of a server that is up: the environment's, else that of `foundry ui`; empty for the embedded one."""
    named = prefect_api_url()
    if named and answers(f"{named.rstrip('/')}/health"):
        return named
    if named:
        print(f"PREFECT_API_URL={named} does not answer; an embedded server is used.", file=sys.stderr)
    served = running_servers(place).get("prefect", "")
    return f"{served}/api" if served else ""

"""`foundry probe`: whether what runs need is up, for health checks."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from flows.cli.commands.options import AsJson

Parts = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PART]...", help="prefect, mlflow, database, store, worker; without any, all."),
]


def probe(parts: Parts = None, as_json: AsJson = False) -> None:
    """Say within seconds whether servers, databases, store and worker are up; exit code 1 if one is not.

    Nothing is started, changed or looked into: `foundry doctor` does that.

    Example: foundry probe prefect worker
    """
    from rich.console import Console

    from blip_core.wiring import prepare_environment, workplace
    from flows.cli.catalogue import print_json
    from flows.cli.doctor import show
    from flows.cli.probing import probed

    place = workplace()
    prepare_environment(place)
    findings = probed(place, parts or [])
    ok = all(finding.state == "ok" for finding in findings)
    if as_json:
        print_json({"ok": ok, "findings": [asdict(finding) for finding in findings]})
    else:
        console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        for finding in findings:
            show(console, finding)
    if not ok:
        raise typer.Exit(1)

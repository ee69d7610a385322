"""`foundry reports`: pages of runs that are over, also of other machines that share the store."""

from typing import Annotated

import typer

from flows.cli.commands.options import AsJson

RunId = Annotated[
    str,
    typer.Argument(metavar="RUN", help="One run, by its id or its beginning: its page is brought here."),
]


def reports(run: RunId = "", as_json: AsJson = False) -> None:
    """List the pages of runs, newest first; with RUN, bring that page here and say where it is.

    Example: foundry reports e1fe95b0
    """
    from blip_core.wiring import workplace
    from flows.cli.catalogue import print_json
    from flows.results.reports import bring_report, find_reports

    place = workplace()
    found = [bring_report(place, run)] if run else find_reports(place)
    if as_json:
        print_json({"reports": [one.to_dict() for one in found]})
        return
    for one in found:
        where = one.page or f"in {place.store.address}: foundry reports {one.short} brings it here"
        typer.echo(f"{one.short}  {one.at.astimezone():%Y-%m-%d %H:%M}  {where}")
    if not found:
        typer.echo("There is no report yet; foundry run RECIPE ends with one.")

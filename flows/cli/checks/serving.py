"""Servers of models, Prefect's server, and the ports of both pages."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from blip_core.connecting import without_password
from blip_core.errors import FoundryError, PlaceError
from blip_core.prefetching import served_models
from blip_core.recipes import ServerVariant
from blip_core.wiring import ask_server, prefect_api_url
from blip_core.wiring.servers import answers, check_port, running_servers
from flows.cli.checks.finding import Case, Finding


def models(case: Case) -> Iterator[Finding]:
    """Whether the servers answer that work models of the recipe."""
    if case.recipe is None:
        return
    variants = [one for one in case.recipe.variants if isinstance(one, ServerVariant)]
    asked = [*served_models(case.recipe), *((f"variants.{one.name}", one) for one in variants)]
    for field, model in asked:
        try:
            told = ask_server(model, field)
        except FoundryError as error:
            yield Finding("servers", "problem", f"{field}: {error}", "see above")
            continue
        words = f"tells {told}" if told else "tells nothing of it"
        yield Finding("servers", "ok", f"{field}: {model.url} serves {model.served_model} and {words}")


def prefect(case: Case) -> Iterator[Finding]:
    """Which Prefect server a run would use."""
    named = prefect_api_url()
    shown = without_password(named)
    if named and answers(f"{named.rstrip('/')}/health"):
        yield Finding("Prefect", "ok", f"{shown} answers")
        return
    if named:
        remedy = "start it, or unset PREFECT_API_URL; until then runs use another server"
        yield Finding("Prefect", "warning", f"{shown} does not answer", remedy)
        return
    served = running_servers(case.place).get("prefect")
    yield Finding(
        "Prefect", "ok", f"served at {served}" if served else "no server is up; a run starts its own"
    )


def ports(case: Case) -> Iterator[Finding]:
    """Whether both pages can be served on this machine."""
    served = {name: urlsplit(address).port for name, address in running_servers(case.place).items()}
    wanted = {"prefect": case.prefect_port, "mlflow": case.mlflow_port}
    taken = []
    for name, port in wanted.items():
        if served.get(name) == port:
            continue
        try:
            check_port(port, f"foundry ui --{name}-port")
        except PlaceError as error:
            taken.append(str(error))
    for said in taken:
        what, _, remedy = said.partition(". ")
        yield Finding("ports", "warning", what, remedy)
    if not taken:
        yield Finding("ports", "ok", " and ".join(str(port) for port in wanted.values()) + " can be used")

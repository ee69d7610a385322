"""`foundry serve`: a model answers requests."""

import hashlib
import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from blip_core import strict_json
from blip_core.errors import RecipeError
from blip_core.recipes import DEFAULT_PROFILE, Recipe, Variant, load_recipe
from blip_core.wiring import prepare_environment, workplace
from blip_core.wiring.servers import HOST
from flows.cli.commands.options import Overrides, ProfileName
from flows.forms import DEFAULT_RECIPE

if TYPE_CHECKING:
    from blip_core.serving.app import Service
    from blip_core.serving.limits import Limits

SERVE_PORT = 8000

VariantName = Annotated[
    str,
    typer.Option(
        "--variant",
        metavar="NAME|ADAPTER",
        help="Who answers: champion or candidate or models:/NAME@ALIAS of the registry, a variant of the "
        "recipe, the folder of a PEFT adapter, or the digest of an adapter in the store.",
    ),
]
RecipeOption = Annotated[
    str, typer.Option("--recipe", help="How questions are put: a shipped recipe, or path of a TOML file.")
]
HostName = Annotated[
    str,
    typer.Option(
        "--host", help="Address to listen on; another than this machine's own takes FOUNDRY_SERVE_KEY."
    ),
]
Port = Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        help="Name by which clients reach it, as their requests give it; may come often.",
    ),
]


def serve(
    variant: VariantName = "champion",
    recipe: RecipeOption = DEFAULT_RECIPE,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    host: HostName = HOST,
    port: Port = SERVE_PORT,
    allowed_host: AllowedHosts = None,
) -> None:
    """Answer questions about pictures over HTTP, as OpenAI's chat completions; Ctrl-C finishes and stops.

    Requests that come together share batches, and get what `foundry predict` gives the same rows. The server
    listens on this machine alone, unless --host names another address and the environment has a key in
    FOUNDRY_SERVE_KEY.

    Example: foundry serve --variant champion --port 8000
    """
    prepare_environment(workplace())
    plan = load_recipe(recipe, profile, overrides or [])
    from blip_core.serving.hosts import allowed_hosts
    from blip_core.serving.limits import Limits
    from blip_core.wiring.serving import SERVE_KEY, serve_key

    key, limits = serve_key(), Limits()
    hosts = allowed_hosts(host, allowed_host or [], key, SERVE_KEY)
    from blip_core.serving.running import address_of, listen, run

    with listen(host, port) as bound:
        typer.echo(f"Loading {variant} of {plan.name}", err=True)
        from blip_core.serving.app import create_app

        service = _service(plan, variant, limits)
        _log_requests()

        def say() -> None:
            where = address_of(bound)
            typer.echo(f"Serving {service.name} at {where}/v1", err=True)

        try:
            run(create_app(service, hosts, key), bound, limits.answer_s, say)
        finally:
            service.close()
    typer.echo("Stopped; what was under way is finished.", err=True)


def _service(recipe: Recipe, name: str, limits: "Limits") -> "Service":
    """The model, loaded, with its queue."""
    from blip_core.inference.loaded import LoadedModel
    from blip_core.serving.app import Service
    from blip_core.serving.worker import Worker
    from blip_core.wiring.serving import request_asking
    from flows.predict import own_adapter
    from flows.variants.choosing import choose_answering
    from flows.variants.resolving import resolve_variant
    from tasks.predict_variant import answers_learnt, load_answering, who_answers

    chosen = choose_answering(recipe, name)
    if isinstance(chosen, Variant) and chosen.answers == "read":
        raise RecipeError(
            f"the variant {chosen.name} is not served: its answers are read out of descriptions (answers = "
            '"read"), in tables alone; serve a variant that writes or ranks, or answer a table with '
            f"foundry predict --variant {chosen.name}"
        )
    if not isinstance(chosen, Variant):
        raise RecipeError(
            f"the variant {chosen.name} is not served: name one whose model is loaded here and answers itself"
        )
    resolved = resolve_variant(recipe, chosen)
    own = {} if resolved.phase is None else {resolved.phase: own_adapter(recipe, resolved.phase)}
    adapter = resolved.inputs(own)["adapter"]
    asking = request_asking(recipe, chosen, answers_learnt(recipe, chosen, adapter))

    def load() -> LoadedModel:
        model = load_answering(recipe, chosen, adapter)
        if not isinstance(model, LoadedModel):
            raise TypeError(f"{chosen.name} is no model that is loaded here")
        return model

    worker = Worker(load, asking.settings, limits)
    worker.start()
    told = strict_json.dumps(who_answers(recipe, chosen, adapter), sort_keys=True)
    facts = {
        "root": chosen.model.id,
        "digest": hashlib.sha256(told.encode()).hexdigest(),
        "version": resolved.registered,
    }
    return Service(chosen.name, {name: fact for name, fact in facts.items() if fact}, asking, worker, limits)


def _log_requests() -> None:
    """Write the server's lines to standard error, whatever a library has done to the root of all loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name in ("blip_core.serving", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO if name.startswith("blip_core") else logging.WARNING)
        logger.propagate = False

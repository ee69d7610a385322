"""Models of text steps that a server works: asked about before work, connected when they have to write."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blip_core import strict_json
from blip_core.errors import RecipeError, ServerAway
from blip_core.kinds import Kind
from blip_core.ports import Labeller, TextWriter
from blip_core.prefetching import served_models
from blip_core.recipes import Labels, Phase, Recipe, Scenes, ServedModel, Server
from blip_core.scenes import format_list
from blip_core.wiring.places import workplace

if TYPE_CHECKING:
    from blip_core.backends.chat import ChatClient, Structure

Step = Literal["scenes", "labels"]

_STEPS: tuple[Step, ...] = ("scenes", "labels")
_FIRST_ATTEMPTS = 2  # before any work: a server that is away is told at once
_LETTERS = ("A", "B", "C", "D")
_TEXT = {"type": "string"}


def served_writer(recipe: Recipe, model: ServedModel) -> TextWriter:
    """A writer of scenes behind a server, which is first asked when it has to write."""
    from blip_core.backends.openai_compatible import OpenAICompatibleWriter

    form = list_structure(recipe.scenes.per_call) if model.structured else None
    return OpenAICompatibleWriter(_client(recipe, "scenes", recipe.scenes, model, form))


def served_labeller(recipe: Recipe, model: ServedModel) -> Labeller:
    """A labeller behind a server, which is first asked when it has to label."""
    from blip_core.backends.openai_compatible import OpenAICompatibleLabeller

    form = label_structure(recipe.kind) if model.structured else None
    return OpenAICompatibleLabeller(_client(recipe, "labels", recipe.labels, model, form))


def served_identity(model: ServedModel) -> str:
    """What changes when the model behind a name does, as far as its server tells.

    Where it tells more than the name, the same model may be served at another address.
    """
    told: Mapping[str, Any] = strict_json.loads(model.told) if model.told else {}
    where = "" if told.keys() - {"id"} else model.url.rstrip("/")
    return " ".join(filter(None, (where, model.served_model, model.told)))


def with_server_facts(recipe: Recipe) -> Recipe:
    """A recipe that holds what the servers of its text steps tell of their models.

    Raises:
        RecipeError: The environment lacks a server's key.
        ServerAway: One cannot be reached, and the store does not hold what it would make.
        StageFailure: One refuses, or does not serve the model.
    """
    used = {field.rsplit(".", 2)[-2] for field, _ in served_models(recipe)}
    steps = [step for step in _STEPS if step in used]
    phases = tuple(phase.model_copy(update=_told(phase, steps)) for phase in recipe.phases)
    return recipe.model_copy(update={**_told(recipe, steps), "phases": phases}) if steps else recipe


def ask_server(model: Server, field: str) -> str:
    """What a server tells of a model; empty where it tells nothing.

    Raises:
        RecipeError: The environment lacks the server's key.
        ServerAway: It cannot be reached.
        StageFailure: It refuses, or does not serve the model.
    """
    from blip_core.backends.chat import ChatClient

    secret = secret_of(model, f"{field}.key_variable")
    with ChatClient(model.url, model.served_model, 0.0, 1.0, 1, secret, attempts=_FIRST_ATTEMPTS) as client:
        client.check_served()
        return client.model_facts()


def forget_answers(recipe: Recipe, step: Step) -> None:
    """Remove the answers that were kept for a step which is finished, if a server gave any."""
    model = getattr(recipe, step).model
    if isinstance(model, ServedModel):
        _kept_answers(recipe, step, model).unlink(missing_ok=True)


def secret_of(server: Server, field: str) -> str:
    """The key of a server, from the environment; empty where none is needed.

    Args:
        server: whose key.
        field: that names the variable, for messages.

    Raises:
        RecipeError: The variable is empty or not set.
    """
    if not server.key_variable:
        return ""
    key = os.environ.get(server.key_variable, "")
    if not key:
        raise RecipeError(
            f"{field} is {server.key_variable}, but the environment has nothing under that name; set it to "
            f"the key of {server.url}"
        )
    return key


def list_structure(items: int) -> "Structure":
    """Scenes as JSON, read back as the numbered list that is parsed."""
    from blip_core.backends.chat import Structure, object_of

    def write(told: Mapping[str, Any]) -> str:
        return format_list([_flat(one) for one in _listed(told["scenes"])])

    words = (
        f'Give them as one JSON object {{"scenes": [...]}} of {items} texts, in place of the numbered list.'
    )
    return Structure("scenes", object_of({"scenes": {"type": "array", "items": _TEXT}}), words, write)


def label_structure(kind: Kind) -> "Structure | None":
    """A label as JSON, read back as the text that is parsed; None where a kind reads texts in its own way."""
    from blip_core.backends.chat import Structure, object_of

    fields = kind.label_fields
    if not fields:
        return None
    letter = {"type": "string", "enum": list(_LETTERS)}
    schema = {name: letter if name == "answer" and kind.has_options else _TEXT for name in fields}

    def write(told: Mapping[str, Any]) -> str:
        return "\n".join(_line(name, _flat(told[name])) for name in fields)

    words = f"Give it as one JSON object with the fields {', '.join(fields)}, in place of that form."
    return Structure("label", object_of(schema), words, write)


def _line(field: str, text: str) -> str:
    return f"{field}. {text}" if field in _LETTERS else f"{field.capitalize()}: {text}"


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _flat(value: Any) -> str:
    """A text on one line, so that none of its lines is taken for a part of its own."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return " ".join(value.split())


def _client(
    recipe: Recipe, step: Step, settings: Scenes | Labels, model: ServedModel, form: "Structure | None"
) -> "ChatClient":
    from blip_core.backends.chat import ChatClient, KeptReplies, Meter

    field = f"{step}.model"
    return ChatClient(
        model.url,
        model.served_model,
        settings.temperature,
        settings.top_p,
        settings.max_new_tokens + model.thinking_tokens,
        secret_of(model, f"{field}.key_variable"),
        requests_at_once=model.requests_at_once,
        structure=form,
        thinks=model.thinking_tokens > 0,
        meter=Meter(model.max_requests, model.max_seconds, field),
        kept=KeptReplies(_kept_answers(recipe, step, model)),
    )


def _kept_answers(recipe: Recipe, step: Step, model: ServedModel) -> Path:
    whole = f"{served_identity(model)} {recipe.of_any_length.digest(step, 'seed')}"
    return workplace().answers / f"{hashlib.sha256(whole.encode()).hexdigest()}.jsonl"


def _told(holder: Recipe | Phase, steps: Sequence[Step]) -> dict[str, Scenes | Labels]:
    """Those steps that a recipe or phase says itself and a server works, with what the server tells."""
    told: dict[str, Scenes | Labels] = {}
    for step in steps:
        section: Scenes | Labels | None = getattr(holder, step)
        if section is not None and isinstance(section.model, ServedModel):
            facts = _facts(section, section.model, step)
            told[step] = section.model_copy(
                update={"model": section.model.model_copy(update={"told": facts})}
            )
    return told


def _facts(section: Scenes | Labels, model: ServedModel, step: Step) -> str:
    """What a server tells; while it is away, what it told when it finished the same step before."""
    try:
        return ask_server(model, f"{step}.model")
    except ServerAway:
        wanted = _untold(section.model_dump(mode="json"))
        for made in workplace().store.artifacts(step):
            settings = made.metadata.get("settings", {}).get(step, {})
            if settings and _untold(settings) == wanted:
                return str(settings["model"].get("told", ""))
        raise


def _untold(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a step, of a served model only where it is and what decides its answers."""
    deciding = ("url", "served_model", "thinking_tokens", "structured")
    return {**settings, "model": {name: settings["model"].get(name) for name in deciding}}

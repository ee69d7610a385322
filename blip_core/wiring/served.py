"""Text steps behind a server: the writer of scenes and the labeller."""

import os

from blip_core.errors import RecipeError
from blip_core.ports import Labeller, TextWriter
from blip_core.recipes import Recipe, ServedModel


def served_writer(recipe: Recipe, model: ServedModel) -> TextWriter:
    """A writer of scenes behind a server, which is first asked when it has to write."""
    from blip_core.backends.chat import ChatClient
    from blip_core.backends.openai_compatible import OpenAICompatibleWriter

    settings = recipe.scenes
    client = ChatClient(
        model.url,
        model.served_model,
        settings.temperature,
        settings.top_p,
        settings.max_new_tokens + model.thinking_tokens,
        secret_of(model, "scenes.model"),
        requests_at_once=model.requests_at_once,
    )
    return OpenAICompatibleWriter(client)


def served_labeller(recipe: Recipe, model: ServedModel) -> Labeller:
    """A labeller behind a server, which is first asked when it has to label."""
    from blip_core.backends.chat import ChatClient
    from blip_core.backends.openai_compatible import OpenAICompatibleLabeller

    settings = recipe.labels
    client = ChatClient(
        model.url,
        model.served_model,
        settings.temperature,
        settings.top_p,
        settings.max_new_tokens + model.thinking_tokens,
        secret_of(model, "labels.model"),
        requests_at_once=model.requests_at_once,
    )
    return OpenAICompatibleLabeller(client)


def served_identity(model: ServedModel) -> str:
    """What changes when the model behind a name does, as far as its server tells."""
    return f"{model.url.rstrip('/')} {model.served_model} {model.told}".strip()


def secret_of(model: ServedModel, field: str) -> str:
    """The key of a server, from the environment; empty where none is needed.

    Raises:
        RecipeError: The variable is empty or not set.
    """
    if not model.key_variable:
        return ""
    key = os.environ.get(model.key_variable, "")
    if not key:
        raise RecipeError(
            f"{field}.key_variable is {model.key_variable}, but the environment has nothing under that name; "
            f"set it to the key of {model.url}"
        )
    return key

"""Which hub checkpoints a recipe uses."""

from collections.abc import Iterator
from dataclasses import dataclass

from blip_core.errors import RecipeError
from blip_core.recipes import LABELLER, Checkpoint, Recipe, ServedModel, TextModel, Variant
from blip_core.recipes.reworded_questions import RewordedQuestions
from blip_core.recipes.unsafe_pictures import UnsafePictures

_WRITTEN = ("prompts", "world")  # sources whose scenes a language model writes


@dataclass(frozen=True, slots=True)
class Need:
    """One hub checkpoint that a recipe uses.

    Attributes:
        id: on the hub, `owner/name`.
        revision: commit, tag or branch; empty, the newest or the locked one.
        fields: where the recipe names it.
        safetensors: whether its weights are needed as safetensors.
        gguf: names of the GGUF files that are needed.
    """

    id: str
    revision: str
    fields: tuple[str, ...]
    safetensors: bool = True
    gguf: tuple[str, ...] = ()


def used_checkpoints(recipe: Recipe) -> Iterator[tuple[str, Checkpoint]]:
    """Every checkpoint that a run of a recipe loads, with the field that names it."""
    for phase in recipe.each_phase():
        if phase.grows_own:
            for field, checkpoint in _of_rows(recipe.in_phase(phase)):
                yield phase.path_of(field), checkpoint
    yield "finetune.base", recipe.finetune.base
    for field, checkpoint in recipe.judging.checkpoints():
        yield f"judging.{field}", checkpoint
    for variant in recipe.variants:
        if isinstance(variant, Variant):  # a server has loaded its own
            yield f"variants.{variant.name}.model", variant.model
    if any(isinstance(one, Variant) and one.answers == "read" for one in recipe.variants):
        yield "inference.reader", recipe.inference.reader


def served_models(recipe: Recipe) -> Iterator[tuple[str, ServedModel]]:
    """Every model of a text step that a server works, with the field that names it."""
    for phase in recipe.each_phase():
        if phase.grows_own:
            for field, model in _models_of_rows(recipe.in_phase(phase)):
                if isinstance(model, ServedModel):
                    yield phase.path_of(field), model


def _of_rows(recipe: Recipe) -> Iterator[tuple[str, Checkpoint]]:
    for field, model in _models_of_rows(recipe):
        if isinstance(model, Checkpoint):
            yield field, model


def _models_of_rows(recipe: Recipe) -> Iterator[tuple[str, TextModel]]:
    source = recipe.source
    if source.kind in _WRITTEN and recipe.scenes.plugin is None:
        yield "scenes.model", recipe.scenes.model
    if source.kind == "prompts" and recipe.pictures.plugin is None:
        yield "pictures.model", recipe.pictures.model
    drafts = any(step.drafts_by == LABELLER for step in recipe.annotations)
    if (recipe.asks_labeller or drafts) and recipe.labels.plugin is None:  # else its own questions are taken
        yield "labels.model", recipe.labels.model
    gates: dict[str, UnsafePictures | RewordedQuestions] = {
        "unsafe_pictures": recipe.curation.unsafe_pictures,
        "reworded_questions": recipe.curation.reworded_questions,
    }
    for name, gate in gates.items():
        if gate.enabled and gate.model:
            yield f"curation.{name}.model", gate.model
    for label, step in recipe.steps.items():
        for field, checkpoint in step.checkpoints():
            yield f"annotations.{label}.{field}", checkpoint


def needs_of(recipe: Recipe) -> list[Need]:
    """The hub checkpoints of a recipe, each once, in the order of the stages.

    Raises:
        RecipeError: It asks for two revisions of one checkpoint, which one folder cannot hold.
    """
    needs: dict[str, Need] = {}
    for field, checkpoint in used_checkpoints(recipe):
        if checkpoint.is_pocket or checkpoint.is_local:
            continue
        need = need_for(checkpoint, field)
        needs[need.id] = _joined(needs[need.id], need) if need.id in needs else need
    return list(needs.values())


def need_for(checkpoint: Checkpoint, *fields: str) -> Need:
    """What a recipe needs of one checkpoint, and where it names it."""
    gguf = (checkpoint.file,) if checkpoint.file else ()
    return Need(checkpoint.id, checkpoint.revision or "", fields, not gguf, gguf)


def _joined(one: Need, other: Need) -> Need:
    if one.revision != other.revision:
        raise RecipeError(
            f"{one.fields[0]} asks for {one.id} at revision {one.revision or 'newest'}, {other.fields[0]} at "
            f"{other.revision or 'newest'}: one machine holds one revision of a checkpoint; name the same"
        )
    gguf = tuple(dict.fromkeys(one.gguf + other.gguf))
    safetensors = one.safetensors or other.safetensors
    return Need(one.id, one.revision, one.fields + other.fields, safetensors, gguf)

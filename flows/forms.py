"""What the flows ask of a person: the parameters of their forms, their bounds, and the recipe they name."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, WithJsonSchema

from blip_core.recipes import DEFAULT_PROFILE, Recipe, load_recipe, profile_names, recipe_names

# A form offers what is shipped; the command line also takes the path of a file, so these are no enumerations.
RecipeChoice = Annotated[str, WithJsonSchema({"type": "string", "enum": list(recipe_names())})]
ProfileChoice = Annotated[str, WithJsonSchema({"type": "string", "enum": list(profile_names())})]

# Flows within a run have no form; to write out what theirs would be takes half a second of every start.
ResolvedRecipe = Annotated[Recipe, WithJsonSchema({"type": "object"})]

# A form's field is a number or it is not: what says "as the recipe has it" is a number, too.
AS_RECIPE = 0
SEED_AS_RECIPE = -1
SEED_OF_THE_DAY = -2  # for schedules: what is grown today is not what was grown last week

SceneCount = Annotated[int, Field(ge=AS_RECIPE, le=100_000)]
Epochs = Annotated[float, Field(ge=AS_RECIPE, le=1000.0)]
LearningRate = Annotated[float, Field(ge=AS_RECIPE, le=1.0)]
BatchSize = Annotated[int, Field(ge=AS_RECIPE, le=4096)]
Amount = Annotated[int, Field(ge=0, le=100_000_000)]
Hours = Annotated[float, Field(ge=0.0, le=10_000.0)]
ShareBound = Annotated[float, Field(ge=0.0, le=1.0)]
Seed = Annotated[int, Field(ge=SEED_OF_THE_DAY, le=2**32 - 1)]

DEFAULT_RECIPE = "gallery-vqa"

__all__ = [
    "AS_RECIPE",
    "DEFAULT_PROFILE",
    "DEFAULT_RECIPE",
    "SEED_AS_RECIPE",
    "SEED_OF_THE_DAY",
    "Amount",
    "BatchSize",
    "Epochs",
    "Hours",
    "LearningRate",
    "ProfileChoice",
    "RecipeChoice",
    "ResolvedRecipe",
    "SceneCount",
    "Seed",
    "ShareBound",
    "resolve",
]


def resolve(
    recipe: str, profile: str, overrides: Sequence[str], seed: int = SEED_AS_RECIPE, **fields: float
) -> Recipe:
    """The recipe that a filled-in form means; what `overrides` say wins over the form's own fields.

    Args:
        recipe: see `load_recipe`.
        profile: see `load_recipe`.
        overrides: see `load_recipe`.
        seed: of the whole run; `SEED_AS_RECIPE` changes nothing, `SEED_OF_THE_DAY` is the day for which the
            run was scheduled, as in 20270131.
        fields: numbers by field, a double underscore in place of the dot; `AS_RECIPE` changes nothing.

    Raises:
        RecipeError: See `load_recipe`.
    """
    numbers = [f"{name.replace('__', '.')}={value}" for name, value in fields.items() if value != AS_RECIPE]
    if seed == SEED_OF_THE_DAY:
        from prefect.runtime import flow_run

        seed = int(flow_run.scheduled_start_time.strftime("%Y%m%d"))
    seeded = [f"seed={seed}"] if seed != SEED_AS_RECIPE else []
    return load_recipe(recipe, profile, [*numbers, *seeded, *overrides])

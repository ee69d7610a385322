"""Secrets come from the environment or from Prefect's blocks: nothing that is kept of a run may hold one."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from blip_core.recipes import Recipe
from tests.deployments.templates import DEPLOYMENTS

SECRET = re.compile(
    r"password|passwd|secret|token(?!s|iz)|credential|api_?key|(^|_)key$|login|auth", re.IGNORECASE
)
FILE = DEPLOYMENTS / "prefect.yaml"
# Named so, and none: how many tokens, which token, or the name of the variable that holds a secret.
HARMLESS = {"key_variable"}


def fields(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Paths of all fields below a model."""
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        for part in models(field.annotation):
            yield from fields(part, f"{path}{name}.")


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


def suspicious(names: Iterator[str]) -> set[str]:
    last = {name: name.rpartition(".")[2] for name in names}
    return {name for name, field in last.items() if SECRET.search(field) and field not in HARMLESS}


def test_no_field_of_a_recipe_holds_a_secret():
    found = set(fields(Recipe))
    assert {"scenes.model", "scenes.model.key_variable"} <= found
    assert suspicious(iter(found)) == set()


@pytest.mark.parametrize("name", ["api_key", "hf_token", "password", "login", "auth_string", "key"])
def test_a_field_that_holds_one_would_be_noticed(name: str):
    assert suspicious(iter([f"scenes.{name}"])) == {f"scenes.{name}"}


def entrypoints() -> list[str]:
    return [one["entrypoint"] for one in yaml.safe_load(FILE.read_text())["deployments"]]


@pytest.mark.parametrize("entrypoint", entrypoints())
def test_no_flow_takes_a_secret_as_a_parameter(entrypoint: str):
    module, _, name = entrypoint.rpartition(".")
    flow = getattr(__import__(module, fromlist=[name]), name)
    assert suspicious(iter(inspect.signature(flow.fn).parameters)) == set()

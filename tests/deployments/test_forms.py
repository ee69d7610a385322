"""What the form of each deployment offers, read from the schema that the page draws it from."""

from importlib import import_module

import pytest
import yaml
from prefect.utilities.callables import parameter_schema

from blip_core.recipes import profile_names, recipe_names
from deployments.set_up import FILE

ENTRY_POINTS = [one["entrypoint"] for one in yaml.safe_load(FILE.read_text())["deployments"]]


@pytest.fixture(params=ENTRY_POINTS)
def schema(request):
    module, name = request.param.rsplit(".", 1)
    return parameter_schema(getattr(import_module(module), name))


def test_recipe_and_profile_are_drop_downs_of_all_there_are(schema):
    fields = schema.properties
    assert fields["recipe"]["enum"] == list(recipe_names())
    assert fields["profile"]["enum"] == list(profile_names())
    assert fields["recipe"]["default"] in fields["recipe"]["enum"]
    assert fields["profile"]["default"] == "pocket"


def test_numbers_are_bounded_and_their_defaults_hold(schema):
    numbers = [field for field in schema.properties.values() if field.get("type") in ("integer", "number")]
    assert numbers or "table" in schema.properties
    assert all(field["minimum"] <= field["default"] <= field["maximum"] for field in numbers)


def test_every_field_is_explained(schema):
    assert [name for name, field in schema.properties.items() if not field.get("description")] == []


def test_what_is_left_out_has_a_default(schema):
    required = set(schema.required)
    assert all("default" in field for name, field in schema.properties.items() if name not in required)
    assert required <= {"table", "out"}

"""A recipe that names Ray is told before any work what is missing for it."""

import sys

import pytest

from blip_core.errors import PlaceError
from blip_core.recipes import load_recipe
from blip_core.wiring import check_ready


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return load_recipe("gallery-vqa", "pocket", ["device.executor=ray"])


def test_an_address_that_nobody_named_is_told(recipe, monkeypatch):
    monkeypatch.setattr("blip_core.wiring.executors._ray", lambda: pytest.fail("Ray was loaded first"))
    with pytest.raises(PlaceError, match=r"^device\.executor is ray, and RAY_ADDRESS names no cluster"):
        check_ready(recipe)


def test_a_package_that_is_not_installed_is_told(recipe, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    monkeypatch.delitem(sys.modules, "blip_core.execution.ray_actors", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PlaceError, match=r"the package ray is not installed: pip install 'blip-foundry\[ray"):
        check_ready(recipe)


def test_workers_are_told_of_places_and_never_of_secrets(monkeypatch):
    from blip_core.wiring.executors import worker_places

    monkeypatch.setenv("FOUNDRY_HOME", "/shared")
    monkeypatch.setenv("FOUNDRY_SERVE_KEY", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    told = worker_places()
    assert told["FOUNDRY_HOME"] == "/shared"
    assert "canary" not in str(told)

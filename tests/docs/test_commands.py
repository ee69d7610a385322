"""Every command that a document shows exists, with its options, and the cheap ones do what they say."""

import re
import shlex

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from blip_core.recipes import load_recipe, profile_names, recipe_names
from flows.cli.app import app
from flows.cli.default_command import DEFAULT
from tests.docs.documents import DOCUMENTS, ROOT, Typed, assignments, commands, name_of

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_0-9]+) \?=", MAKEFILE, re.MULTILINE)) | {"FOUNDRY_HOME", "FOUNDRY_MODELS"}
SHOWN = {path: commands(path) for path in DOCUMENTS}
ALL = list(dict.fromkeys(one for path in DOCUMENTS for one in SHOWN[path]))


def foundry_calls():
    """What is typed of `foundry`, and what `make run` makes of its variables."""
    for one in ALL:
        if one.program == "foundry":
            yield one
        given, targets = assignments(one.words) if one.program == "make" else ({}, [])
        if targets == ["run"]:
            profile = ["--profile", given["PROFILE"]] if "PROFILE" in given else []
            words = ["run", given.get("RECIPE", "gallery-vqa"), *profile, *shlex.split(given.get("ARGS", ""))]
            yield Typed(one.document, "foundry", tuple(words), one.is_whole)


FOUNDRY = list(dict.fromkeys(foundry_calls()))


def parse(words):
    """What the program itself makes of words, without doing it; None where they ask for help."""
    group = typer.main.get_command(app)
    if not words or "--help" in words:
        names = [word for word in words if word != "--help"]
        assert set(names) <= set(group.commands)
        return None
    context = group.make_context("foundry", list(words))
    name, command, rest = group.resolve_command(context, list(words))
    if isinstance(command, TyperGroup):
        named = rest[:1] and rest[0] in command.commands
        name, command, rest = command.resolve_command(context, rest if named else [DEFAULT, *rest])
    return command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("one", FOUNDRY, ids=str)
def test_a_foundry_command_is_understood(one):
    if not one.is_whole and len(one.words) == 1:
        assert one.words[0] in {*typer.main.get_command(app).commands, "--help"}
        return
    if not one.is_whole and len(one.words) == 2 and is_below(*one.words):
        return
    parse(one.words)


def is_below(group, name):
    """Whether a command has one of that name below it."""
    found = typer.main.get_command(app).commands.get(group)
    return isinstance(found, TyperGroup) and name in found.commands


@pytest.mark.parametrize("one", [one for one in FOUNDRY if "--set" in one.words], ids=str)
def test_overrides_name_fields_and_values_that_hold(one):
    parameters = parse(one.words).params
    shipped = parameters["recipe"] in recipe_names()
    profile = parameters["profile"] if parameters["profile"] in profile_names() else None
    load_recipe(parameters["recipe"] if shipped else "gallery-vqa", profile, parameters["overrides"])


@pytest.mark.parametrize("one", [one for one in ALL if one.program == "make"], ids=str)
def test_a_make_command_names_targets_and_variables_that_there_are(one):
    given, targets = assignments(one.words)
    assert set(given) <= VARIABLES
    assert set(targets) <= TARGETS


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_blocks_to_be_typed_are_understood_by_a_shell(path):
    from tests.docs.documents import blocks

    for block in blocks(path, "bash"):
        shlex.split(block, comments=True)


def is_cheap(one):
    words = set(one.words)
    if one.words[:1] == ("recipes",) or "--help" in words:
        return True
    parameters = parse(one.words).params if len(one.words) > 1 else {}
    is_ours = parameters.get("recipe") in recipe_names()
    if one.words[0] == "show":
        return is_ours and parameters["profile"] in profile_names()
    is_planned = one.words[0] in ("run", "dataset", "finetune", "compare") and "--dry-run" in words
    named = parameters.get("dataset", "") + parameters.get("adapter", "")
    return is_planned and is_ours and parameters["profile"] == "pocket" and not named


CHEAP = sorted({one.words for one in FOUNDRY if one.is_whole and one.words and is_cheap(one)})


@pytest.mark.parametrize("words", CHEAP, ids=shlex.join)
def test_a_cheap_command_runs(words, monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    assert done.stdout


def test_every_document_is_looked_at():
    assert {"README.md", "docs/tutorial.md", "deployments/README.md"} <= set(map(name_of, DOCUMENTS))
    assert len(FOUNDRY) > 20
    assert len(CHEAP) > 3

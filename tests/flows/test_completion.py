"""The version, and what a shell completes."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from blip_core.wiring import git_commit
from flows.cli.app import main

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("foundry")
SHELLS = ["bash", "zsh", "fish"]


def foundry(*arguments, **environment):
    """What the program prints in a process of its own."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def in_process(monkeypatch, capsys):
    """What the program prints, asked in this process."""

    def ask(*arguments, **environment):
        monkeypatch.setattr(sys, "argv", ["foundry", *arguments])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr()
        assert said.err == ""
        return said.out

    return ask


def asking_bash(typed):
    """The environment in which bash asks for the last word."""
    words = typed.split(" ")
    return {"_FOUNDRY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}


def test_the_version_names_the_release_the_commit_and_the_libraries():
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said = foundry("--version").splitlines()
    assert said[:2] == [f"foundry {written}", f"commit {git_commit()}"]
    assert f"torch {version('torch')}" in said


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_a_script_that_asks_the_program(shell, tmp_path, in_process):
    script = in_process(_FOUNDRY_COMPLETE=f"source_{shell}")
    assert "_FOUNDRY_COMPLETE=complete_" + shell in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script)
        assert subprocess.run([shell, "-n", str(path)], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("foundry dat", ["dataset", "datasets"]),
        ("foundry run gal", ["gallery-vqa"]),
        ("foundry run gallery-vqa --profile w", ["workstation"]),
        ("foundry run gallery-vqa --profile m", ["modern", "modern-server"]),
        ("foundry run gallery-vqa --set finetune.learn", ["finetune.learning_rate="]),
        ("foundry run gallery-vqa --set scenes.model", ["scenes.model=", "scenes.model.id="]),
        ("foundry show nothing-like-it", []),
    ],
)
def test_commands_recipes_profiles_and_fields_are_completed(typed, offered, in_process):
    found = in_process(**asking_bash(typed)).split()
    assert found[: len(offered)] == offered
    assert bool(found) is bool(offered)


def test_a_shell_is_answered_by_the_program_that_is_installed():
    assert "gallery-vqa" in foundry(**asking_bash("foundry run gal")).split()


def test_the_help_says_how_to_switch_completion_on_and_where_fields_are_listed(in_process):
    assert {"--version", "--install-completion", "--show-completion"} <= set(in_process("--help").split())
    said = " ".join(in_process("run", "--help", COLUMNS="200").split())
    assert "foundry show RECIPE" in said
    assert "docs/reference/recipe.md" in said

"""The command line: one line for a mistake, and one JSON object where it was asked for."""

import socket
import sys

import pytest

from flows.cli.app import main
from flows.cli.commands.options import only_json


def foundry(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["foundry", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "galery-vqa"], "galery-vqa"),
        (["run", "gallery-vqa", "--profile", "laptop"], "laptop"),
        (["run", "gallery-vqa", "--set", "scenes.cuont=3"], "scenes.cuont"),
        (["run", "gallery-vqa", "--set", "scenes.count=0"], "scenes.count"),
        (["run", "gallery-vqa", "--set", "labels.model=pocket/lava"], "pocket/lava"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(monkeypatch, capsys, arguments, named):
    assert foundry(monkeypatch, *arguments) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


def test_a_home_that_is_a_file_is_named(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "file"))
    assert foundry(monkeypatch, "run", "gallery-vqa") == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_busy_port_is_named_with_the_option_to_change_it(monkeypatch, capsys, home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert foundry(monkeypatch, "ui", "--prefect-port", port) == 2
    said = capsys.readouterr().err
    assert port in said
    assert "--prefect-port" in said


def test_recipes_lists_recipes_and_profiles(monkeypatch, capsys):
    assert foundry(monkeypatch, "recipes") == 0
    said = capsys.readouterr().out
    assert "gallery-vqa" in said
    assert "pocket" in said


def test_show_prints_a_recipe_that_can_be_run_again(monkeypatch, capsys, tmp_path):
    from blip_core.recipes import load_recipe

    assert foundry(monkeypatch, "show", "gallery-vqa", "--set", "scenes.count=7") == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out)
    assert load_recipe(str(path)).scenes.count == 7


def test_only_json_reaches_standard_output(capfd):
    with only_json() as output:
        sys.stdout.write("a library speaks\n")
        output.write("{}\n")
    said = capfd.readouterr()
    assert said.out == "{}\n"
    assert "a library speaks" in said.err

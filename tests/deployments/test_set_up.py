"""The file of deployments, and setting up where no server is."""

import sys

import pytest
import yaml

from blip_core.errors import PlaceError
from blip_core.wiring import workplace
from blip_core.wiring.servers import prefect_api
from deployments.set_up import FILE, main, prefect_file


def deployments(schedules):
    with prefect_file(schedules) as path:
        return yaml.safe_load(path.read_text())["deployments"]


def test_schedules_can_be_left_to_the_server():
    assert any("schedules" in one for one in deployments(True))
    assert not any("schedules" in one for one in deployments(False))


def test_without_schedules_all_else_is_the_same():
    trimmed = [{name: one[name] for name in one if name != "schedules"} for one in deployments(True)]
    assert deployments(False) == trimmed


def test_no_path_of_this_machine_is_deployed():
    assert yaml.safe_load(FILE.read_text())["pull"] == []
    assert all(":" not in one["entrypoint"] for one in deployments(True))


def test_a_named_server_that_is_down_is_no_reason_to_use_another(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(PlaceError, match=r"127\.0\.0\.1:9"):
        prefect_api(workplace())


def test_without_a_server_one_line_says_what_to_do(monkeypatch, capsys):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["set_up"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "foundry ui" in said
    assert len(said.splitlines()) == 1

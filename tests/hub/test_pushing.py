"""An adapter goes to a hub of the test's own, and nowhere without a yes."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blip_core.errors import CheckpointError, HubAway, UserMistake
from blip_core.modeling import attach_adapter, load_adapter, load_blip2, save_adapter
from blip_core.modeling.pushing import plan_upload
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from blip_core.uploading import push
from flows.cli.commands.push import push as push_command

NAME = "owner/adapter"
BASE = Checkpoint(id="Salesforce/blip2-flan-t5-xl", revision="abc123")


@pytest.fixture
def adapter(tiny_blip2, tmp_path) -> Path:
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), Adapter(preset="projection-queries"), seed=0)
    return save_adapter(bundle, tmp_path / "adapter", BASE)


@pytest.fixture
def login(stand_in, monkeypatch) -> None:
    monkeypatch.setattr("blip_core.uploading.get_token", lambda: stand_in.login)
    monkeypatch.setenv("HF_TOKEN", stand_in.login)


@pytest.mark.usefixtures("login")
def test_what_is_pushed_is_an_adapter_and_nothing_that_lies_beside_it(
    adapter, stand_in, tiny_blip2, tmp_path
):
    (adapter / "optimizer.pt").write_bytes(b"not ours to give away")

    url = push(plan_upload(adapter, NAME, is_private=True), stand_in.url)

    assert url == f"{stand_in.url}/{NAME}/commit/1"
    assert stand_in.private == {NAME}
    assert set(stand_in.sent[NAME]) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "foundry.json",
        "query_tokens.safetensors",
    }
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, content in stand_in.sent[NAME].items():
        (copy / name).write_bytes(content)
    assert load_adapter(load_blip2(tiny_blip2("t5")), copy).full == ("language_projection", "query_tokens")


@pytest.mark.usefixtures("login")
def test_another_card_takes_the_place_of_the_folders_own(adapter, stand_in, tmp_path):
    card = tmp_path / "CARD.md"
    card.write_text("# With scores\n")

    push(plan_upload(adapter, NAME, is_private=False, card=card), stand_in.url)

    assert stand_in.sent[NAME]["README.md"] == card.read_bytes()
    assert stand_in.private == set()


def test_without_a_login_it_says_how_to_log_in(adapter, stand_in, monkeypatch):
    monkeypatch.setattr("blip_core.uploading.get_token", lambda: None)

    with pytest.raises(UserMistake, match="hf auth login"):
        push(plan_upload(adapter, NAME, is_private=False), stand_in.url)
    assert stand_in.asked == []


def test_a_login_that_may_not_write_is_told_so(adapter, stand_in, monkeypatch):
    monkeypatch.setattr("blip_core.uploading.get_token", lambda: "hf_other")
    monkeypatch.setenv("HF_TOKEN", "hf_other")

    with pytest.raises(UserMistake, match=r"does not let your login write to owner/adapter \(status 401\)"):
        push(plan_upload(adapter, NAME, is_private=False), stand_in.url)
    assert stand_in.sent == {}


@pytest.mark.usefixtures("login")
def test_a_hub_that_is_away_is_said_to_be(adapter, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    with pytest.raises(HubAway, match="does not answer"):
        push(plan_upload(adapter, NAME, is_private=False), "http://127.0.0.1:9")


@pytest.mark.usefixtures("login")
def test_offline_is_said_to_forbid_it(adapter, stand_in, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(HubAway, match="forbids it"):
        push(plan_upload(adapter, NAME, is_private=False), stand_in.url)


@pytest.mark.parametrize("name", ["adapter", "a/b/c", "owner/", "../x"])
def test_a_name_that_is_no_repository_is_refused(adapter, name):
    with pytest.raises(UserMistake, match="OWNER/NAME"):
        plan_upload(adapter, name, is_private=False)


def test_an_adapter_whose_base_nobody_else_has_is_refused(tiny_blip2, tmp_path):
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), Adapter(preset="projection"), seed=0)
    folder = save_adapter(bundle, tmp_path / "adapter", Checkpoint(id=str(tiny_blip2("t5"))))

    with pytest.raises(CheckpointError, match="a folder of this machine"):
        plan_upload(folder, NAME, is_private=False)


def test_without_a_yes_nothing_is_uploaded(adapter, stand_in, monkeypatch, tmp_path, capsys):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal, hence nobody

    with pytest.raises(UserMistake, match="nothing was uploaded"):
        push_command(str(adapter), NAME)

    assert "EVERYBODY can read" in capsys.readouterr().err
    assert stand_in.asked == []


@pytest.mark.slow
def test_the_command_uploads_with_a_yes(adapter, stand_in, tmp_path):
    environment = dict(os.environ) | {
        "HF_ENDPOINT": stand_in.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": stand_in.login,
        "FOUNDRY_HOME": str(tmp_path / "home"),
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "flows.cli.app", "push", str(adapter), NAME, "--yes", "--private"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{stand_in.url}/{NAME}/commit/1"
    assert stand_in.private == {NAME}
    assert "adapter_model.safetensors" in stand_in.sent[NAME]

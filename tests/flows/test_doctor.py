"""The doctor: nothing to say of a healthy home, one line for each fault, and a way to mend it."""

import re
import socket
import sqlite3
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from safetensors.numpy import save

from blip_core.prefetching import LockedCheckpoint
from blip_core.prefetching.damage import lock_file
from blip_core.prefetching.lock import write_lock
from blip_core.recipes import load_recipe
from blip_core.tracking import JournalTracker
from blip_core.wiring import executors, workplace
from flows.cli.checks import machine, models, records, serving
from flows.cli.checks.finding import Case, Finding
from flows.cli.checks.workers import workers
from flows.cli.doctor import CHECKS, examine, verdict
from tests.commands import foundry

WEIGHTS = save({"x": np.zeros(3, dtype=np.float32)})
HUB_MODEL = 'scenes.model={id="owner/model"}'
DEPENDS_ON_THE_MACHINE = ("disk", "memory", "packages", "GPU")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def case(home):
    return Case(workplace(), None, False, free_port(), free_port())


@pytest.fixture
def artefact(case):
    def build(folder):
        (folder / "rows.txt").write_text("some rows")
        return {"rows": 1}

    return case.place.store.publish("scenes-0123", "scenes", build)


def states(findings):
    return [finding.state for finding in findings]


def one(findings) -> Finding:
    (finding,) = findings
    return finding


def test_a_healthy_home_is_all_ok(case, artefact):
    found = list(examine(case))
    assert [line for line in found if line.state == "problem"] == []
    assert [line for line in found if line.state != "ok" and line.check not in DEPENDS_ON_THE_MACHINE] == []
    # Workers and the servers of models are those of a recipe, and Prefect's database is a file of its own.
    assert len(found) == len(CHECKS) - 3


@pytest.mark.parametrize(
    ("told", "free", "state", "said"),
    [
        (["device.executor=auto"], 5e9, "ok", r"auto: 4 processes of \d\.\d GB each, and memory holds \d"),
        (["device.executor=auto"], 1e9, "ok", "auto: the run works alone"),
        (["device.executor=processes", "device.workers=3"], 9e9, "ok", r"processes: 3 processes of"),
        (["device.executor=processes", "device.workers=9"], 3e9, "warning", r"9 processes of .* holds 3"),
        (["device.executor=processes"], 1e8, "warning", r"4 processes of .* holds 0"),
    ],
)
def test_workers_that_memory_does_not_hold_are_a_warning(case, monkeypatch, told, free, state, said):
    monkeypatch.setattr(executors, "usable_cores", lambda: 4)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    found = one(workers(replace(case, recipe=load_recipe("gallery-vqa", "pocket", told))))
    assert found.state == state
    assert re.search(said, found.said)
    assert bool(found.remedy) == (state == "warning")


@pytest.mark.parametrize("executor", ["serial", "ray"])
def test_nothing_is_said_of_workers_that_are_not_of_this_machine(case, executor):
    recipe = load_recipe("gallery-vqa", "pocket", [f"device.executor={executor}", "device.workers=2"])
    assert list(workers(replace(case, recipe=recipe))) == []


def test_a_gpu_that_is_not_here_is_no_matter_of_workers(case):
    recipe = load_recipe("gallery-vqa", "datacenter", ["device.executor=processes"])
    assert list(workers(replace(case, recipe=recipe))) == []


def test_whatever_is_wrong_has_a_remedy(case, artefact):
    (artefact.path / "rows.txt").write_text("some")
    case.place.lock.write_text("{")
    (case.place.mlflow).mkdir()
    (case.place.mlflow / "mlflow.db").write_text("no database at all, and longer than a header of SQLite is")
    checks = (records.artefacts, records.mlflow, models.checkpoints)
    found = list(examine(case, checks))
    assert states(found) == ["problem"] * 3
    assert all(line.remedy for line in found)
    assert verdict(found) == "3 problems, 0 warnings."


def test_a_store_that_cannot_be_written_is_named(case):
    (case.place.home / "store").write_text("a file where a folder should be")
    finding = one(records.store(case))
    assert finding.state == "problem"
    assert str(case.place.home / "store") in finding.said


def test_a_home_that_cannot_be_written_is_the_only_line(monkeypatch, capsys, tmp_path):
    from flows.cli.app import main

    (tmp_path / "file").touch()
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(sys, "argv", ["foundry", "doctor"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().out.count("problem") == 2  # the line and the verdict


def test_a_truncated_artefact_is_named(case, artefact):
    (artefact.path / "rows.txt").write_text("some")
    finding = one(records.artefacts(case))
    assert finding.state == "problem"
    assert "scenes-0123 lacks a file, or part of one" in finding.said


def test_a_flipped_byte_is_found_by_the_thorough_look(case, artefact):
    (artefact.path / "rows.txt").write_text("s0me rows")
    thorough = Case(case.place, None, True, case.prefect_port, case.mlflow_port)
    assert one(records.artefacts(case)).state == "ok"
    assert one(records.artefacts(thorough)).state == "problem"


def test_what_kept_features_take_is_said(case):
    assert one(records.kept_features(case)).said == "none yet"

    def build(folder):
        (folder / "states.safetensors").write_bytes(bytes(5_000))
        return {"rows": 3}

    case.place.store.publish("features-01-23", "features", build)
    said = one(records.kept_features(case)).said
    assert said.startswith("of 3 pictures, 5.")
    assert "clean-features" in said


def test_unfinished_and_set_aside_work_is_counted(case):
    (case.place.store.root / "staging" / "scenes-0123.abc").mkdir(parents=True)
    (case.place.store.root / "quarantine" / "scenes-0123.0").mkdir(parents=True)
    assert states(records.artefacts(case)) == ["warning", "warning"]


def test_a_taken_port_is_named_with_the_option_to_change_it(case):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", case.mlflow_port))
        taken.listen()
        finding = one(serving.ports(case))
    assert finding.state == "warning"
    assert str(case.mlflow_port) in finding.said
    assert "--mlflow-port" in finding.remedy


def test_servers_that_are_named_and_do_not_answer_are_told(case, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    named = Case(workplace(), None, False, case.prefect_port, case.mlflow_port)
    assert "does not answer" in one(serving.prefect(named)).said
    assert "does not answer" in one(records.mlflow(named)).said


def test_a_sound_database_is_ok(case):
    case.place.mlflow.mkdir()
    sqlite3.connect(case.place.mlflow / "mlflow.db").execute("CREATE TABLE t (x)").connection.close()
    assert one(records.mlflow(case)).state == "ok"


def test_journals_that_wait_are_counted(case):
    run = JournalTracker(case.place.journal).start("gallery-vqa", "a run", {})
    run.metrics({"x": 1.0})
    run.finish()
    finding = one(records.waiting_journals(case))
    assert finding.state == "warning"
    assert "of 1 runs wait for MLflow" in finding.said


def test_a_damaged_journal_is_named(case):
    case.place.journal.mkdir()
    (case.place.journal / "0123.jsonl").write_text("no entry\n")
    finding = one(records.waiting_journals(case))
    assert finding.state == "problem"
    assert "0123.jsonl" in finding.said


@pytest.fixture
def locked(case):
    folder = case.place.models / "owner" / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    files = {path.name: lock_file(path) for path in folder.iterdir()}
    write_lock(case.place.lock, {"owner/model": LockedCheckpoint("c" * 40, "", files)})
    return folder


def hub_lines(case, *overrides):
    recipe = load_recipe("gallery-vqa", "pocket", [HUB_MODEL, *overrides])
    asking = Case(
        case.place, recipe, False, case.prefect_port, case.mlflow_port, "mine.toml --profile pocket"
    )
    found = models.checkpoints(asking)
    return [line for line in found if "owner/model" in line.said]


def test_a_checkpoint_as_it_was_locked_is_ok(case, locked):
    assert "as locked (cccccccccccc" in one(models.checkpoints(case)).said
    assert states(hub_lines(case)) == ["ok"]


def test_a_tampered_checkpoint_is_a_problem(case, locked):
    (locked / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"x")
    finding = one(hub_lines(case))
    assert finding.state == "problem"
    assert "model.safetensors is not what was locked" in finding.said
    assert finding.remedy == "foundry prefetch mine.toml --profile pocket"


def test_a_checkpoint_that_is_not_here_says_how_to_get_it(case):
    finding = one(hub_lines(case))
    assert finding.state == "problem"
    assert "foundry prefetch mine.toml" in finding.remedy


@pytest.mark.parametrize(
    ("profile", "count"),
    [("workstation", 5), ("datacenter", 5), ("modern", 5), ("modern-server", 3), ("pocket", 1)],
)
def test_checkpoints_that_are_not_here_have_one_remedy_together(case, profile, count):
    recipe = load_recipe("gallery-vqa", profile, [HUB_MODEL] if profile == "pocket" else [])
    asking = Case(case.place, recipe, False, case.prefect_port, case.mlflow_port, "mine.toml")
    (absent,) = [found for found in models.checkpoints(asking) if found.state == "problem"]
    assert absent.said.startswith(f"{count} of {count} are not in {case.place.models}: ")
    assert absent.said.count("/", absent.said.index(": ")) == count
    assert absent.remedy == "foundry prefetch mine.toml"


def test_folders_with_the_same_harm_have_one_remedy_together(case, locked):
    for name in ("owner/a", "owner/b"):
        (case.place.models / name).mkdir(parents=True)
    overrides = ['labels.model={id="owner/a"}', 'baseline={id="owner/b"}']
    recipe = load_recipe("gallery-vqa", "pocket", [HUB_MODEL, *overrides])
    asking = Case(case.place, recipe, False, case.prefect_port, case.mlflow_port, "mine.toml")
    (wrong,) = [found for found in models.checkpoints(asking) if found.state == "problem"]
    assert wrong.said.count(" lacks config.json") == 2


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("tokenizer.json", "lacks a tokenizer"),
        ("config.json", "lacks config.json"),
        ("model.safetensors", "lacks weights"),
    ],
)
@pytest.mark.parametrize("is_locked", [True, False])
def test_a_checkpoint_that_lacks_a_file_is_a_problem(case, locked, lost, said, is_locked):
    (locked / lost).unlink()
    if not is_locked:
        case.place.lock.unlink()
    finding = one(hub_lines(case))
    assert finding.state == "problem"
    assert said in finding.said


def test_a_copied_checkpoint_without_lock_is_a_warning(case, locked):
    case.place.lock.unlink()
    finding = one(hub_lines(case))
    assert finding.state == "warning"
    assert "--offline" in finding.remedy


def test_another_revision_than_the_recipes_is_a_problem(case, locked):
    override = 'scenes.model={id="owner/model", revision="v2"}'
    assert one(hub_lines(case, override)).state == "problem"


def test_a_gpu_that_the_recipe_needs_and_nobody_has_is_a_problem(case, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    recipe = load_recipe("gallery-vqa", "pocket", ["device.kind=cuda"])
    asking = Case(case.place, recipe, False, case.prefect_port, case.mlflow_port)
    assert one(machine.gpu(asking)).state == "problem"
    assert one(machine.gpu(case)).state in ("ok", "warning")


def test_little_disk_is_told(case, monkeypatch):
    monkeypatch.setattr(machine, "DISK_WARNING_BYTES", 1 << 60)
    assert states(machine.disk(case)) == ["warning"]
    monkeypatch.setattr(machine, "DISK_PROBLEM_BYTES", 1 << 60)
    assert states(machine.disk(case)) == ["problem"]


def test_a_missing_package_is_named(case, monkeypatch):
    present = machine.version

    def version(name: str) -> str:
        if name == "peft":
            raise PackageNotFoundError(name)
        return present(name)

    monkeypatch.setattr(machine, "version", version)
    finding = one(machine.packages(case))
    assert finding.state == "problem"
    assert "peft is missing" in finding.said


def test_four_bit_weights_that_compute_wrongly_are_told(case, monkeypatch):
    monkeypatch.setattr(machine, "quantisation_error", lambda: 0.7)
    assert one(machine.four_bit(case)).state == "problem"


def test_programs_get_one_object_and_the_exit_code(case, locked):
    (locked / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"x")
    ports = ["--prefect-port", str(case.prefect_port), "--mlflow-port", str(case.mlflow_port)]
    done = foundry("doctor", "--json", *ports)
    told = done.told
    assert done.code == 1
    assert told["ok"] is False
    assert [line["check"] for line in told["findings"] if line["state"] == "problem"] == ["checkpoints"]


@pytest.mark.parametrize("name", ["gallery-vqa", "gallery-vqa-2", "own name"])
def test_a_deleted_experiment_of_our_runs_is_told_with_what_brings_it_back(case, name):
    case.place.mlflow.mkdir()
    with sqlite3.connect(case.place.mlflow / "mlflow.db") as database:
        database.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT, lifecycle_stage TEXT)")
        rows = [(7, name, "deleted"), (8, "somebody's", "deleted"), (9, "alive", "active")]
        database.executemany("INSERT INTO experiments VALUES (?, ?, ?)", rows)
    database.close()
    for experiment in (name, "alive"):
        JournalTracker(case.place.journal).start(experiment, "a run", {}).finish()
    deleted, sound = records.mlflow(case)
    assert (deleted.state, sound.state) == ("warning", "ok")
    assert f"the experiment {name} was deleted" in deleted.said
    assert "mlflow experiments restore --experiment-id 7" in deleted.remedy

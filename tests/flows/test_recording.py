"""What a recorder keeps of stages that run: read from the journals of its runs, without any server."""

import json
import threading

import pytest

from blip_core.curation import GateCount, GateSample
from blip_core.errors import StageFailure
from blip_core.recipes import load_recipe
from blip_core.reporting.screens import NoScreen
from blip_core.store import Artifact
from blip_core.tracking import JournalTracker
from blip_core.tracking.journal import Entry, read_journal
from blip_core.wiring import workplace
from flows.recording import Recorder
from flows.results.phases import keep_funnel
from flows.results.run_page import run_page


@pytest.fixture
def recorder(home):
    recipe = load_recipe("gallery-vqa", "pocket")
    run = JournalTracker(home / "journal").start("gallery-vqa", "test", {})
    return Recorder(recipe, run, NoScreen(), run_page(), workplace())


@pytest.fixture
def entries(recorder, home):
    """Entries of the run of a stage, once all runs are closed."""

    def of_stage(stage: str) -> list[Entry]:
        recorder.close()
        return read_journal(home / "journal" / f"{recorder.children[stage].id}.jsonl")

    return of_stage


@pytest.fixture
def artifact(tmp_path):
    return Artifact("adapter-0", "adapter", tmp_path, "0" * 64, 5, {})


def system_metrics(entries: list[Entry]) -> set[str]:
    named = {name for entry in entries if entry.kind == "metrics" for name in entry.data["values"]}
    return {name for name in named if name.startswith("system/")}


def samplers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "system-metrics"]


def test_a_stage_that_works_records_how_busy_the_machine_is(recorder, entries, artifact):
    recorder.begin("finetune", cached=False)
    assert len(samplers()) == 1
    recorder.end(artifact)
    assert not samplers()
    assert {
        "system/cpu_utilization_percentage",
        "system/process_memory_usage_megabytes",
    } <= system_metrics(entries("finetune"))


def test_a_stage_that_is_taken_from_the_store_records_nothing_of_the_machine(recorder, entries, artifact):
    recorder.begin("finetune", cached=True)
    recorder.end(artifact)
    assert not system_metrics(entries("finetune"))


def test_a_stage_that_fails_leaves_no_thread(recorder, entries):
    recorder.begin("finetune", cached=False)
    recorder.fail(StageFailure("no"))
    assert not samplers()
    found = entries("finetune")
    assert system_metrics(found)
    assert found[-1].data == {"status": "FAILED"}


def test_samples_are_one_table_that_grows(recorder, entries, home):
    row = {"step": 0, "id": "a", "answer": "B"}
    recorder.begin("finetune", cached=False)
    recorder.samples([row])
    recorder.samples([row | {"step": 9}])
    tables = [entry for entry in entries("finetune") if entry.kind == "table"]
    assert {entry.data["file"].rpartition("/")[2] for entry in tables} == {"samples.json"}
    grown = json.loads((home / "journal" / tables[-1].data["file"]).read_text())
    assert grown == {"columns": ["step", "id", "answer"], "data": [[0, "a", "B"], [9, "a", "B"]]}


def test_training_metrics_bear_the_names_that_all_runs_share(recorder, entries):
    recorder.begin("finetune", cached=False)
    told = {"loss": 1.0, "learning_rate": 0.1, "grad_norm": 2.0, "validation_loss": 3.0, "probe/old": 0.8}
    recorder.metrics(told, step=4)
    values = {}
    for entry in entries("finetune"):
        if entry.kind == "metrics" and entry.data["step"] == 4:
            values |= entry.data["values"]
    train = {"train/loss": 1.0, "train/learning_rate": 0.1, "train/grad_norm": 2.0}
    assert values == train | {"eval/loss": 3.0, "probe/old": 0.8}


def test_the_run_of_a_dataset_tells_what_its_gates_saw_and_refused(recorder, entries, artifact):
    refused = GateSample("x", "What?", "a frog", "too-short: 1 word")
    recorder.begin("dataset", cached=True)
    recorder.end(artifact)
    keep_funnel(recorder, [GateCount("lengths", 10, 2, "short texts", {"too-short": 2}, (refused,))], "")

    told = {
        name: value
        for entry in entries("dataset")
        if entry.kind == "metrics"
        for name, value in entry.data["values"].items()
    }
    assert (told["gates/lengths/seen"], told["gates/lengths/refused"]) == (10.0, 2.0)
    assert any("funnel.json" in json.dumps(entry.data) for entry in entries("dataset"))

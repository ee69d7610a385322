"""Tuning as a stage: what rests beside the adapter, what a kill leaves, and what bad rows do."""

import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from blip_core.errors import EmptyDataset, FoundryError, StageFailure, StoreError, TrainingFailure
from blip_core.recipes import Recipe, load_recipe
from blip_core.recipes.device import Device
from blip_core.records import Example
from blip_core.reporting import stage_words
from blip_core.reporting.curves import CURVE, SAMPLES, read_curve, read_samples
from blip_core.reporting.screens import NoScreen
from blip_core.store import Artifact, ArtifactRef
from blip_core.tracking import JournalTracker, MlflowTracker
from blip_core.tracking.journal import read_journal
from blip_core.training.launching import Job
from blip_core.wiring import workplace
from flows.recording import Recorder
from flows.results.run_page import run_page
from flows.results.training import keep_learning
from tasks import tune_adapter as stage
from tasks.stage import NoWatcher, watched_by
from tests.tiny_blip2 import FolderOf, MakeExamples

TRAINED, HELD_OUT = 12, 4
STEPS = 6
Tune = Callable[[], Artifact]


class EpochListener(NoWatcher):
    """Remembers the epochs it is told of."""

    def __init__(self) -> None:
        self.epochs: list[tuple[float, float, Mapping[str, float]]] = []

    def epoch(self, epoch: float, epochs: float, metrics: Mapping[str, float]) -> None:
        self.epochs.append((epoch, epochs, metrics))


class DyingWatcher(NoWatcher):
    """Interrupts the run when a step is reported."""

    def __init__(self, fatal_step: int) -> None:
        self._fatal_step = fatal_step

    def metrics(self, values, step) -> None:
        if step == self._fatal_step:
            raise KeyboardInterrupt


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def recipe(tiny_blip2: FolderOf) -> Recipe:
    settings = {
        "base": tiny_blip2("t5"),
        "quantisation": "none",
        "epochs": 2,
        "batch_size": 4,
        "save_every_steps": 2,
        "eval_every_steps": 3,
        "sample_rows": 2,
    }
    fields = [f"finetune.{name}={value}" for name, value in settings.items()]
    return load_recipe("gallery-vqa", "pocket", [*fields, "inference.max_new_tokens=4"])


@pytest.fixture
def rows(make_examples: MakeExamples) -> list[Example]:
    """What the dataset holds; a test may change them before it tunes."""
    return make_examples(TRAINED + HELD_OUT)


@pytest.fixture
def dataset(home: Path) -> ArtifactRef:
    return workplace().store.publish("dataset-0", "dataset", lambda folder: {"rows": TRAINED}).ref()


@pytest.fixture
def tune(recipe: Recipe, rows: list[Example], dataset: ArtifactRef, monkeypatch: pytest.MonkeyPatch) -> Tune:
    """Work the stage in the home of the test, as Prefect would call it."""

    def read_split(folder: Path, split: str) -> list[Example]:
        return rows[:TRAINED] if split == "train" else rows[TRAINED:]

    monkeypatch.setattr("tasks.tune_adapter.read_split", read_split)

    def run() -> Artifact:
        ref = stage.tune_adapter.task.fn(recipe=recipe, dataset=dataset)
        found = workplace().store.find(ref.key)
        assert found is not None
        return found

    return run


def kill(tune: Tune, step: int) -> None:
    with pytest.raises(KeyboardInterrupt), watched_by(DyingWatcher(step)):
        tune()


def unfinished(home: Path) -> list[Path]:
    return list((home / "training").glob("*"))


def test_beside_the_adapter_rests_how_it_came_to_be(tune: Tune, rows: list[Example]):
    adapter = tune()
    told = adapter.metadata
    assert (told["rows"], told["steps"], told["counts"]["rows"]) == (TRAINED, STEPS, TRAINED)
    assert told["counts"]["vision_forwards"] == len({row.image for row in rows})
    assert (told["counts"]["quarantined"], told["quarantined"]) == (0, [])
    assert told["rows_per_second"] > 0
    assert "thread" in told["device_name"]
    parts = {(part["module"], part["dtype"]): part["parameters"] for part in told["manifest"]}
    assert parts[("qformer", "float32")] > 0
    assert len(read_curve(adapter.path / CURVE)) == STEPS + 1


def test_each_epoch_is_told_with_its_mean_loss_and_the_newest_look_at_other_rows(tune: Tune):
    listener = EpochListener()
    with watched_by(listener):
        curve = read_curve(tune().path / CURVE)
    losses = {row["step"]: row["loss"] for row in curve if "loss" in row}
    assert [epoch for epoch, _, _ in listener.epochs] == [1, 2]
    assert {of for _, of, _ in listener.epochs} == {2}
    assert listener.epochs[1][2]["loss"] == pytest.approx((losses[4] + losses[5] + losses[6]) / 3)
    assert listener.epochs[1][2]["validation_loss"] == curve[-1]["validation_loss"]


def test_samples_are_of_the_same_few_rows_from_before_the_first_step(tune: Tune, rows: list[Example]):
    samples = read_samples(tune().path / SAMPLES)
    assert [sample["step"] for sample in samples] == [0, 0, 3, 3, 6, 6]
    assert {sample["id"] for sample in samples[:2]} == {sample["id"] for sample in samples[-2:]}
    truth = {row.id: row.answer for row in rows[TRAINED:]}
    assert all(sample["truth"] == truth[sample["id"]] for sample in samples)


def test_a_killed_tuning_goes_on_and_ends_the_same(tune: Tune, home: Path, tmp_path, monkeypatch):
    kill(tune, step=5)
    assert len(unfinished(home)) == 1
    resumed = tune()
    assert resumed.metadata["counts"]["resumed_at"] == 4
    assert "resumed at step 4" in stage_words("finetune", resumed.metadata)
    assert unfinished(home) == []

    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "undisturbed"))
    workplace().store.publish("dataset-0", "dataset", lambda folder: {"rows": TRAINED})
    undisturbed = tune()
    assert undisturbed.metadata["counts"]["resumed_at"] is None
    assert undisturbed.digest == resumed.digest


def test_what_a_finished_tuning_left_behind_is_swept_by_the_next(tune: Tune, recipe, dataset, home: Path):
    finished = tune()
    (home / "training" / finished.key).mkdir(parents=True)
    (home / "training" / "adapter-of-another-recipe").mkdir()
    other = recipe.model_copy(update={"seed": 7})
    stage.tune_adapter.task.fn(recipe=other, dataset=dataset)
    assert [path.name for path in unfinished(home)] == ["adapter-of-another-recipe"]


def test_an_unreadable_picture_is_left_out_by_name(tune: Tune, rows: list[Example], monkeypatch):
    monkeypatch.setattr("blip_core.training.inputs.MOST_QUARANTINED", 0.2)
    damaged = rows[2].image[:40]
    rows[2:4] = [replace(row, image=damaged) for row in rows[2:4]]
    told = tune().metadata
    assert told["counts"]["quarantined"] == 2
    (rejection,) = told["quarantined"]
    assert (rejection["id"], rejection["reason"]) == (rows[2].id, "unreadable-picture")
    assert "rows left out 2" in stage_words("finetune", told)


def test_too_many_unreadable_pictures_stop_the_stage(tune: Tune, rows: list[Example]):
    rows[2] = replace(rows[2], image=b"")
    with pytest.raises(StageFailure, match=rf"1 of 9 pictures cannot be read.*{rows[2].id}"):
        tune()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"answer": ""}, TrainingFailure, "rows have no answer"),
        ({"answer": "B"}, TrainingFailure, "rows to train on is B"),
    ],
)
def test_rows_that_teach_nothing_are_one_clear_error(
    tune: Tune, rows: list[Example], home: Path, change, error: type[FoundryError], match: str
):
    rows[:] = [replace(row, **change) for row in rows]
    with pytest.raises(error, match=match):
        tune()
    assert workplace().store.artifacts("adapter") == []


def test_an_empty_dataset_is_one_clear_error(tune: Tune, rows: list[Example]):
    rows.clear()
    with pytest.raises(EmptyDataset, match="no rows are left"):
        tune()


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A file system for the states of tunings that is too small for one, where this user may mount it."""
    folder = home / "training"
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_clear_error_and_with_room_the_tuning_ends(tune: Tune, small_disk: Path):
    with pytest.raises(StoreError, match=r"full.*make room and run again"):
        tune()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert tune().metadata["steps"] == STEPS


def test_without_a_tracking_server_the_tuning_ends_and_its_journal_keeps_all(
    tune: Tune, recipe: Recipe, home: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = MlflowTracker("http://127.0.0.1:9", home / "journal")  # nobody serves that port
    recorder = Recorder(recipe, away.start("gallery-vqa", "alone", {}), NoScreen(), run_page(), workplace())
    with watched_by(recorder):
        recorder.begin("finetune", cached=False)
        adapter = tune()
        recorder.end(adapter)
        keep_learning(recorder, tmp_path, adapter.ref())
    recorder.close()
    child = recorder.children["finetune"]
    assert (child.mlflow_id, recorder.run.mlflow_id) == ("", "")

    entries = read_journal(home / "journal" / f"{child.id}.jsonl")
    steps = defaultdict(list)
    for entry in entries:
        for name in entry.data["values"] if entry.kind == "metrics" else ():
            steps[name].append(entry.data["step"])
    for name in ("train/loss", "train/learning_rate", "train/grad_norm"):
        assert steps[name] == list(range(1, STEPS + 1)), name
    assert steps["eval/loss"] == [0, 3, 6]
    assert {"system/cpu_utilization_percentage", "train/rows_per_second"} <= steps.keys()
    tables = [Path(entry.data["file"]).name for entry in entries if entry.kind == "table"]
    assert tables == ["samples.json"] * 4 + ["manifest.json"]  # beginning, two epochs, all of it


def test_a_resumed_tuning_tells_mlflow_its_earlier_steps(
    tune: Tune, recipe: Recipe, home: Path, tmp_path: Path
):
    kill(tune, step=5)
    run = JournalTracker(home / "journal").start("gallery-vqa", "resumed", {})
    recorder = Recorder(recipe, run, NoScreen(), run_page(), workplace())
    with watched_by(recorder):
        recorder.begin("finetune", cached=False)
        adapter = tune()
        recorder.end(adapter)
        keep_learning(recorder, tmp_path, adapter.ref())
    recorder.close()
    entries = read_journal(home / "journal" / f"{recorder.children['finetune'].id}.jsonl")
    told = [entry.data for entry in entries if entry.kind == "metrics"]
    assert [one["step"] for one in told if "train/loss" in one["values"]] == [5, 6, 1, 2, 3, 4]


def test_several_processes_are_launched_and_the_model_is_not_loaded_here(
    recipe: Recipe, dataset: ArtifactRef, tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def launched(job: Job, *told: object) -> None:
        jobs.append(job)
        raise StageFailure("process 2 of 2 was killed")

    monkeypatch.setattr("blip_core.training.launching.finetune_together", launched)
    monkeypatch.setattr("tasks.tune_adapter.load_base", None)
    many = recipe.model_copy(update={"device": Device(kind="cpu", processes=2, threads=6)})

    with pytest.raises(StageFailure, match="process 2 of 2 was killed"):
        stage.tune_adapter.task.fn(recipe=many, dataset=dataset)

    (job,) = jobs
    place = workplace()
    assert (job.processes, job.threads_each, job.device) == (2, 3, "cpu")
    assert (job.store, job.settings) == (place.store.root, recipe.finetune)
    assert job.checkpoints == place.training / stage.key(many, dataset)  # threads are keyed
    assert Job.from_json(job.to_json()) == job

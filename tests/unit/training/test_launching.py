import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any, Protocol

import pytest
from safetensors.torch import load_file

from blip_core.dataset import read_split
from blip_core.launching import run_together
from blip_core.modeling import load_blip2
from blip_core.recipes import Checkpoint
from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import EXAMPLE_SCHEMA
from blip_core.store import write_rows
from blip_core.training.launching import Job, finetune_together
from blip_core.training.probing import ProbedRows, write_probes
from blip_core.training.process_group import ALONE
from blip_core.training.sampling import Sample
from tests.tiny_blip2 import FolderOf, MakeExamples
from tests.unit.training.shared_tunings import LITTLE_MEMORY, PROCESSES, tune_job

TRAINED = 13  # in the last step of an epoch one row is left, and one process has none
LITTLE = 1e-6  # learnt at this rate, an adapter is all but the one that was begun with
DROPOUT = Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.1)


class MakeJob(Protocol):
    def __call__(self, name: str, family: str = "t5", **changed: Any) -> Job: ...


def without_dropout(base: Path, folder: Path) -> Path:
    """A base whose own layers drop nothing, either."""
    if not folder.exists():
        shutil.copytree(base, folder)
        config = json.loads((folder / "config.json").read_text())
        for part in ("text_config", "qformer_config", "vision_config"):
            config[part] |= {name: 0.0 for name in config[part] if "dropout" in name}
        (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def make_job(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> MakeJob:
    """A tuning of a tiny model on 13 rows, 5 held out, eight steps."""
    rows = make_examples(TRAINED + 5)
    for split, part in (("train", rows[:TRAINED]), ("validation", rows[TRAINED:])):
        path = tmp_path / "dataset" / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, part, EXAMPLE_SCHEMA)

    base = Checkpoint(id="tiny", dtype="float32")

    def make(name: str, family: str = "t5", checkpoints: Path | None = None, **changed: Any) -> Job:
        return Job(
            base=without_dropout(tiny_blip2(family), tmp_path / f"base-{family}"),
            identity=family,
            dataset=tmp_path / "dataset",
            store=tmp_path / "store",
            settings=finetune_settings.model_copy(update={"base": base, "learning_rate": 5e-4, **changed}),
            prompts=inference_settings,
            seed=0,
            out_dir=tmp_path / name,
            checkpoints=checkpoints,
            device="cpu",
            processes=PROCESSES,
        )

    return make


@pytest.mark.slow
@pytest.mark.parametrize("kinds", ["a seq2seq", "every kind"])
def test_two_processes_take_the_steps_of_one(make_job: MakeJob, tmp_path: Path, kinds: str) -> None:
    others = {
        "opt": make_job("opt", "opt", weight_decay=0.1),
        "full": make_job(
            "full", adapter=Adapter(preset="projection-queries"), quantisation="nf4", micro_batch_size=1
        ),
    }
    jobs = {
        "t5": make_job("t5", own_description_share=0.5),
        "begun": dataclasses.replace(make_job("begun", learning_rate=LITTLE), start=tmp_path / "t5"),
        **(others if kinds == "every kind" else {}),
        LITTLE_MEMORY: make_job(LITTLE_MEMORY, own_description_share=0.5),
        "dropout": make_job("dropout", adapter=DROPOUT),
        "ended": make_job("ended", adapter=DROPOUT, save_every_steps=2, checkpoints=tmp_path / "kept"),
    }

    shared = run_together(
        "tests.unit.training.shared_tunings",
        {name: job.to_json() for name, job in jobs.items()},
        PROCESSES,
        os.environ,
        print,
    )

    for name in jobs.keys() & {"t5", "begun", "opt", "full"}:
        alone = tune_job(dataclasses.replace(jobs[name], out_dir=tmp_path / "alone" / name), ALONE)
        assert losses(shared[name]["curve"]) == pytest.approx(losses(alone.curve), abs=1e-4)
        assert norms(shared[name]["curve"]) == pytest.approx(norms(alone.curve), rel=1e-3)
        assert shared[name]["counts"]["rows"] == alone.counts.rows
        assert [(one["id"], one["step"]) for one in shared[name]["samples"]] == [
            (one.id, one.step) for one in alone.samples
        ]
        tuned, expected = (weights(folder) for folder in (shared[name]["adapter"], alone.adapter))
        assert tuned.keys() == expected.keys()
        assert all(tuned[key].allclose(expected[key], atol=1e-4) for key in expected)
    begun, start = (weights(shared[name]["adapter"]) for name in ("begun", "t5"))
    assert all(begun[key].allclose(start[key], atol=1e-4) for key in start)
    assert shared["t5"]["counts"]["micro_batch_size"] == 4
    assert shared[LITTLE_MEMORY]["counts"]["micro_batch_size"] == 1  # of both: they go on alike
    assert losses(shared[LITTLE_MEMORY]["curve"]) == pytest.approx(losses(shared["t5"]["curve"]), abs=1e-4)
    assert shared["ended"]["counts"]["resumed_at"] == 2
    assert shared["ended"]["curve"] == shared["dropout"]["curve"] != shared["t5"]["curve"]
    tuned, expected = (weights(shared[name]["adapter"]) for name in ("ended", "dropout"))
    assert all(tuned[key].equal(expected[key]) for key in expected)
    gone_on = tune_job(dataclasses.replace(jobs["ended"], out_dir=tmp_path / "gone-on"), ALONE)
    assert (gone_on.counts.resumed_at, gone_on.curve) == (8, shared["ended"]["curve"])


@pytest.mark.slow
def test_a_launched_tuning_comes_back_whole(
    make_job: MakeJob, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []
    said: list[Sample] = []
    alone = make_job("adapter", epochs=1.0, checkpoints=tmp_path / "kept")
    watched = read_split(alone.dataset, "validation")
    (tmp_path / "probes").mkdir()
    write_probes(tmp_path / "probes", [ProbedRows("old", watched, alone.prompts, "letter-right")])
    job = dataclasses.replace(alone, probes=tmp_path / "probes")
    (tmp_path / "kept" / "step-00000002").mkdir(parents=True)  # what a kill may leave

    tuned = finetune_together(job, os.environ, lambda step, metrics: told.append(step), said.extend)

    result = tuned.result
    assert told == [row["step"] for row in result.curve] == [0, 1, 2, 3, 4]
    assert said == result.samples != []
    (kept,) = result.remembered
    assert (kept.probe, kept.rows, kept.before) == ("old", len(watched), result.curve[0]["probe/old"])
    assert result.counts.vision_forwards == 9  # of the two, one encodes and the other reads
    assert tuned.manifest == load_blip2(job.base).manifest
    assert tuned.manifest[0].bytes > 0
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "step-00000002",
        "step-00000004",
    ]
    assert weights(result.adapter)
    assert "step-00000002 is incomplete or damaged" in caplog.text


def test_what_travels_comes_back_as_it_was(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job("adapter", adapter=Adapter(preset="projection-queries"), checkpoints=tmp_path)
    started = dataclasses.replace(job, start=tmp_path / "earlier", probes=tmp_path / "probes")

    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(started.to_json()) == started


def test_threads_are_shared_out(make_job: MakeJob) -> None:
    job = make_job("adapter")

    assert dataclasses.replace(job, threads=8).threads_each == 4
    assert dataclasses.replace(job, threads=1).threads_each == 1


def losses(curve: list[dict[str, float]]) -> list[float]:
    """Of training and validation, in their order."""
    return [row[name] for row in curve for name in ("loss", "validation_loss") if name in row]


def norms(curve: list[dict[str, float]]) -> list[float]:
    return [row["grad_norm"] for row in curve if "grad_norm" in row]


def weights(folder: str | Path) -> Any:
    return load_file(Path(folder) / "adapter_model.safetensors")

"""Runs shown in TensorBoard and W&B: what the journal holds, once, and never at the cost of a run."""

import logging
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from blip_core.recipes import load_recipe
from blip_core.tracking import JournalTracker, mirroring
from blip_core.tracking.cursor import delivered_runs
from blip_core.tracking.journal import Journal, files_folder, read_journal
from blip_core.tracking.mirroring import mirror_missed, run_folder

pytest.importorskip("tensorboard", reason="an extra: make test-mirrors")

LOSSES = [0.5, 0.25, 0.125]
FILE_HEADER_BYTES, RECORD_HEADER_BYTES, BLOCK_BYTES = 7, 7, 32_768
WHOLE, LAST = 1, 4  # kinds of records, the others being first and middle parts


@pytest.fixture
def journals(tmp_path) -> Path:
    return tmp_path / "journal"


def tune(journals: Path, mirrors=("tensorboard",), finish=True):
    """A run with a stage below it, as a flow records them."""
    run = JournalTracker(journals).start(
        "gallery vqa", "gallery-vqa-pocket", {"foundry.flow": "pipeline"}, mirrors
    )
    stage = run.child("finetune", {})
    run.params({"seed": 0, "prompt": "a | b\nc"})
    for step, loss in enumerate(LOSSES):
        stage.metrics({"train/loss": loss}, step)
    run.metrics({"eval/accuracy": 0.76})
    run.note("It **helped**.")
    if finish:
        stage.finish()
        run.finish()
    return run, stage


def picture(folder: Path, name: str, colour: str) -> Path:
    path = folder / name
    Image.new("RGB", (6, 4), colour).save(path)
    return path


def accumulated(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def folder_of(journals: Path, run) -> Path:
    return run_folder(journals / f"{run.id}.jsonl")


def test_tensorboard_reads_what_the_journal_holds(journals):
    run, stage = tune(journals)
    told = accumulated(folder_of(journals, stage)).Scalars("train/loss")
    kept = [one for one in read_journal(journals / f"{stage.id}.jsonl") if one.kind == "metrics"]
    assert [(one.step, one.value) for one in told] == list(enumerate(LOSSES))
    assert [one.wall_time for one in told] == pytest.approx([one.time_ms / 1000 for one in kept])
    whole = accumulated(folder_of(journals, run))
    assert whole.Scalars("eval/accuracy")[0].value == pytest.approx(0.76)
    texts = {
        tag: whole.Tensors(tag)[-1].tensor_proto.string_val[0].decode() for tag in whole.Tags()["tensors"]
    }
    assert "| prompt | a \\| b c |" in texts["params/text_summary"]
    assert texts["note/text_summary"] == "It **helped**."
    assert folder_of(journals, stage).is_relative_to(journals.with_name("tensorboard") / "gallery-vqa")


@pytest.fixture
def drawn(journals, tmp_path):
    """A run with figures, one of which was drawn again, whose copies MLflow has taken away."""

    def draw(*mirrors: str):
        run = JournalTracker(journals).start("gallery vqa", "drawn", {}, mirrors)
        run.artifact(picture(tmp_path, "loss.png", "red"), "figures")
        again = picture(tmp_path, "loss.png", "blue")
        run.artifact(again, "figures")
        run.artifact(picture(tmp_path, "sheet.png", "green"))
        (tmp_path / "report.html").write_text("no picture")
        run.artifact(tmp_path / "report.html")
        shutil.rmtree(files_folder(journals / f"{run.id}.jsonl"))
        run.finish()
        return run, again.read_bytes()

    return draw


def test_tensorboard_shows_figures_as_they_are(journals, drawn):
    run, latest = drawn("tensorboard")
    for _ in range(2):
        shown = accumulated(folder_of(journals, run))
        assert sorted(shown.Tags()["images"]) == ["figures/loss", "sheet"]
        first, last = shown.Images("figures/loss")
        assert (last.width, last.height, last.encoded_image_string) == (6, 4, latest)
        assert first.encoded_image_string != latest
        for kept in journals.glob("delivered-*"):
            kept.unlink()
        mirror_missed(journals)


def test_without_mirrors_no_picture_is_kept_twice(journals, drawn):
    drawn()
    assert not journals.with_name("mirrored-pictures").exists()


def test_a_run_is_shown_while_it_goes_on(journals):
    run, stage = tune(journals, finish=False)
    stage._live._files._writer.flush()
    assert len(accumulated(folder_of(journals, stage)).Scalars("train/loss")) == len(LOSSES)
    stage.finish()
    run.finish()


def test_replaying_adds_nothing_however_often(journals):
    run, stage = tune(journals)
    for _ in range(2):
        mirror_missed(journals)
        (journals / next(path.name for path in journals.glob("delivered-*"))).unlink()
        mirror_missed(journals)
    assert len(accumulated(folder_of(journals, stage)).Scalars("train/loss")) == len(LOSSES)
    assert {run.id, stage.id} <= delivered_runs(journals, "tensorboard")


def test_a_run_whose_process_died_is_shown_whole_by_the_next(journals):
    run, stage = tune(journals, finish=False)
    folder = folder_of(journals, stage)
    for one in (run, stage):
        one._live._files._writer.close()
        one._journal.close()
    for path in folder.glob("events*"):
        path.write_bytes(path.read_bytes()[:100])
    mirror_missed(journals)
    assert len(accumulated(folder).Scalars("train/loss")) == len(LOSSES)


def test_a_run_that_is_still_written_is_left_alone(journals):
    run, stage = tune(journals, finish=False)
    before = {path: path.stat().st_mtime_ns for path in journals.with_name("tensorboard").rglob("events*")}
    mirror_missed(journals)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    stage.finish()
    run.finish()


def test_without_the_field_nothing_is_written(journals):
    tune(journals, mirrors=())
    mirror_missed(journals)
    assert not journals.with_name("tensorboard").exists()


@pytest.mark.parametrize("failure", [OSError("disk full"), RuntimeError("broken"), ImportError("none")])
def test_a_mirror_that_fails_is_told_once_and_harms_no_run(journals, monkeypatch, caplog, failure):
    def fails(*_):
        raise failure

    monkeypatch.setattr(mirroring.EventFiles, "write", fails)
    with caplog.at_level(logging.WARNING):
        run, _ = tune(journals)
    assert read_journal(journals / f"{run.id}.jsonl")[-1].kind == "finish"
    assert "the run goes on" in caplog.text
    assert ("pip install 'blip-foundry[tensorboard]'" in caplog.text) is isinstance(failure, ImportError)
    monkeypatch.undo()
    mirror_missed(journals)
    assert accumulated(folder_of(journals, run)).Scalars("eval/accuracy")


def test_a_damaged_journal_keeps_no_other_from_its_mirror(journals):
    journal = Journal(journals / "damaged.jsonl")
    journal._file.write(b"{}\n")
    journal.close()
    run, _ = tune(journals)
    mirror_missed(journals)
    assert accumulated(folder_of(journals, run)).Scalars("eval/accuracy")


def test_the_field_changes_no_key_and_no_digest_of_a_recipe_without_it():
    recipe = load_recipe("gallery-vqa", "pocket")
    assert "mirrors" not in recipe.model_dump()["tracking"]
    mirrored = load_recipe("gallery-vqa", "pocket", ['tracking.mirrors=["tensorboard"]'])
    assert mirrored.tracking.mirrors == ("tensorboard",)
    plain = recipe.tracking
    assert replace_tracking(mirrored, plain).digest() == recipe.digest()
    sections = ("seed", "scenes", "pictures", "labels", "dataset", "finetune", "inference", "task", "stages")
    assert mirrored.digest(*sections) == recipe.digest(*sections)


def replace_tracking(recipe, tracking):
    return recipe.model_copy(update={"tracking": tracking})


def records(path: Path) -> Iterator[bytes]:
    """Records of a log in LevelDB's form: a header of the file, then blocks of records with headers."""
    content, begun = path.read_bytes(), b""
    at = FILE_HEADER_BYTES
    while at < len(content):
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < RECORD_HEADER_BYTES:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        begun += content[at + RECORD_HEADER_BYTES : at + RECORD_HEADER_BYTES + length]
        at += RECORD_HEADER_BYTES + length
        if kind in (WHOLE, LAST):
            yield begun
            begun = b""


@pytest.mark.slow
def test_wandb_gets_an_offline_run_a_run_once(journals):
    pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    _, stage = tune(journals, mirrors=("wandb",))
    next(journals.glob("delivered-*")).unlink()
    mirror_missed(journals)
    (folder,) = (journals.with_name("wandb") / "wandb").glob(f"offline-run-*-{stage.id}")
    rows = []
    for content in records(folder / f"run-{stage.id}.wandb"):
        record = Record.FromString(content)
        if record.WhichOneof("record_type") == "history":
            rows.append({one.key or ".".join(one.nested_key): one.value_json for one in record.history.item})
    assert [(int(row["step"]), float(row["train/loss"])) for row in rows] == list(enumerate(LOSSES))


@pytest.mark.slow
def test_wandb_gets_figures_that_mlflow_has_taken(journals, drawn):
    pytest.importorskip("wandb")
    run, latest = drawn("wandb")
    (folder,) = (journals.with_name("wandb") / "wandb").glob(f"offline-run-*-{run.id}")
    media = sorted((folder / "files" / "media" / "images").rglob("*.png"))
    assert sorted(
        {str(path.relative_to(folder / "files/media/images")).partition("_")[0] for path in media}
    ) == [
        "figures/loss",
        "sheet",
    ]
    assert len(media) == 3
    assert latest in {path.read_bytes() for path in media}

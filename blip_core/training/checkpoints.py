"""Checkpoints that a killed tuning goes on from, to the bit.

    step-00000050/adapter.safetensors      weights that are trained
                  best.safetensors         the same at the best validation loss, once there is one
                  optimiser.safetensors    exp_avg, exp_avg_sq and step of each weight
                  random.safetensors       states of all random generators
                  trainer_state.json       as the Trainer writes it
                  record.json              fingerprint, scheduler, progress
                  complete.json            sha256 of all others

A checkpoint is written into a temporary folder, brought to the disk and renamed; `complete.json` comes last.
One that is incomplete or no longer has its digests is as good as none.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from blip_core import strict_json
from blip_core.errors import TrainingFailure
from blip_core.modeling.finite import is_finite
from blip_core.store.durable import explained, sync
from blip_core.training.fingerprint import Fingerprint, differences

KEPT = 2
"""Complete checkpoints that stay: the newest, and the one before in case it is damaged."""

COMPLETE = "complete.json"
RECORD = "record.json"
TRAINER_STATE = "trainer_state.json"  # the Trainer looks for it by this name

_FORMAT = 1
STEP_PREFIX = "step-"
_STAGING = ".writing-"
_TENSOR_FILES = ("adapter", "best", "optimiser", "random")

_log = logging.getLogger(__name__)

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Snapshot:
    """A tuning between two steps.

    Attributes:
        step: steps taken.
        adapter: weights that are trained, by name.
        best: the same at the best validation loss; empty before the first.
        optimiser: its state, `NAME/exp_avg`, `NAME/exp_avg_sq` and `NAME/step` for each weight.
        random: states of all random generators.
        trainer_state: the Trainer's own account.
        record: everything else, as JSON.
    """

    step: int
    adapter: Tensors
    best: Tensors
    optimiser: Tensors
    random: Tensors
    trainer_state: dict[str, Any]
    record: dict[str, Any]


class Checkpoints:
    """The checkpoints of one tuning.

    Args:
        root: their folder; made when the first is saved.
        fingerprint: of the tuning.
    """

    def __init__(self, root: Path, fingerprint: Fingerprint) -> None:
        self.root = root
        # As it comes back from JSON: tuples are lists there.
        self._fingerprint = strict_json.loads(strict_json.dumps(fingerprint))

    def save(self, snapshot: Snapshot) -> Path:
        """Write one, and forget those that are too old.

        Raises:
            TrainingFailure: A value is no number; nothing is written.
            StoreError: The disk is full; earlier checkpoints are as they were.
            PlaceError: The folder cannot be written.
        """
        _refuse_what_is_no_number(snapshot)
        final = self.root / f"{STEP_PREFIX}{snapshot.step:08}"
        staging = self.root / f"{_STAGING}{final.name}"
        with explained(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self._forget_unfinished()
            try:
                _write(staging, {**snapshot.record, "fingerprint": self._fingerprint}, snapshot)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
            if final.exists():  # a damaged one that was skipped
                shutil.rmtree(final)
            staging.rename(final)
            sync(self.root)
            for old in self._folders()[KEPT:]:
                shutil.rmtree(old)
        return final

    def newest(self) -> tuple[Path, Snapshot] | None:
        """The newest that is complete, with its folder; None where there is none.

        Raises:
            TrainingFailure: It belongs to another tuning.
        """
        for folder in self._folders():
            snapshot = _read(folder)
            if snapshot is None:
                _log.warning("checkpoint %s is incomplete or damaged: the one before is used", folder)
                continue
            self._refuse_another(folder, snapshot.record["fingerprint"])
            return folder, snapshot
        return None

    def _folders(self) -> list[Path]:
        """Newest first."""
        found = self.root.glob(f"{STEP_PREFIX}*") if self.root.is_dir() else []
        return sorted((path for path in found if path.is_dir()), key=lambda path: path.name, reverse=True)

    def _forget_unfinished(self) -> None:
        for left in self.root.glob(f"{_STAGING}*"):
            shutil.rmtree(left)

    def _refuse_another(self, folder: Path, saved: Mapping[str, Any]) -> None:
        if saved == self._fingerprint:
            return
        what = "; ".join(differences(saved, self._fingerprint))
        raise TrainingFailure(
            f"checkpoint {folder} belongs to another tuning: {what}. "
            f"Restore what it was made with to go on from it, or delete {self.root} to begin anew"
        )


def _refuse_what_is_no_number(snapshot: Snapshot) -> None:
    for part in ("adapter", "best", "optimiser"):
        for name, tensor in getattr(snapshot, part).items():
            if not is_finite(tensor):
                raise TrainingFailure(
                    f"{name} ({part}) holds NaN or infinity after step {snapshot.step}: nothing "
                    "is saved, earlier checkpoints are kept; lower finetune.learning_rate"
                )


def _write(folder: Path, record: Mapping[str, Any], snapshot: Snapshot) -> None:
    folder.mkdir()
    digests = {}
    for name, content in _files(record, snapshot):
        _write_file(folder / name, content)
        digests[name] = hashlib.sha256(content).hexdigest()
    sync(folder)
    complete = {"format": _FORMAT, "step": snapshot.step, "files": digests}
    _write_file(folder / COMPLETE, _as_json(complete))
    sync(folder)


def _files(record: Mapping[str, Any], snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    for part in _TENSOR_FILES:
        tensors = getattr(snapshot, part)
        if tensors:
            # As bytes: left to write the file itself, safetensors hides from us that the disk is full.
            yield f"{part}.safetensors", safetensors.torch.save(tensors)
    yield TRAINER_STATE, _as_json(snapshot.trainer_state)
    yield RECORD, _as_json(record)


def _as_json(values: Mapping[str, Any]) -> bytes:
    return strict_json.dumps(values, indent=1).encode() + b"\n"


def _write_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    sync(path)


def _read(folder: Path) -> Snapshot | None:
    """A checkpoint, from the very bytes whose digests were compared; None where they do not hold."""
    try:
        complete = strict_json.loads((folder / COMPLETE).read_bytes())
        contents = {name: (folder / name).read_bytes() for name in complete["files"]}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        is_whole = complete["format"] == _FORMAT and digests == complete["files"]
        if not is_whole or folder.name != f"{STEP_PREFIX}{complete['step']:08}":
            return None
        return _snapshot(complete["step"], contents)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _snapshot(step: int, contents: Mapping[str, bytes]) -> Snapshot:
    parts = {
        part: safetensors.torch.load(contents[name]) if (name := f"{part}.safetensors") in contents else {}
        for part in _TENSOR_FILES
    }
    trainer_state = strict_json.loads(contents[TRAINER_STATE])
    return Snapshot(step, **parts, trainer_state=trainer_state, record=strict_json.loads(contents[RECORD]))

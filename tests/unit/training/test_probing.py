from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from blip_core.errors import TrainingFailure
from blip_core.modeling import load_blip2
from blip_core.modeling.features import VisionCache
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from blip_core.training.probing import PROBE, ProbedRows, Prober, read_probes, write_probes
from tests.tiny_blip2 import FolderOf, MakeExamples
from tests.unit.training.conftest import TuneTiny

COLUMN = PROBE + "letters"


@pytest.fixture
def rows(make_examples: MakeExamples) -> list[Example]:
    return make_examples(6)


@pytest.fixture
def probe(rows: list[Example], inference_settings: Inference) -> ProbedRows:
    return ProbedRows("letters", rows, inference_settings, "letter-right")


def losses(curve: list[dict[str, float]]) -> list[float]:
    return [row["loss"] for row in curve if "loss" in row]


def test_probes_are_judged_on_the_way_and_the_model_learns_as_if_they_were_not(
    tune_tiny: TuneTiny, probe: ProbedRows
) -> None:
    often = replace(probe, name="often", every_steps=1)
    alone = tune_tiny(folder="alone")
    probed = tune_tiny(folder="probed", probes=[probe, often])
    assert losses(probed.curve) == losses(alone.curve)
    steps = {
        name: [row["step"] for row in probed.curve if PROBE + name in row] for name in ("letters", "often")
    }
    assert steps["often"] == list(range(probed.steps + 1))
    assert steps["letters"][0] == 0
    assert steps["letters"][-1] == probed.steps
    assert len(steps["letters"]) < len(steps["often"])
    kept = probed.remembered[0]
    assert (kept.probe, kept.measure, kept.rows) == ("letters", "letter-right", 6)
    assert kept.before == probed.curve[0][COLUMN]
    assert kept.after == next(row[COLUMN] for row in probed.curve if row["step"] == probed.best_step)


def test_a_measure_that_says_nothing_of_the_rows_is_told(
    tiny_blip2: FolderOf, rows: list[Example], inference_settings: Inference
) -> None:
    bundle = load_blip2(tiny_blip2("opt"))
    states = VisionCache(bundle, 4)
    states.add(rows)
    prober = Prober(
        bundle, [ProbedRows("odd", rows, inference_settings, "circular-right")], states, steps_per_epoch=2
    )
    with pytest.raises(TrainingFailure, match="the probe odd cannot be judged: circular-right says nothing"):
        prober.due(0, is_last=False)


def test_processes_that_tune_together_read_the_same_probes(tmp_path: Path, probe: ProbedRows) -> None:
    write_probes(tmp_path, [probe])
    (again,) = read_probes(tmp_path)
    told: dict[str, Any] = asdict(again)
    assert told == asdict(probe)

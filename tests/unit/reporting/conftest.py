import io

import numpy as np
import pytest
from PIL import Image

from blip_core.reporting import (
    AdapterSummary,
    DatasetSummary,
    Ladder,
    MlflowSummary,
    Rung,
    StageSummary,
    Summary,
    summarise_comparisons,
    summarise_variants,
)
from blip_core.scoring import Accuracy, Comparison, Finding, FreeGeneration


@pytest.fixture
def ladder():
    rungs = [
        Rung("baseline", Accuracy(0.262, 0.243, 0.282, 2000), FreeGeneration(0.1, 0.8)),
        Rung("flan-t5", Accuracy(0.712, 0.692, 0.731, 2000), FreeGeneration(0.7, 0.0)),
        Rung("finetuned", Accuracy(0.763, 0.744, 0.781, 2000)),
    ]
    comparisons = [
        Comparison("baseline", "flan-t5", 0.45, 0.42, 0.48, 1e-12, 1100, 2000, 500),
        Comparison("flan-t5", "finetuned", 0.051, 0.03, 0.072, 0.0004, 260, 2000, 500),
        Comparison("baseline", "finetuned", 0.501, 0.47, 0.53, 1e-12, 1200, 2000, 500),
    ]
    return Ladder(rungs, comparisons)


@pytest.fixture
def summary(ladder):
    return Summary(
        dataset=DatasetSummary(
            "/data/gallery", "d" * 64, {"train": 300, "validation": 40, "test": 40}, {"duplicate": 3}
        ),
        variants=summarise_variants(ladder),
        comparisons=summarise_comparisons(ladder),
        adapter=AdapterSummary("/data/adapter", "a" * 64),
        stages={"scenes": StageSummary(1.5, False), "pictures": StageSummary(0.1, True)},
        mlflow=MlflowSummary("sqlite:////data/mlflow.db", "r1"),
        report="/data/report.html",
    )


def _finding(**changes):
    told = {"name": "tuning-helps", "a": "flan-t5", "b": "finetuned", "measure": "letter-right"}
    told |= {"set": "bundled", "difference": 0.051, "ci95": (0.03, 0.072), "p_value": 0.0004}
    told |= {"p_adjusted": 0.0008, "n": 2000, "clusters": 500, "test": "paired", "expect": "more"}
    told |= {"margin": 0.0, "holds": True, "words": "share of right letters, ranked"}
    return Finding(**{**told, **changes})


@pytest.fixture
def finding():
    """Makes a finding that holds, with the fields that are given changed."""
    return _finding


@pytest.fixture
def png():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def noisy_jpeg():
    """A picture that compresses badly, as a photograph does."""
    pixels = np.random.default_rng(0).integers(0, 256, (420, 420, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()

"""What one stage knows of a row, from the row and the manifest of its artefact alone."""

from pathlib import Path

import pytest

from blip_core.dataset.steps import FROM_OUTSIDE, picture_step
from blip_core.records import Picture
from blip_core.store import Artifact

DIALS = {"prompt": "a photo of {scene}", "steps": 20, "guidance_scale": 0.0, "negative_prompt": "blur"}
COMPOSED = {"prompt": "a frog", "checkpoint": "the composer of the pocket world"}
PAINTED = {"prompt": "a photo of a frog", "steps": 20, "negative_prompt": "blur"}


def facts(settings: dict, scene: str = "a frog") -> dict:
    row = Picture(
        id="nature-00001-p0",
        scene_id="nature-00001",
        category="nature",
        scene=scene,
        seed=7,
        png=b"",
        width_px=64,
        height_px=48,
        sha256="5" * 64,
    )
    told = picture_step(Artifact("k", "pictures", Path(), "d", 1, {"settings": settings}), row).facts
    assert (told["width_px"], told["height_px"], told["sha256"]) == (64, 48, "5" * 64)
    return {name: value for name, value in told.items() if name not in ("width_px", "height_px", "sha256")}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pictures": DIALS, "source": {"kind": "world"}}, COMPOSED),
        ({"pictures": DIALS, "source": {"kind": "painter"}}, PAINTED),
        ({"pictures": DIALS, "source": {"kind": "zoo"}}, PAINTED),
        ({"pictures": DIALS, "source": {}}, PAINTED),
        ({"pictures": DIALS}, PAINTED),
        ({"source": {"kind": "world"}}, {}),
        ({}, {}),
    ],
)
def test_how_a_picture_was_made_is_told_as_far_as_the_manifest_says(settings: dict, expected: dict):
    assert facts(settings) == {"seed": 7} | expected


def test_a_picture_from_outside_has_neither_seed_nor_prompt():
    assert facts({"pictures": DIALS}, scene="") == {"origin": FROM_OUTSIDE}

from pathlib import Path

import numpy as np
import torch

from blip_core.pocket.pretraining import Plan
from blip_core.pocket.vision import (
    GRID,
    Diet,
    SupervisedTower,
    as_clip,
    patch_centres,
    patch_objects,
    supervised_batch,
    supervised_loss,
    to_pixel_values,
    train_tower,
)
from blip_core.pocket.world import OBJECT_NAMES, Group, PocketScene, Style, render


def test_patches_name_the_object_that_covers_them_and_centres_are_counted() -> None:
    scene = PocketScene("beach", "noon", (Group("bus", 2),))
    rendered = render(scene, Style.GENERIC, np.random.default_rng(0))
    assert set(patch_objects(rendered.object_map)) == {0, 1 + OBJECT_NAMES.index("bus")}
    assert patch_centres(rendered).sum() == 2


def test_flips_move_pixels_and_targets_together() -> None:
    batch = supervised_batch(np.random.default_rng(1), 16, Diet(augmented=True))
    assert batch["object"].shape == (16, GRID * GRID)
    centred = batch["centre"].bool()
    assert (batch["object"][centred] > 0).float().mean() > 0.8


def test_pixels_are_normalised_as_the_image_processors_do() -> None:
    from blip_core.pocket.blip2 import picture_processor as blip_processor
    from blip_core.pocket.labeller import picture_processor as clip_processor

    pixels = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    for processor in (blip_processor(), clip_processor()):
        processed = processor(images=list(pixels), return_tensors="pt")["pixel_values"]
        torch.testing.assert_close(processed, to_pixel_values(pixels), atol=1e-5, rtol=0)


def test_a_tower_learns_and_carries_over_to_clip(tmp_path: Path) -> None:
    batch = supervised_batch(np.random.default_rng(3), 16, Diet())
    untrained = float(supervised_loss(SupervisedTower(), batch).detach())
    plan = Plan(steps=12, peak_lr=2e-3, warmup=2, save_every=100, log_every=100)
    tower = train_tower(tmp_path / "part", Diet(), plan, batch_size=8)
    assert float(supervised_loss(tower, batch).detach()) < untrained
    carried = as_clip(tower)
    assert carried.tower(batch["pixel_values"]).last_hidden_state.shape == (16, GRID * GRID + 1, 128)
    weight = tower.tower.encoder.layers[0].mlp.fc1.weight
    names = dict(carried.tower.named_parameters())
    assert any(
        torch.equal(weight, value) for name, value in names.items() if name.endswith("0.mlp.fc1.weight")
    )

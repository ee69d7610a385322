"""The vision tower of the pocket family, supervised densely by what the composer knows.

Every patch learns which object covers it and whether an item's centre lies in it (so that counts can
be read off linearly); the class token learns place and time. The tower is then frozen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Blip2VisionConfig, Blip2VisionModel, CLIPVisionConfig, CLIPVisionModel

from blip_core.pocket.backgrounds import PICTURE_PX
from blip_core.pocket.precision import fast_precision
from blip_core.pocket.pretraining import Plan, say, step_rng, train_part
from blip_core.pocket.world import (
    OBJECT_NAMES,
    PLACES,
    TIMES,
    PocketScene,
    Rendered,
    Split,
    Style,
    draw_scene,
    render,
)

PATCH_PX = 8
GRID = PICTURE_PX // PATCH_PX
WIDTH = 128
IMAGE_MEAN = 0.5
IMAGE_STD = 0.25
_COVERED_SHARE = 0.2  # a patch belongs to an object that covers at least this much of it
_INIT_STD = 0.02
_CENTRE_WEIGHT = 4.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Diet:
    """Which pictures a tower is trained on.

    Attributes:
        shifted_share: share of shifted pictures; 0 for towers that must not know the shift.
        group_weights: relative frequency of one, two and three groups in generic pictures.
        augmented: whether pictures get the flips, mild gains and grain of common pretraining.
    """

    shifted_share: float = 0.0
    group_weights: tuple[float, ...] = (0.2, 0.4, 0.4)
    augmented: bool = True


def vision_config() -> Blip2VisionConfig:
    return Blip2VisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=PICTURE_PX,
        patch_size=PATCH_PX,
        initializer_range=_INIT_STD,
    )


class SupervisedTower(nn.Module):
    """A vision tower with the heads that its dense supervision needs; only the tower is kept."""

    def __init__(self, tower: nn.Module | None = None) -> None:
        super().__init__()
        self.tower = tower if tower is not None else Blip2VisionModel(vision_config())
        self.object_head = nn.Linear(WIDTH, 1 + len(OBJECT_NAMES))
        self.centre_head = nn.Linear(WIDTH, 1)
        self.place_head = nn.Linear(WIDTH, len(PLACES))
        self.time_head = nn.Linear(WIDTH, len(TIMES))

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        states = self.tower(pixel_values).last_hidden_state
        return {
            "object": self.object_head(states[:, 1:]),
            "centre": self.centre_head(states[:, 1:]).squeeze(-1),
            "place": self.place_head(states[:, 0]),
            "time": self.time_head(states[:, 0]),
        }


def clip_config() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=PICTURE_PX,
        patch_size=PATCH_PX,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
        projection_dim=WIDTH,
    )


def as_clip(model: SupervisedTower) -> SupervisedTower:
    """Carry a supervised BLIP-2 tower over to CLIP's layout; needs some training to settle.

    CLIP normalises its embeddings before the first layer, which the other tower does not; giving that
    norm the embeddings' own scale keeps the two close.
    """
    carried = SupervisedTower(CLIPVisionModel(clip_config()))
    source = model.tower.state_dict()
    target = carried.tower.state_dict()
    positions = source["embeddings.position_embedding"][0].clone()
    positions[1:] += source["embeddings.patch_embedding.bias"]  # CLIP's patch embedding has no bias
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in target) else ""
    put = {
        "embeddings.class_embedding": source["embeddings.class_embedding"].flatten(),
        "embeddings.patch_embedding.weight": source["embeddings.patch_embedding.weight"],
        "embeddings.position_embedding.weight": positions,
        "pre_layrnorm.weight": torch.full((WIDTH,), float(positions.std())),
    }
    for name, value in source.items():
        if name.startswith("encoder.layers."):
            put |= _clip_names(name, value)
    carried.tower.load_state_dict(target | {prefix + name: value for name, value in put.items()})
    for head in ("object_head", "centre_head", "place_head", "time_head"):
        getattr(carried, head).load_state_dict(getattr(model, head).state_dict())
    return carried


def _clip_names(name: str, value: Tensor) -> dict[str, Tensor]:
    if ".qkv." in name:
        parts = value.chunk(3)
        return {name.replace("qkv", f"{part}_proj"): piece for part, piece in zip("qkv", parts, strict=True)}
    return {name.replace("self_attn.projection", "self_attn.out_proj"): value}


def to_pixel_values(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (n, 64, 64, 3) -> float32 (n, 3, 64, 64), normalised as the image processors do."""
    scaled = (pixels.astype(np.float32) / 255.0 - IMAGE_MEAN) / IMAGE_STD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def patch_objects(object_map: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Object class of every patch: (64,), 0 for background."""
    patches = (
        object_map.reshape(GRID, PATCH_PX, GRID, PATCH_PX).transpose(0, 2, 1, 3).reshape(GRID * GRID, -1)
    )
    classes = 1 + len(OBJECT_NAMES)
    flat = patches.astype(np.int64) + classes * np.arange(GRID * GRID)[:, None]
    counts = np.bincount(flat.ravel(), minlength=classes * GRID * GRID).reshape(GRID * GRID, classes)
    counts[:, 0] = 0
    winner = counts.argmax(axis=1)
    return np.where(counts.max(axis=1) >= _COVERED_SHARE * PATCH_PX**2, winner, 0)


def patch_centres(rendered: Rendered) -> Floats:
    """1 in every patch that holds the centre of an item: (64,)."""
    centres = np.zeros(GRID * GRID, dtype=np.float32)
    for item in rendered.items:
        column, row = int(item.x_px) // PATCH_PX, int(item.y_px) // PATCH_PX
        centres[min(row, GRID - 1) * GRID + min(column, GRID - 1)] = 1.0
    return centres


def supervised_batch(rng: np.random.Generator, size: int, diet: Diet) -> dict[str, Tensor]:
    """Draw pictures and the targets of every head."""
    scenes: list[PocketScene] = []
    pixels, objects, centres = [], [], []
    for _ in range(size):
        shifted = rng.random() < diet.shifted_share
        style = Style.SHIFTED if shifted else Style.GENERIC
        scene = draw_scene(rng, style, Split.TRAIN, group_weights=None if shifted else diet.group_weights)
        rendered = render(scene, style, rng)
        scenes.append(scene)
        pixels.append(rendered.pixels)
        objects.append(patch_objects(rendered.object_map).reshape(GRID, GRID))
        centres.append(patch_centres(rendered).reshape(GRID, GRID))
    stacked = np.stack(pixels), np.stack(objects), np.stack(centres)
    images, object_grid, centre_grid = _augment(rng, *stacked) if diet.augmented else stacked
    return {
        "pixel_values": to_pixel_values(images),
        "object": torch.from_numpy(object_grid.reshape(size, -1)),
        "centre": torch.from_numpy(centre_grid.reshape(size, -1)),
        "place": torch.tensor([PLACES.index(scene.place) for scene in scenes]),
        "time": torch.tensor([TIMES.index(scene.time) for scene in scenes]),
    }


def _augment(
    rng: np.random.Generator, pixels: NDArray[np.uint8], objects: NDArray[np.int64], centres: Floats
) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats]:
    """Flip half of the pictures, and give all of them a small gain per channel and a little grain."""
    count = len(pixels)
    flipped = rng.random(count) < 0.5
    for grid in (pixels, objects, centres):
        grid[flipped] = grid[flipped][:, :, ::-1]
    gain = rng.uniform(0.92, 1.08, size=(count, 1, 1, 3)).astype(np.float32)
    grain = rng.uniform(0.0, 6.0, size=(count, 1, 1, 1)).astype(np.float32)
    noisy = pixels * gain + rng.standard_normal(pixels.shape, dtype=np.float32) * grain
    return np.clip(noisy, 0, 255).astype(np.uint8), objects, centres


def supervised_loss(model: SupervisedTower, batch: dict[str, Tensor]) -> Tensor:
    with fast_precision():
        outputs = model(batch["pixel_values"])
    entropy = nn.functional.cross_entropy
    weights = torch.ones(1 + len(OBJECT_NAMES))
    weights[0] = 0.4  # most patches are background
    centre = nn.functional.binary_cross_entropy_with_logits(
        outputs["centre"].float(), batch["centre"], pos_weight=torch.tensor(_CENTRE_WEIGHT)
    )
    return (
        entropy(outputs["object"].float().flatten(0, 1), batch["object"].flatten(), weight=weights)
        + 2.0 * centre
        + 0.3 * entropy(outputs["place"].float(), batch["place"])
        + 0.3 * entropy(outputs["time"].float(), batch["time"])
    )


def train_tower(
    folder: Path, diet: Diet, plan: Plan, batch_size: int = 32, start_from: SupervisedTower | None = None
) -> SupervisedTower:
    """Train a tower, or go on with one."""
    torch.manual_seed(plan.seed)
    model = start_from or SupervisedTower()
    model.train()

    def loss_at(step: int) -> Tensor:
        return supervised_loss(model, supervised_batch(step_rng(plan.seed, step), batch_size, diet))

    def score(step: int) -> None:
        say(f"{folder.name} {step}: {measure_tower(model)}")

    train_part(folder, model, loss_at, plan, on_save=score)
    return model.eval()


@torch.no_grad()
def measure_tower(model: SupervisedTower, pictures: int = 256, seed: int = 77) -> dict[str, dict[str, float]]:
    """Share of right answers of every head, on fresh pictures of both styles."""
    model.eval()
    scores = {}
    for style, shifted in ((Style.GENERIC, 0.0), (Style.SHIFTED, 1.0)):
        batch = supervised_batch(np.random.default_rng(seed), pictures, Diet(shifted, augmented=False))
        outputs = model(batch["pixel_values"])
        covered = batch["object"] > 0
        right = outputs["object"].argmax(-1) == batch["object"]
        counted = (outputs["centre"] > np.log(_CENTRE_WEIGHT)).sum(-1) == batch["centre"].sum(-1)
        scores[style.value] = {
            "object": round(float(right[covered].float().mean()), 3),
            "centres": round(float(counted.float().mean()), 3),
            "place": round(float((outputs["place"].argmax(-1) == batch["place"]).float().mean()), 3),
            "time": round(float((outputs["time"].argmax(-1) == batch["time"]).float().mean()), 3),
        }
    model.train()
    return scores

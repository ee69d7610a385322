"""Disk and main memory: what is downloaded, what rests in the store, what a process holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blip_core.modeling.vision_tower import feature_bytes
from blip_core.planning.architectures import Architecture
from blip_core.planning.counting import Counts
from blip_core.planning.footprint import Footprint
from blip_core.recipes import Recipe

PNG_BYTES_PER_PIXEL = 1.5  # a photograph as PNG: about half of its three bytes a pixel; an estimate
PICTURE_COPIES = 3  # a picture rests in its shard, with all pictures, and in the dataset
CHECKPOINTS_KEPT = 2  # of a tuning, until it is over
STATE_COPIES = 4  # in each of them: a trained weight, the best it was, and its two moments
FLOAT32_BYTES = 4
TEXT_BYTES = 2_000  # of a row without its picture: texts, ids and lineage; an estimate
LIBRARIES_BYTES = 600_000_000  # resident with torch, transformers and peft imported: 0.53 GB seen here
FURTHER_LIBRARIES_BYTES = {"pictures": 90_000_000}  # diffusers; measured here on a CPU
CUDA_LIBRARIES_BYTES = 2_000_000_000  # what CUDA's own libraries add to a process; an allowance, not measured
_SECTIONS_OF_PICTURES = ("source", "scenes", "pictures", "seed", "name")
_BITS = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes on the disk.

    Attributes:
        downloads: of weights that are not here yet.
        pictures: in shards, gathered and in the dataset.
        features: kept vision states.
        checkpoints: of the tuning.
        rows: all else that rows hold.
    """

    downloads: int
    pictures: int
    features: int
    checkpoints: int
    rows: int

    @property
    def total(self) -> int:
        return sum(asdict(self).values())


def download_bytes(architecture: Architecture, parameters: int) -> int:
    """Bytes that have to be fetched: parameters in the type that the hub stores; none where it is here."""
    if architecture.disk_bytes is not None:
        return 0
    return parameters * _BITS[architecture.stored_dtype]


def disk_of(recipe: Recipe, counts: Counts, base: Any, trainable: int, downloads: int) -> Disk:
    """What a run of a recipe adds to the disk; `base` is the config of the BLIP-2 that is tuned."""
    pixels = recipe.pictures.width_px * recipe.pictures.height_px
    one = round(pixels * PNG_BYTES_PER_PIXEL)
    cached = recipe.finetune.features == "cached"
    return Disk(
        downloads=downloads,
        pictures=counts.pictures * one * PICTURE_COPIES,
        features=feature_bytes(base, counts.pictures, recipe.finetune.base.dtype) if cached else 0,
        checkpoints=trainable * FLOAT32_BYTES * STATE_COPIES * CHECKPOINTS_KEPT if counts.train else 0,
        rows=counts.labels * TEXT_BYTES,
    )


def disk_of_phases(recipes: Sequence[Recipe], each: Sequence[Disk], downloads: int) -> Disk:
    """What all phases of a run add to the disk; pictures that two of them share rest there once.

    Args:
        recipes: of the phases.
        each: what each would add by itself.
        downloads: of all checkpoints, each once.
    """
    by_pictures = {one.digest(*_SECTIONS_OF_PICTURES): disk for one, disk in zip(recipes, each, strict=True)}
    return Disk(
        downloads=downloads,
        pictures=sum(disk.pictures for disk in by_pictures.values()),
        features=sum(disk.features for disk in by_pictures.values()),
        checkpoints=max(disk.checkpoints for disk in each),  # those of a tuning go when it is over
        rows=sum(disk.rows for disk in each),
    )


def host_bytes(
    footprints: Mapping[str, Footprint], rows_held: Mapping[str, int], on_gpu: bool
) -> dict[str, int]:
    """Main memory by stage: libraries, rows with their pictures, what waits there, on a CPU the model itself.

    Weights are read through a memory map, whose pages the system takes back when it needs them.
    """
    base = LIBRARIES_BYTES + (CUDA_LIBRARIES_BYTES if on_gpu else 0)
    return {
        stage: base
        + FURTHER_LIBRARIES_BYTES.get(stage, 0)
        + rows_held.get(stage, 0)
        + (footprint.waiting if on_gpu else footprint.total)
        for stage, footprint in footprints.items()
    }


def rows_held(recipe: Recipe, counts: Counts, stages: Sequence[str]) -> dict[str, int]:
    """Bytes of the rows that a stage holds at once, pictures as files."""
    pixels = recipe.pictures.width_px * recipe.pictures.height_px
    one = round(pixels * PNG_BYTES_PER_PIXEL) + TEXT_BYTES
    rows = {
        "scenes": 0,
        "pictures": recipe.pictures.batch_size,
        "labels": counts.pictures,
        "encode": counts.train + counts.validation,
        "finetune": counts.train + counts.validation,
        "predict": counts.judged,
    }
    return {stage: rows[stage] * one for stage in stages}

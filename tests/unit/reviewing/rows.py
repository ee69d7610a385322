"""A small dataset to review, and files of decisions about it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from blip_core.dataset import write_dataset
from blip_core.recipes import load_recipe
from blip_core.records import Example, Rejection
from tests.unit.examples import example, png, world_pixels

DIGEST = "ab" * 32
ID = "nature-{:05d}-p0-q0".format
RECIPE = load_recipe("gallery-vqa", overrides=["dataset.rows_per_group=4"])


def questions(count: int = 12, **changes: object) -> list[Example]:
    return [example(number, **{"image": png(world_pixels(number % 3)), **changes}) for number in range(count)]


def caption(number: int, text: str = "a red kite") -> Example:
    blank = dict.fromkeys(("a", "b", "c", "d", "question", "answer", "description"), "")
    return replace(questions(number + 1)[number], task="caption", target=text, **blank)


def dataset(folder: Path, rows: Sequence[Example]) -> Path:
    splits = {row.id: ("train", "validation", "test")[place % 3] for place, row in enumerate(rows)}
    write_dataset(folder, rows, [Rejection("x", "labels", "too-long", "")], splits, RECIPE, {})
    return folder


def decisions(path: Path, *lines: Mapping[str, object] | str, rows: str = DIGEST, **head: str) -> Path:
    said = [{"rows": rows, **head}, *lines]
    path.write_text("".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in said))
    return path

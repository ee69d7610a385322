"""Tables of the shop and of dishes, with pictures beside them, as the source `table` reads them."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from blip_core.pocket.sentences import DISHES, dish_caption, draw_dish
from blip_core.pocket.shop import base_caption, draw_item, full_caption, render_item, shop_questions
from blip_core.pocket.world import Split, Style, render

TABLE_NAME = "rows.csv"
DISHES_OF_A_KIND = 30  # of three kinds: the ninety pairs of a small scraped set


def write_shop_table(folder: Path, pictures: int, seed: int, split: Split = Split.TRAIN) -> Path:
    """Write `pictures` shop pictures and a table with their captions, attributes and one question each.

    Returns:
        The table; an attribute that is absent is an empty cell.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(pictures):
        item = draw_item(rng, split)
        name = _save(folder, f"shop-{index:05d}.png", render_item(item, rng))
        asked = shop_questions(item)
        question, answer = asked[int(rng.integers(len(asked)))]
        rows.append(
            {
                "image": name,
                "caption": full_caption(item),
                "base": base_caption(item),
                "object": item.name,
                "color": item.color or "",
                "material": item.material or "",
                "question": question,
                "answer": answer,
            }
        )
    return _write(folder, rows)


def write_dish_table(folder: Path, seed: int) -> Path:
    """Write ninety pictures of three dishes and a table of their captions."""
    rng = np.random.default_rng(seed)
    rows = []
    for dish in DISHES:
        for index in range(DISHES_OF_A_KIND):
            scene = draw_dish(rng, Split.TRAIN, dish)
            pixels = render(scene, Style.GENERIC, rng).pixels
            name = _save(folder, f"{dish}-{index:02d}.png", pixels)
            rows.append({"image": name, "caption": dish_caption(scene, rng), "object": dish})
    return _write(folder, rows)


def _save(folder: Path, name: str, pixels: np.ndarray) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return name


def _write(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / TABLE_NAME
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path

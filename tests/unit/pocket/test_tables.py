import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blip_core.pocket.shop import ShopItem, full_caption, is_held_out
from blip_core.pocket.tables import write_dish_table, write_shop_table
from blip_core.pocket.world import Split


def rows_of(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("split", list(Split))
def test_a_shop_table_holds_the_truth_of_its_pictures(tmp_path: Path, split: Split) -> None:
    for row in rows_of(write_shop_table(tmp_path, 20, seed=3, split=split)):
        item = ShopItem(row["object"], row["color"] or None, row["material"] or None)
        assert row["caption"] == full_caption(item)
        assert row["answer"] in (item.name, item.color, item.material)
        held = is_held_out(item.name, item.color) or is_held_out(item.name, item.material)
        assert held is (split is Split.TEST)
        assert pixels_of(tmp_path / row["image"]).shape == (64, 64, 3)


def test_a_seed_writes_the_same_table_and_pictures(tmp_path: Path) -> None:
    first, second = (write_shop_table(tmp_path / name, 5, seed=4) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    for row in rows_of(first):
        assert np.array_equal(*(pixels_of(table.parent / row["image"]) for table in (first, second)))


def test_ninety_dishes_are_thirty_of_each_of_three(tmp_path: Path) -> None:
    rows = rows_of(write_dish_table(tmp_path, seed=5))
    assert sorted(row["object"] for row in rows) == sorted(["pizza", "burger", "cake"] * 30)
    assert all(row["object"] in row["caption"] for row in rows)

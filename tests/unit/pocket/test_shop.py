import hashlib

import numpy as np
import pytest

from blip_core.pocket.shop import (
    COLORS,
    MATERIALS,
    ShopItem,
    base_caption,
    draw_item,
    full_caption,
    is_held_out,
    loose_caption,
    render_item,
    shop_questions,
)
from blip_core.pocket.world import Split

GOLDEN = {
    ShopItem("guitar", "red", "leather"): "8311bade3560639f",
    ShopItem("elephant", "white", "canvas"): "98ba16927b90370b",
    ShopItem("clock", None, None): "fc1a35c0290a6fd6",
}


def items(split: Split = Split.TRAIN, rows: int = 200) -> list[ShopItem]:
    rng = np.random.default_rng(8)
    return [draw_item(rng, split) for _ in range(rows)]


def picture(item: ShopItem, seed: int = 1) -> np.ndarray:
    return render_item(item, np.random.default_rng(seed))


@pytest.mark.parametrize(("item", "digest"), GOLDEN.items(), ids=str)
def test_a_shop_picture_keeps_its_bytes(item: ShopItem, digest: str) -> None:
    assert hashlib.sha256(picture(item).tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("split", list(Split))
def test_only_the_test_split_shows_pairs_that_are_held_out(split: Split) -> None:
    held = {
        is_held_out(item.name, item.color) or is_held_out(item.name, item.material) for item in items(split)
    }
    assert held == {split is Split.TEST}


def test_each_attribute_is_absent_now_and_then() -> None:
    drawn = items()
    assert {item.color for item in drawn} == {*COLORS, None}
    assert {item.material for item in drawn} == {*MATERIALS, None}


@pytest.mark.parametrize("color", COLORS)
def test_an_object_has_the_colour_that_is_said(color: str) -> None:
    middle = picture(ShopItem("balloon", color, None))[24:34, 26:38].reshape(-1, 3).mean(axis=0)
    distances = {name: float(np.linalg.norm(middle - rgb)) for name, rgb in COLORS.items()}
    assert min(distances, key=lambda name: distances[name]) == color


@pytest.mark.parametrize("material", MATERIALS)
def test_a_material_changes_the_object_and_nothing_around_it(material: str) -> None:
    smooth, covered = (picture(ShopItem("apple", "green", m)) for m in (None, material))
    changed = (smooth != covered).any(axis=-1)
    assert changed[20:44, 20:44].any()
    assert not changed[:, :3].any()


@pytest.mark.parametrize(
    ("item", "caption"),
    [
        (ShopItem("apple", "blue", "rubber"), "a photo of an apple with blue color and rubber material"),
        (ShopItem("kite", None, "canvas"), "a photo of a kite with an unspecified color and canvas material"),
        (ShopItem("bus", "red", None), "a photo of a bus with red color and an unspecified material"),
    ],
)
def test_a_full_caption_says_what_is_there_and_what_is_not(item: ShopItem, caption: str) -> None:
    assert full_caption(item) == caption
    assert caption.startswith(base_caption(item))


def test_questions_and_loose_captions_state_only_what_is_true() -> None:
    rng = np.random.default_rng(5)
    for item in items(rows=60):
        answers = {answer for _, answer in shop_questions(item)}
        assert answers == {item.name, item.color, item.material} - {None}
        told = loose_caption(item, rng).split()
        assert {word for word in (*COLORS, *MATERIALS) if word in told} == answers - {item.name}

import numpy as np
import pytest

from blip_core.pocket.world import (
    MAX_ITEMS,
    OBJECT_NAMES,
    Split,
    Style,
    category_of,
    draw_scene,
    is_held_out,
    render,
)


@pytest.mark.parametrize("style", list(Style))
def test_training_scenes_hold_no_held_out_pair_and_test_scenes_hold_one(style: Style) -> None:
    rng = np.random.default_rng(0)
    for split, expected in ((Split.TRAIN, False), (Split.TEST, True)):
        for _ in range(50):
            scene = draw_scene(rng, style, split)
            assert any(is_held_out(group.name, scene.place) for group in scene.groups) is expected


def test_a_scene_never_holds_more_items_than_fit() -> None:
    rng = np.random.default_rng(1)
    scenes = [draw_scene(rng, Style.SHIFTED) for _ in range(100)]
    assert max(sum(group.count for group in scene.groups) for scene in scenes) == MAX_ITEMS


def test_the_same_state_renders_the_same_pixels() -> None:
    scene = draw_scene(np.random.default_rng(2), Style.SHIFTED)
    first, second = (render(scene, Style.SHIFTED, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)


def test_the_object_map_names_exactly_the_objects_of_the_scene() -> None:
    rng = np.random.default_rng(4)
    scene = draw_scene(rng, Style.GENERIC, group_weights=(0.0, 1.0))
    seen = set(np.unique(render(scene, Style.GENERIC, rng).object_map)) - {0}
    assert {OBJECT_NAMES[index - 1] for index in seen} == {group.name for group in scene.groups}


def test_a_category_is_kept_to() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        scene = draw_scene(rng, Style.SHIFTED, category="food", group_weights=(1.0,))
        assert category_of(scene.groups[0].name) == "food"

"""Rows that recipes draw from the pocket worlds."""

import io

import pytest
from PIL import Image
from pydantic import ValidationError

from blip_core.pocket.rows import world_digest, world_rows
from blip_core.pocket.shop import is_held_out
from blip_core.recipes.pocket_rows import SENTENCES, PocketRows

WORLDS = [(world, sentence) for world, said in SENTENCES.items() for sentence in said]


@pytest.mark.parametrize(("world", "sentence"), WORLDS)
def test_every_sentence_of_every_world_is_told_of_a_picture_that_opens(world: str, sentence: str) -> None:
    rows = world_rows(PocketRows(world=world, sentence=sentence, count=3), "caption", 0)
    assert [row.id for row in rows] == [f"{world}-0000{index}-q0" for index in range(3)]
    assert all(row.target and row.attributes and not row.question for row in rows)
    assert Image.open(io.BytesIO(rows[0].image)).size == (64, 64)


@pytest.mark.parametrize("world", SENTENCES)
def test_questions_of_a_picture_differ_and_have_answers(world: str) -> None:
    rows = world_rows(PocketRows(world=world, count=4, questions_each=2), "vqa", 0)
    asked = [(row.picture_id, row.question) for row in rows]
    assert len(set(asked)) == len(asked) > 4
    assert all(row.target and row.kind for row in rows)


def test_a_picture_is_the_same_however_many_there_are_and_whatever_is_learnt_of_it() -> None:
    few = world_rows(PocketRows(world="shop", count=2), "caption", 5)
    more = world_rows(PocketRows(world="shop", count=4, sentence="object"), "caption", 5)
    asked = world_rows(PocketRows(world="shop", count=2), "vqa", 5)
    assert [row.image for row in few] == [row.image for row in more[:2]]
    assert {row.image for row in few} == {row.image for row in asked}


@pytest.mark.parametrize("other", [{"seed": 1}, {"split": "held-out"}])
def test_another_set_shows_other_pictures(other: dict[str, object]) -> None:
    settings = PocketRows(world="shop", count=5)
    changed = PocketRows(world="shop", count=5, **other)  # type: ignore[arg-type]
    shown, shown_then = ({row.image for row in world_rows(one, "caption", 0)} for one in (settings, changed))
    assert not shown & shown_then
    assert not shown & {row.image for row in world_rows(settings, "caption", 1)}
    assert not settings.shows_same(changed)
    assert world_digest(settings, "caption", 0) != world_digest(changed, "caption", 0)


def test_held_out_rows_hold_a_pair_that_no_member_saw_and_others_none() -> None:
    for split in ("train", "held-out"):
        for row in world_rows(PocketRows(world="shop", count=10, split=split), "caption", 0):
            name = row.attributes["object"]
            held = [is_held_out(name, row.attributes[bank] or None) for bank in ("color", "material")]
            assert any(held) == (split == "held-out")


def test_dishes_come_equally_often() -> None:
    rows = world_rows(PocketRows(world="dishes", count=9), "caption", 0)
    assert sorted(row.category for row in rows) == sorted(["pizza", "burger", "cake"] * 3)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"world": "shop", "sentence": "detailed"}, "not said of the world shop"),
        ({"world": "dishes", "style": "shifted"}, "has one style"),
        ({"world": "gallery", "style": "shifted", "sentence": "detailed"}, "take description"),
        ({"world": "dishes", "split": "held-out"}, "give another seed"),
    ],
)
def test_what_a_world_does_not_have_is_refused(said: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        PocketRows(count=1, **said)  # type: ignore[arg-type]


def test_rows_of_two_sets_of_one_recipe_have_no_id_in_common() -> None:
    told = [{}, {"seed": 1}, {"split": "held-out"}, {"split": "held-out", "seed": 1}]
    sets = [world_rows(PocketRows(world="shop", count=1, **one), "caption", 0) for one in told]
    assert len({row.id for rows in sets for row in rows}) == len(told)


def test_what_a_shop_picture_has_not_is_told_and_its_object_is_known_beforehand() -> None:
    rows = world_rows(PocketRows(world="shop", count=30), "caption", 0)
    assert any(row.attributes["color"] == "" for row in rows)
    assert all(row.target.startswith(f"{row.description} with ") for row in rows)
    assert all(row.attributes["object"] in row.description for row in rows)

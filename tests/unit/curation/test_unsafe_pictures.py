"""The gate on unsafe pictures, and what it asks."""

import pytest

from blip_core.curation import curate
from blip_core.curation.unsafe_pictures import refuse_unsafe_pictures
from blip_core.errors import EmptyDataset, RecipeError
from blip_core.prefetching.needs import needs_of
from blip_core.recipes import load_recipe
from blip_core.recipes.unsafe_pictures import UnsafePictures
from blip_core.wiring import gate_identities, gate_models
from tests.unit.examples import example, png, world_pixels

ON = UnsafePictures(enabled=True, model="pocket/clip")


class Check:
    """Finds what it is told, and remembers how many it was shown."""

    def __init__(self, *found: float | str) -> None:
        self.found, self.shown = list(found), []

    def check(self, pictures):
        self.shown.append(len(pictures))
        return [self.found.pop(0) for _ in pictures]


def rows(count):
    return [example(number, image=png(world_pixels(number))) for number in range(count)]


def test_an_unsafe_picture_takes_all_its_rows_along_and_each_is_looked_at_once():
    first, second = rows(2)
    again = example(2, image=first.image)
    check = Check(0.9, 0.1)
    kept, refused = refuse_unsafe_pictures([first, second, again], ON, check)
    assert (kept, check.shown) == ([second], [2])
    assert [(one.id, one.reason) for one in refused] == [
        (first.id, "unsafe-picture"),
        (again.id, "unsafe-picture"),
    ]
    assert refused[0].detail == "unsafe with probability 0.90, at most 0.5"


def test_a_picture_that_cannot_be_read_is_refused_in_the_words_of_the_check():
    kept, refused = refuse_unsafe_pictures(rows(1), ON, Check("its picture is broken"))
    assert (kept, [(one.reason, one.detail) for one in refused]) == (
        [],
        [("unreadable-picture", "its picture is broken")],
    )


def test_a_gate_that_takes_all_pictures_for_unsafe_stops_with_a_summary():
    always = {"enabled": True, "model": "pocket/clip", "max_score": 1e-9}
    settings = load_recipe("gallery-vqa", "pocket").curation.model_validate({"unsafe_pictures": always})
    recipe = load_recipe("gallery-vqa", "pocket", ["curation.unsafe_pictures.model=pocket/clip"])
    with pytest.raises(EmptyDataset, match=r"unsafe_pictures 60 of 60"):
        curate(rows(60), settings, gate_models(recipe))


def test_the_model_has_to_be_named_and_is_prefetched_and_part_of_the_key():
    with pytest.raises(RecipeError, match="name a model that classifies pictures"):
        load_recipe("gallery-vqa", "pocket", ["curation.unsafe_pictures.enabled=true"])
    on = ["curation.unsafe_pictures.enabled=true", "curation.unsafe_pictures.model=owner/checker"]
    assert [need.id for need in needs_of(load_recipe("gallery-vqa", "pocket", on))] == ["owner/checker"]
    bundled = load_recipe("gallery-vqa", "pocket", [on[0], "curation.unsafe_pictures.model=pocket/clip"])
    assert "unsafe_pictures" in gate_identities(bundled)["gate_models"]

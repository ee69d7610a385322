"""The gate on unsafe pictures, and what it asks."""

import pytest

from blip_core.curation import curate
from blip_core.curation.unsafe_pictures import refuse_unsafe_pictures
from blip_core.errors import EmptyDataset, RecipeError, StageFailure
from blip_core.prefetching.needs import needs_of
from blip_core.recipes import load_recipe
from blip_core.recipes.unsafe_pictures import UnsafePictures
from blip_core.wiring import gate_identities, gate_models
from tests.unit.examples import example, png, world_pixels

ON = UnsafePictures(enabled=True, model="pocket/clip")


class Checker:
    """Finds what it is told, and remembers how many it was shown."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.shown = list(scores), []

    def unsafe(self, pictures):
        self.shown.append(len(pictures))
        return [self.scores.pop(0) for _ in pictures]

    def close(self):
        return None


def rows(count):
    return [example(number, image=png(world_pixels(number))) for number in range(count)]


def test_an_unsafe_picture_takes_all_its_rows_along_and_each_is_looked_at_once():
    first, second = rows(2)
    again = example(2, image=first.image)
    checker = Checker(0.9, 0.1)
    kept, refused = refuse_unsafe_pictures([first, second, again], ON, checker)
    assert (kept, checker.shown) == ([second], [2])
    assert [(one.id, one.reason) for one in refused] == [
        (first.id, "unsafe-picture"),
        (again.id, "unsafe-picture"),
    ]
    assert refused[0].detail == "unsafe with probability 0.90, at most 0.5"


def test_a_picture_that_cannot_be_read_is_refused_and_not_shown():
    broken = example(0, image=b"no picture")
    kept, refused = refuse_unsafe_pictures([broken], ON, Checker())
    assert (kept, [one.reason for one in refused]) == ([], ["unreadable-picture"])


def test_a_checker_that_does_not_answer_for_each_stops():
    class Silent(Checker):
        def unsafe(self, pictures):
            return []

    with pytest.raises(StageFailure, match="0 answers about 2 pictures"):
        refuse_unsafe_pictures(rows(2), ON, Silent())


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

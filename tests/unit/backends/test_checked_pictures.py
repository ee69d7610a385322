"""Picture files before a checker: what a batch holds, what is not shown, and who does not answer."""

import pytest

from blip_core.backends.checked_pictures import CheckedInBatches
from blip_core.errors import StageFailure
from tests.unit.examples import png, world_pixels


class Checker:
    """Finds every picture as unsafe as the share of red in its first pixel, and remembers its batches."""

    def __init__(self) -> None:
        self.batches = []

    def unsafe(self, pictures):
        self.batches.append(len(pictures))
        return [picture.getpixel((0, 0))[0] / 255 for picture in pictures]


def pictures(count):
    return [png(world_pixels(number)) for number in range(count)]


def test_pictures_are_shown_in_batches_and_answered_in_order():
    shown, checker = pictures(5), Checker()
    said = CheckedInBatches(checker, 2).check(shown)
    assert checker.batches == [2, 2, 1]
    assert said == CheckedInBatches(Checker(), 5).check(shown)
    assert said == [CheckedInBatches(Checker(), 1).check([one])[0] for one in shown]


def test_what_is_no_picture_is_told_in_its_place_and_not_shown():
    one, two = pictures(2)
    checker = Checker()
    said = CheckedInBatches(checker, 8).check([one, b"no picture", two])
    assert checker.batches == [2]
    assert [type(word) for word in said] == [float, str, float]
    assert "its picture" in str(said[1])


def test_of_broken_pictures_alone_the_model_is_not_asked():
    checker = Checker()
    assert len(CheckedInBatches(checker, 2).check([b"no", b"picture", b""])) == 3
    assert checker.batches == []


def test_a_checker_that_does_not_answer_for_each_stops():
    class Silent(Checker):
        def unsafe(self, pictures):
            return []

    with pytest.raises(StageFailure, match="0 answers about 2 pictures"):
        CheckedInBatches(Silent(), 2).check(pictures(2))

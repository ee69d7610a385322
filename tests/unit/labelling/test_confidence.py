"""How sure a labeller was of what it says: from the tokens that it drew, by where they stand."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from PIL import Image

from blip_core.backends.plugged import ConfidentPluggedLabeller
from blip_core.errors import StageFailure
from blip_core.kinds import kind_of
from blip_core.kinds.label_text import Refusal, places_of_label
from blip_core.labelling import confidence_in, label_pictures
from blip_core.painting import encode_png
from blip_core.ports import Written
from blip_core.recipes.labels import Labels
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE, LABEL_SCORE, Picture

MCQ, VQA, CAPTION = map(kind_of, ("mcq", "vqa", "caption"))
PLAIN = "Description: A dog.\n\nQuestion: What?\nA. cat\nB. dog\nC. bus\nD. cup\n\nAnswer: B"
BOLD = "**Description:** A dog\nby the sea.\n**Question:** Hm?\nA) cat\nB) a\n dog\nC) c\nD) d\nAnswer: (b)"


def written(text, certain=(), cut=""):
    """A text of one token a character, or of the pieces that are cut; unlikely but for some words."""
    pieces = cut.split("|") if cut else list(text)
    assert "".join(pieces) == text
    starts, at = [], 0
    for piece in pieces:
        starts.append(at)
        at += len(piece)
    chances = [-1.0 if any(one in piece for one in certain) else -3.0 for piece in pieces]
    return Written(text, tuple(starts), tuple(chances))


@pytest.mark.parametrize(
    ("kind", "text", "description", "answer"),
    [
        (MCQ, PLAIN, " A dog.", " dog"),
        (MCQ, BOLD, " A dog\nby the sea.", " a\n dog"),
        (MCQ, PLAIN.replace("\n", "\r\n"), " A dog.", " dog"),
        (MCQ, PLAIN.replace("Answer: B", "Answer: D. cup\nMore."), " A dog.", " cup"),
        (VQA, "Description: 一只狗。\nQuestion: 什么?\nAnswer: 狗", " 一只狗。", " 狗"),
        (VQA, "Question: Which?\nA. a bus\nB. a cup\nAnswer: (B)", None, " a cup"),
        (VQA, "Question: Who?\nAnswer: A bus\n", None, " A bus"),
        (CAPTION, "Description: A dog.", " A dog.", None),
        (CAPTION, "A dog\u2028 by the sea.", "A dog\u2028 by the sea.", None),
    ],
)
def test_description_and_right_answer_are_found_where_they_were_written(kind, text, description, answer):
    places = places_of_label(text, kind.parse_label(text))
    found = {part: text[slice(*place)] for part, place in places.items()}
    expected = {"description": description, "answer": answer}
    assert found == {part: said for part, said in expected.items() if said is not None}


def test_every_label_that_can_be_read_is_found_again():
    for text in (PLAIN, BOLD):
        label = MCQ.parse_label(text)
        assert not isinstance(label, Refusal)
        assert set(places_of_label(text, label)) == {"description", "answer"}


def test_a_token_that_begins_or_ends_elsewhere_counts_for_what_it_writes():
    cut = "Description:| A| dog|.\n\nQuestion:| What|?\nA.| cat|\nB.| d|og|\nC.| bus|\nD.| cup|\n\nAnswer:| B"
    told = confidence_in(written(PLAIN, certain=[" A", ".\n", " d"], cut=cut), MCQ.parse_label(PLAIN))
    # Of the description all three are certain, " dog" as it holds " d"; of the answer " d" is, "og" not.
    assert told == {DESCRIPTION_SCORE: -1.0, ANSWER_SCORE: -2.0, LABEL_SCORE: pytest.approx(-1.4)}


def test_a_token_of_several_that_write_one_character_counts():
    text = "Description: ö."
    label = CAPTION.parse_label(text)
    told = confidence_in(Written(text, (0, 12, 13, 13, 14), (0.0, -1.0, -2.0, -4.0, -5.0)), label)
    assert told == {DESCRIPTION_SCORE: -3.0}


@pytest.mark.parametrize("text", [PLAIN, BOLD])
def test_nothing_is_said_where_the_model_tells_nothing(text):
    assert confidence_in(Written(text), MCQ.parse_label(text)) == {}


class Confident:
    """Writes the same text, surer each time it is asked."""

    def __init__(self, *texts):
        self.texts, self.asked = list(texts), 0

    def label_with_confidence(self, pictures, prompts, seeds):
        given = [self.texts.pop(0) for _ in zip(pictures, prompts, seeds, strict=True)]
        self.asked += 1
        return [Written(text, (0,), (-4.0 / self.asked,)) for text in given]

    def label(self, pictures, prompts, seeds):
        raise AssertionError("its confidence is thrown away")

    def close(self):
        pass


def test_a_label_keeps_the_confidence_of_the_attempt_that_it_was_read_from():
    png = encode_png(Image.new("RGB", (8, 8)))
    picture = Picture("n-00000-p0", "n-00000", "n", "A dog.", 0, png, "", 8, 8)
    settings = Labels(prompt="<image> Label this.", retries=1, batch_size=2)
    (label,), _ = label_pictures(Confident("Hm.", PLAIN), [picture], settings, seed=0)
    assert label.scores == dict.fromkeys((DESCRIPTION_SCORE, ANSWER_SCORE, LABEL_SCORE), -2.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [(["text"], "gave a str where a Written is owed"), ([], "was asked for 1 rows and gave 0")],
)
def test_a_package_that_tells_its_confidence_is_held_to_it(given, words):
    class Part:
        def label_with_confidence(self, pictures, prompts, seeds):
            return given

    named = SimpleNamespace(named=nullcontext)
    with pytest.raises(StageFailure, match=words):
        ConfidentPluggedLabeller(named, Part()).label_with_confidence(["picture"], ["prompt"], [1])
    told = [Written("A dog.", (0,), (-1.0,))]
    given[:] = told
    assert ConfidentPluggedLabeller(named, Part()).label_with_confidence(["p"], ["q"], [1]) == told

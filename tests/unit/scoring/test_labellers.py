"""What labellers made of the same pictures, side by side."""

import pytest

from blip_core.records import Label
from blip_core.reporting import labeller_tables
from blip_core.scoring.labellers import Labelled, agreements, figures_of

OPTIONS = ("dog", "boat", "tree", "cup")


def label(picture, description="A dog runs.", answer="A", options=OPTIONS):
    return Label(f"{picture}-q0", picture, description, "What is it?", *options, answer, 0)


def made(name, labels, asked=None, pictures="pictures-1", gates=None):
    return Labelled(name, f"owner/{name}", pictures, asked or len(labels), labels, gates or {})


def test_what_could_be_read_what_gates_refused_and_the_commonest_letter_are_shares():
    labels = [
        label("p0"),
        label("p1", answer="B"),
        label("p2", "A red dog runs far."),
        label("p3", answer="C"),
    ]
    figures = figures_of(made("x", labels, asked=5, gates={"lengths": (4, 1), "second_judge": (3, 1)}))
    assert (figures.parsed, figures.parse_rate, figures.refused) == (4, 0.8, 0.5)
    assert figures.commonest_letter == 0.5
    assert figures.disputed == pytest.approx(1 / 3)
    assert figures.words == 3.5


def test_labels_without_options_have_no_letters():
    figures = figures_of(made("x", [label("p0", answer="a dog", options=("",) * 4)]))
    assert (figures.commonest_letter, figures.disputed) == (None, None)


def test_a_labeller_of_which_nothing_could_be_read_has_no_shares_above_nothing():
    figures = figures_of(made("x", [], asked=7))
    assert (figures.parse_rate, figures.refused, figures.commonest_letter, figures.words) == (0, 0, None, 0)


def test_two_agree_on_what_both_labelled_wherever_the_letter_stands():
    a = made("a", [label("p0"), label("p1"), label("p2")])
    other = [
        label("p0", answer="B", options=("boat", "Dog", "tree", "cup")),  # the same, said otherwise
        label("p1", "Nothing alike", answer="D"),
    ]
    (pair,) = agreements([a, made("b", other)])
    assert (pair.a, pair.b, pair.pictures) == ("a", "b", 2)
    assert (pair.descriptions, pair.answers) == (0.5, 0.5)


def test_captions_say_nothing_of_answers():
    captions = [label("p0", answer="", options=("",) * 4)]
    (pair,) = agreements([made("a", captions), made("b", captions)])
    assert (pair.descriptions, pair.answers) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [("pictures-2", [label("p0")]), ("pictures-1", [label("p9")]), ("pictures-1", [])],
)
def test_labellers_of_other_pictures_are_not_compared(pictures, labels):
    assert agreements([made("a", [label("p0")]), made("b", labels, pictures=pictures)]) == []


def test_tables_are_as_wide_as_their_headings():
    both = [made("a", [label("p0")]), made("b", [label("p0", answer="C")])]
    shown = labeller_tables([figures_of(one) for one in both], agreements(both))
    for table in (shown.figures, shown.agreement):
        assert len({len(row) for row in table}) == 1
    assert shown.figures[1][:4] == ["a", "owner/a", "1 of 1", "100.0 %"]
    assert shown.agreement[1] == ["a", "b", "1", "100.0 %", "0.0 %"]

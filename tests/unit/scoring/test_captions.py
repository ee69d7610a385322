import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import corpus_bleu as nltk_bleu
from rouge_score.tokenizers import DefaultTokenizer

from blip_core.errors import EmptyDataset
from blip_core.scoring import Caption, caption_scores
from blip_core.scoring.bleu import corpus_bleu, sentence_bleu
from blip_core.scoring.rouge import _Words, rouge
from tests.examples import examples

# The example in sacrebleu's own README.
DOG = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
DOG_REFERENCES = [
    ("The dog bit the man.", "The dog had bit the man."),
    ("It was not unexpected.", "No one was surprised."),
    ("The man bit him first.", "The man had bitten the dog."),
]


def test_bleu_is_that_of_the_published_example_and_says_how_it_was_counted():
    found = corpus_bleu(DOG, DOG_REFERENCES)
    assert found.value == pytest.approx(48.53, abs=0.005)
    assert found.signature.startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_bleu_is_that_of_nltk():
    texts = ["a red bus waits at the corner of a wet street", "two dogs run along the beach at dusk"]
    right = [
        ("a red bus waits at the corner of the street", "a bus stands at the corner of a wet street"),
        ("two dogs run along a beach at dusk", "at dusk two dogs run along the beach"),
    ]
    known = nltk_bleu([[one.split() for one in several] for several in right], [one.split() for one in texts])
    assert corpus_bleu(texts, right).value == pytest.approx(100 * known)


def test_texts_may_have_different_numbers_of_references():
    found = corpus_bleu(["a b c d e", "f g h i j"], [("a b c d e",), ("x", "f g h i j")])
    assert found.value == pytest.approx(100)


def test_rouge_is_that_of_lin_2004():
    """Section 3.1 there: the second and the third sentence against the first."""
    first = ["police killed the gunman"]
    second, third = rouge("police kill the gunman", first), rouge("the gunman kill police", first)
    assert (second.rouge_l, third.rouge_l) == (3 / 4, 2 / 4)
    assert second.rouge_2 == third.rouge_2 == pytest.approx(1 / 3)


def test_rouge_takes_the_reference_that_suits_best():
    assert rouge("a dog", ["a cat", "a dog", "the bus"]).rouge_1 == 1.0


def test_texts_in_other_alphabets_have_words_too():
    assert rouge("собака на пляже", ["собака на пляже"]) == (1.0, 1.0, 1.0)


@settings(max_examples=examples(100), deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_english_words_are_those_of_the_library(text):
    assert _Words().tokenize(text) == DefaultTokenizer().tokenize(text)


def test_best_mean_and_worst_rows_are_named():
    scores = caption_scores(
        [
            Caption("q1", "a red bus on a street", ("a red bus on a street",)),
            Caption("q2", "a red bus", ("a dog at the sea",)),
            Caption("q3", "", ("a dog at the sea",)),
        ]
    )
    case = scores.cases["rouge_1"]
    assert (case.best_id, case.best, case.worst_id, case.worst) == ("q1", 1.0, "q3", 0.0)
    assert case.mean == pytest.approx((1.0 + 0.25 + 0.0) / 3)
    assert (scores.n, [row.id for row in scores.rows]) == (3, ["q1", "q2", "q3"])
    assert scores.rows[0].bleu == pytest.approx(100)


def test_a_short_text_that_is_right_scores_in_full():
    assert sentence_bleu("two dogs", ["two dogs"]) == pytest.approx(100)


def test_nothing_to_score_is_an_error():
    with pytest.raises(EmptyDataset, match="no texts"):
        caption_scores([])


def test_a_text_without_reference_is_an_error():
    with pytest.raises(ValueError, match="reference"):
        rouge("a dog", [])

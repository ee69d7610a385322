"""What BLEU is made of, as people read it."""

from dataclasses import replace

from blip_core.reporting.bleu_parts import bleu_sentences

PARTS = {"precision-1": 0.8, "precision-2": 0.68, "precision-3": 0.62, "precision-4": 0.58}


def told(summary, brevity, **less):
    measures = {**PARTS, "brevity-penalty": brevity} | less
    return {"tuned": replace(summary.variants["finetuned"], measures=measures)}


def test_precisions_and_brevity_stand_in_one_line(summary):
    (said,) = bleu_sentences(told(summary, 1.0), 96, asks=False)
    assert said == "tuned: n-gram precisions 0.80 / 0.68 / 0.62 / 0.58, brevity penalty 1.00"


def test_the_limit_on_length_is_named_where_texts_are_short(summary):
    assert "20 tokens" in bleu_sentences(told(summary, 0.29), 20, asks=False)[-1]


def test_texts_too_short_for_long_ngrams_show_a_gap(summary):
    measures = {"precision-1": 0.5, "brevity-penalty": 1.0}
    variants = {"tuned": replace(summary.variants["finetuned"], measures=measures)}
    assert "0.50 / – / – / –" in bleu_sentences(variants, 20, asks=False)[0]


def test_answers_and_letters_have_no_such_line(summary):
    assert bleu_sentences(told(summary, 1.0), 20, asks=True) == []
    assert bleu_sentences(summary.variants, 20, asks=True) == []

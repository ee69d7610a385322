"""What each step does with rows, and what it refuses."""

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from blip_core.annotating import Context
from blip_core.annotating.attributes import agreement, bounds_of, find_attributes
from blip_core.annotating.repairing import without_defects, wrong_repair
from blip_core.backends.scripted import (
    ScriptedEmbedder,
    ScriptedLabeller,
    ScriptedReader,
    ScriptedScorer,
    ScriptedWriter,
)
from blip_core.errors import NotANumber, ReviewAwaited, TableError
from blip_core.ports import Span
from blip_core.recipes.annotations import Attributes
from blip_core.recipes.checking_annotations import check_annotations
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE, LABEL_SCORE
from tests.unit.annotating.conftest import Opened, caption

COLOURS = {"name": "colour", "words": ["red", "blue", "green"]}
IDENTITY = "{text}"


def scores_of(places):
    """A picture each: its own word scores 1, others 0.1 to 0.3; None shows none, and each scores 0.2."""
    return [
        [0.2] * 3
        if own is None
        else [1.0 if word == own else 0.1 + (place // 3 + word) % 5 / 20 for word in range(3)]
        for place, own in enumerate(places)
    ]


def test_a_picture_gets_the_word_that_fits_or_the_word_for_none(work):
    shown = [0, 1, 2] * 20 + [None]
    scorer = ScriptedScorer(scores_of(shown) * 2)  # once to calibrate, once to work

    made = work(
        [caption(number, "a shoe") for number in range(len(shown))],
        models={"picture-text": scorer},
        step="attributes",
        banks=[COLOURS],
        quantile=1.0,
        undefined="an unspecified",
        writes="{target} with {colour} color",
    )

    assert [row.attributes["colour"] for row in made.rows] == ["red", "blue", "green"] * 20 + [
        "an unspecified"
    ]
    assert made.rows[1].target == "a shoe with blue color"
    assert made.rows[-1].target == "a shoe with an unspecified color"
    assert made.rows[0].scores["colour"] == 1.0
    assert made.rows[0].scores["colour-margin"] == pytest.approx(0.7)
    assert scorer.calls[0] == tuple(f"a photo of a {word} object" for word in COLOURS["words"])


def test_nothing_is_undefined_where_too_few_pictures_say_what_chance_is():
    assert bounds_of(scores_of([0, 1, 2]), 0.95) == [-1.0] * 3
    assert bounds_of(scores_of([0] * 100), 0.95)[0] == -1.0  # no picture is another word's


def test_scores_that_are_no_numbers_are_refused_by_the_row(work):
    with pytest.raises(NotANumber, match="nature-00000-p0-q0: the step match"):
        work(
            [caption(0, "a shoe")],
            models={"picture-text": ScriptedScorer([[float("inf"), 0.0]])},
            step="match",
        )


def test_what_the_model_says_goes_where_the_recipe_writes_it(work):
    said = [" a red \n shoe", "a kite", "  "]
    for field in ("description", "target"):
        labeller = ScriptedLabeller(said)
        made = work(
            [caption(number, "old", description="older") for number in range(3)],
            models={"labeller": labeller},
            step="draft",
            writes=field,
        )
        assert [getattr(row, field) for row in made.rows] == ["a red shoe", "a kite"]
        assert made.reasons == {"nature-00002-p0-q0": "nothing-drafted"}
        assert len({seed for _, seed in labeller.calls}) == 3


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([0.9, 0.8], "alt"),
        ([0.8, 0.9], "draft"),
        ([0.7, 0.7], "alt"),
        ([0.5, 0.2], "alt"),
        ([0.4, 0.49], None),
    ],
)
def test_the_text_that_fits_better_is_learnt_or_neither(work, scores, kept):
    made = work(
        [caption(0, "alt", description="draft")],
        models={"picture-text": ScriptedScorer([scores])},
        step="match",
        min_score=0.5,
    )
    assert [row.target for row in made.rows] == ([kept] if kept else [])
    if kept:
        assert made.rows[0].scores == {"match-target": scores[0], "match-description": scores[1]}
    else:
        assert made.refused[0].reason == "no-text-matches"
        assert "target 0.400, description 0.490" in made.refused[0].detail


def test_texts_that_are_empty_are_not_matched(work):
    made = work(
        [caption(0, " ", description="draft"), caption(1, "", description="")],
        models={"picture-text": ScriptedScorer([[0.9], []])},
        step="match",
    )
    assert [row.target for row in made.rows] == ["draft"]
    assert made.reasons == {"nature-00001-p0-q0": "no-text"}


def test_questions_come_of_templates_where_the_attribute_is_known(work):
    rows = [
        caption(0, "a shoe", attributes={"colour": "red"}),
        caption(1, "a boot", attributes={"colour": "undefined"}),
        caption(2, "a hat"),
    ]
    made = work(
        rows,
        step="ask",
        templates=[{"question": "What is it?", "answer": "{target}"}],
    )
    assert [(row.task, row.target) for row in made.rows] == [
        ("vqa", "a shoe"),
        ("vqa", "a boot"),
        ("vqa", "a hat"),
    ]
    assert {row.group for row in made.rows} == {row.group for row in rows}


def test_a_row_without_the_attribute_is_refused_as_another_than_one_where_it_is_undefined():
    from blip_core.annotating.asking import ask
    from blip_core.recipes import Ask

    settings = Ask.model_validate(
        {"step": "ask", "templates": [{"question": "What colour?", "answer": "{colour}"}], "keep_asked": True}
    )
    rows = [
        caption(0, "a", attributes={"colour": "red"}),
        caption(1, "a", attributes={"colour": "undefined"}),
        caption(2, "a"),
    ]
    kept, refused = ask(rows, settings, None)
    assert [(row.id, row.task, row.target) for row in kept if row.task == "vqa"] == [
        ("nature-00000-p0-q0-a0", "vqa", "red")
    ]
    assert len(kept) == 4
    assert [(one.id, one.reason) for one in refused] == [
        ("nature-00001-p0-q0-a0", "attribute-undefined"),
        ("nature-00002-p0-q0-a0", "attribute-missing"),
    ]


def asked_of(work, text, said, **step):
    return work(
        [caption(0, "", description=text)],
        step="ask",
        by="writer",
        models={"writer": ScriptedWriter([said]), **step.pop("models", {})},
        **step,
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Question: What is red?\nAnswer: The shoe", None),
        ("Question: What is red?\nAnswer: a hat", "answer-not-in-text"),
        ("Question: What is red?\nAnswer: hoe", "answer-not-in-text"),
        ("I cannot ask anything.", "missing-question"),
        ("Question: What is red?", "missing-answer"),
        ("", "missing-question"),
    ],
)
def test_a_written_question_is_kept_where_its_answer_is_found_again(work, said, reason):
    made = asked_of(work, "the shoe is red", said)
    assert [one.reason for one in made.refused] == ([reason] if reason else [])
    assert [row.question for row in made.rows] == ([] if reason else ["What is red?"])


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (Span("the shoe", 0, 2.0), None),
        (Span("the shoe is red", 0, 2.0), None),
        (Span("red", 12, 2.0), "answer-not-found-again"),
        (None, "no-span"),
    ],
)
def test_a_reader_must_find_the_answer_again(work, span, reason):
    made = asked_of(
        work,
        "the shoe is red",
        "Question: What is red?\nAnswer: the shoe",
        check="reader",
        models={"reader": ScriptedReader([span])},
    )
    assert [one.reason for one in made.refused] == ([reason] if reason else [])


def test_short_texts_are_gone_on_with_until_nothing_more_is_said(work):
    labeller = ScriptedLabeller(["a dog barks", "", "at me"])
    made = work(
        [caption(0, "a dog"), caption(1, "a cat"), caption(2, "this text is long enough")],
        models={"labeller": labeller},
        step="continue",
        min_tokens=5,
        rounds=3,
    )
    assert [row.target for row in made.rows] == ["a dog barks at me", "a cat", "this text is long enough"]
    assert [prompt.removeprefix("<image>\n") for prompt, _ in labeller.calls] == [
        "Continue: a dog",
        "Continue: a cat",
        "Continue: a dog barks",
    ]


class Counting(ScriptedLabeller):
    """A labeller to whom each letter is a token."""

    def count_tokens(self, texts):
        return [len(text) for text in texts]


def test_a_text_is_as_short_as_whoever_drafted_it_counts(work):
    labeller = Counting(["now"])
    made = work(
        [caption(0, "a b c d e f"), caption(1, "a dog")],
        models={"labeller": labeller},
        step="continue",
        min_tokens=10,
    )
    assert [row.target for row in made.rows] == ["a b c d e f", "a dog now"]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("A dog barks. A cat sleeps. A dog barks. It rains", "A dog barks. A cat sleeps."),
        ("A dog barks! Does it? A dog barks!", "A dog barks! Does it?"),
        ("A dog barks.", "A dog barks."),
        ("One. one.  ONE. Two.", "One. Two."),
        ("a dog that never ends", ""),
        ("犬がいる。", "犬がいる。"),
    ],
)
def test_rules_leave_out_what_is_repeated_and_what_does_not_end(text, mended):
    assert without_defects(text) == mended


def test_rules_mend_without_a_model_and_refuse_what_has_no_whole_sentence(work):
    made = work(
        [caption(0, "It is. It is. And"), caption(1, "It is."), caption(2, "no end")],
        step="repair",
        by="rules",
    )
    assert [(row.target, row.mended) for row in made.rows] == [
        ("It is.", "It is. It is. And"),
        ("It is.", ""),
    ]
    assert list(made.reasons.values()) == ["repair-empty"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("a dog a dog barks", "a dog barks", ""),
        ("a dog barks", "a dog barks", ""),
        ("the text is red", "the text is red.", ""),
        ("a dog barks", "", "repair-empty"),
        ("a dog barks", "Here is the corrected text: a dog barks", "repair-explains"),
        ("a dog barks", "The text has no mistakes.", "repair-explains"),
        ("a dog barks", "Corrected text: a dog barks", "repair-explains"),
        ("a dog barks", "a dog barks\n\nNote: nothing was wrong", "repair-explains"),
        ("a dog barks", "a dog barks, which I would say is already quite fine", "repair-explains"),
        ("a dog barks", "winter is coming soon", "repair-is-another-text"),
    ],
)
def test_a_mended_text_is_told_from_talk_about_it(before, after, reason):
    assert wrong_repair(before, after, 0.5) == reason


def test_the_text_before_a_repair_is_kept_beside_it(work):
    made = work(
        [caption(0, "a dog a dog barks"), caption(1, "a cat sleeps"), caption(2, "a hat"), caption(3, " ")],
        models={"writer": ScriptedWriter(['"a dog barks"', "a cat sleeps", "Sure!"])},
        step="repair",
    )
    assert [(row.target, row.mended) for row in made.rows] == [
        ("a dog barks", "a dog a dog barks"),
        ("a cat sleeps", ""),
    ]
    assert list(made.reasons.values()) == ["repair-explains", "nothing-to-repair"]


def translated(work, there, back, **step):
    asked = replace(caption(0, "the red shoe", description=""), task="vqa", question="What is it?")
    return work(
        [asked],
        models={"writer": ScriptedWriter([*there, *back]), **step.pop("models", {})},
        step="translate",
        **step,
    )


@pytest.mark.parametrize(
    ("there", "back", "reason"),
    [
        (["O que é?", "o sapato"], ["What is it?", "The red shoe."], None),
        (["O que é?", "o sapato"], ["What is it?", "the red boot"], "translation-loses-answer"),
        (["O que é?", "o sapato"], ["Who goes there?", "the red shoe"], "translation-differs"),
        (["O que é?", " "], ["What is it?"], "translation-empty"),
    ],
)
def test_a_translation_that_loses_something_is_refused(work, there, back, reason):
    made = translated(work, there, back)
    assert [one.reason for one in made.refused] == ([reason] if reason else [])
    if not reason:
        assert (made.rows[0].question, made.rows[0].target) == ("O que é?", "o sapato")
        assert made.rows[0].scores["translation-question"] == 1.0


def test_sentence_vectors_can_measure_what_came_back(work):
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [1.0, 0.0]]  # two texts, then what came back of them
    made = translated(
        work,
        ["O que é?", "o sapato"],
        ["How so?", "the red shoe"],
        models={"embedder": ScriptedEmbedder(vectors)},
        measure="embedder",
    )
    assert made.rows[0].scores["translation-question"] == pytest.approx(0.6)


def decisions(tmp_path, *lines):
    path = tmp_path / "decisions.jsonl"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return str(path)


DIGEST = "ab" * 32
ID = "nature-{:05d}-p0-q0"


def test_a_persons_decisions_are_taken(work, tmp_path):
    path = decisions(
        tmp_path,
        {"rows": DIGEST},
        {"id": ID.format(0), "decision": "keep", "text": "a mended text"},
        {"id": ID.format(1), "decision": "drop", "reason": "blurred"},
    )
    rows = [caption(number, f"text {number}") for number in range(3)]
    kept = work(rows, digest=DIGEST, step="review", path=path)
    assert [(row.target, row.mended) for row in kept.rows] == [("a mended text", "text 0"), ("text 2", "")]
    assert kept.refused[0].detail == "blurred"
    strict = work(rows, digest=DIGEST, step="review", path=path, undecided="drop")
    assert sorted(strict.reasons.values()) == ["dropped-by-review", "not-reviewed"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"rows": "cd" * 32}], "another dataset"),
        (
            [{"rows": DIGEST}, {"id": "stranger", "decision": "keep"}],
            "1 rows that are not there, such as stranger",
        ),
        ([{"rows": DIGEST}, {"id": ID.format(0), "decision": "maybe"}], "line 2: decision is 'maybe'"),
        (
            [{"rows": DIGEST}, *[{"id": ID.format(0), "decision": "keep"}] * 2],
            "line 3: .* was decided before",
        ),
        ([{"rows": DIGEST}, {"id": ID.format(0), "decision": "drop", "text": "x"}], "dropped has no text"),
        ([{"rows": DIGEST}, {"id": ID.format(0), "decision": "keep", "note": "x"}], "note is not known"),
        ([{"rows": DIGEST}, "{not json\n"], "line 2 is no JSON"),
        ([{"rows": "ab"}], "first line names the rows"),
        ([{"id": ID.format(0), "decision": "keep"}], "first line names the rows"),
        ([], "is empty"),
    ],
)
def test_a_file_of_decisions_that_is_not_about_these_rows_is_refused(work, tmp_path, lines, told):
    with pytest.raises(TableError, match=told):
        work([caption(0, "text")], digest=DIGEST, step="review", path=decisions(tmp_path, *lines))


def test_rows_that_nobody_decided_about_say_their_digest_and_how_to_review_them(work, tmp_path):
    with pytest.raises(ReviewAwaited, match=rf"`foundry review {DIGEST[:12]}` .*run again") as raised:
        work([caption(0, "text")], digest=DIGEST, step="review", path=str(tmp_path / "none.jsonl"))
    assert (raised.value.rows, raised.value.path) == (DIGEST, str(tmp_path / "none.jsonl"))


def test_words_that_were_known_before_are_held_against_those_found(work):
    shown, known = [0, 1, 2] * 20 + [None], ["Red", "blue", "red"] * 20 + [""]
    rows = [caption(n, "a shoe", attributes={"colour": word}) for n, word in enumerate(known)]
    scorer = ScriptedScorer(scores_of(shown) * 2)
    made = work(rows, models={"picture-text": scorer}, step="attributes", banks=[COLOURS], quantile=1.0)

    assert agreement(made.rows) == {"colour": [41 / 61, 61]}
    assert made.rows[2].attributes["colour"] == "green"
    assert agreement(rows) == {}


def test_a_text_is_written_of_what_rows_know_besides_and_a_row_that_lacks_it_is_refused():
    known = [{"sole": "flat"}, {"sole": ""}, {}]
    rows = [caption(n, "a shoe", attributes=told) for n, told in enumerate(known)]
    told = {"step": "attributes", "banks": [COLOURS], "undefined": "no"}
    settings = Attributes.model_validate({**told, "writes": "{target} in {colour} with {sole} sole"})
    models = Opened({"picture-text": ScriptedScorer(scores_of([0, 1, 2]))})
    kept, refused = find_attributes(rows, settings, Context(models, facts={"bounds": {"colour": [-1.0] * 3}}))

    assert [row.target for row in kept] == ["a shoe in red with flat sole", "a shoe in blue with no sole"]
    assert [(one.reason, one.detail) for one in refused] == [
        ("attribute-missing", "the row has no attribute sole")
    ]


@pytest.mark.parametrize(
    ("known", "places", "is_there"),
    [({"sole"}, "{sole}", True), ({"sole"}, "{heel}", False), ((), "{sole}", False), ((), "{colour}", True)],
)
def test_a_template_may_take_what_the_source_tells_and_nothing_that_nobody_finds(known, places, is_there):
    step = Attributes.model_validate({"step": "attributes", "banks": [COLOURS], "writes": places})
    with nullcontext() if is_there else pytest.raises(ValueError, match="nothing fills in"):
        check_annotations([step], (), known)


def test_a_text_that_a_step_changed_is_no_text_that_the_labeller_was_sure_of(work):
    scores = {DESCRIPTION_SCORE: -1.0, ANSWER_SCORE: -2.0, LABEL_SCORE: -1.5, "other": 3.0}
    step = {"step": "attributes", "banks": [COLOURS], "quantile": 1.0, "undefined": "plain"}
    kept, changed = (
        work(
            [caption(0, "a shoe", scores=scores)],
            models={"picture-text": ScriptedScorer(scores_of([0, 0]))},
            **step,
            **writes,
        ).rows[0]
        for writes in ({}, {"writes": "{target} with {colour} color"})
    )
    assert scores.items() <= kept.scores.items()
    assert not {DESCRIPTION_SCORE, ANSWER_SCORE, LABEL_SCORE} & set(changed.scores)
    assert changed.scores["other"] == 3.0

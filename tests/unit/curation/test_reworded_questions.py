"""The gate on questions in other words, and what it asks."""

from typing import ClassVar

import numpy as np
import pytest

from blip_core.curation.reworded_questions import refuse_reworded
from blip_core.errors import RecipeError, StageFailure
from blip_core.prefetching.needs import needs_of
from blip_core.recipes import load_recipe
from blip_core.recipes.reworded_questions import RewordedQuestions
from blip_core.wiring import gate_identities, gate_models
from tests.unit.examples import example

ON = RewordedQuestions(enabled=True, model="pocket/clip", min_cosine=0.75)
COUNT, COUNTED, PLACE = "How many cakes are there?", "Count the cakes.", "Where is it?"


class Meanings:
    """Embeds what it knows: two questions of one meaning lie close, others at right angles."""

    vectors: ClassVar = {COUNT: (1.0, 0.0), COUNTED: (0.9, np.sqrt(1 - 0.81)), PLACE: (0.0, 1.0)}

    def embed(self, texts):
        return [list(self.vectors[text]) for text in texts]

    def close(self):
        return None


def asked(number, question, picture="p0", target="two"):
    return example(number, question=question, picture_id=picture, target=target)


def test_a_question_in_other_words_with_the_same_answer_is_refused_and_the_older_one_stays():
    rows = [asked(0, COUNT), asked(1, COUNTED), asked(2, PLACE)]
    kept, refused = refuse_reworded(rows, ON, Meanings())
    assert kept == [rows[0], rows[2]]
    assert [(one.id, one.reason) for one in refused] == [(rows[1].id, "reworded-question")]
    assert refused[0].detail.endswith("(0.90)")


@pytest.mark.parametrize("changes", [{"picture": "p1"}, {"target": "three"}])
def test_another_picture_or_answer_makes_it_another_question(changes):
    rows = [asked(0, COUNT), asked(1, COUNTED, **changes)]
    assert refuse_reworded(rows, ON, Meanings()) == (rows, [])


def test_what_comes_later_changes_nothing_earlier():
    rows = [asked(0, COUNT), asked(1, PLACE), asked(2, COUNTED)]
    assert refuse_reworded(rows[:2], ON, Meanings())[0] == rows[:2]
    assert refuse_reworded(rows, ON, Meanings())[0] == rows[:2]


@pytest.mark.parametrize(
    ("said", "told"), [((1.0, 0.0), "says the same of all 3"), ((float("nan"), 0.0), "no numbers")]
)
def test_a_model_that_says_nothing_of_use_stops_before_a_row_is_refused(said, told):
    class Nonsense(Meanings):
        vectors: ClassVar = dict.fromkeys(Meanings.vectors, said)

    with pytest.raises(StageFailure, match=told):
        refuse_reworded([asked(0, COUNT), asked(1, COUNTED), asked(2, PLACE)], ON, Nonsense())


def test_the_model_has_to_be_named_and_is_prefetched_opened_and_part_of_the_key():
    on = "curation.reworded_questions.enabled=true"
    with pytest.raises(RecipeError, match="name a model that embeds sentences"):
        load_recipe("gallery-vqa", "pocket", [on])
    other = load_recipe("gallery-vqa", "pocket", [on, "curation.reworded_questions.model=owner/minilm"])
    assert [need.id for need in needs_of(other)] == ["owner/minilm"]
    bundled = load_recipe("gallery-vqa", "pocket", [on, "curation.reworded_questions.model=pocket/clip"])
    assert "reworded_questions" in gate_identities(bundled)["gate_models"]
    from blip_core.curation.reworded_questions import GATE

    with gate_models(bundled)(GATE, bundled.curation.reworded_questions) as embedder:
        assert len(embedder.embed([COUNT, PLACE])) == 2

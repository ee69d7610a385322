"""What a model gives that is no number is refused, with the row and the part named; no other row is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from blip_core.errors import NotANumber
from blip_core.inference import predict
from blip_core.inference.letters import chances_of
from blip_core.inference.oracle import predict_row_by_row
from blip_core.modeling import load_blip2
from blip_core.modeling.features import VisionCache, picture_key
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from tests.tiny_blip2 import FolderOf, MakeExamples

MARK = "~"  # a token of its own, which no prompt of the tests holds
BAD = 2


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


@pytest.fixture
def rows(make_examples: MakeExamples) -> list[Example]:
    """Five questions, of which one holds the mark."""
    made = make_examples(5)
    made[BAD] = replace(made[BAD], question=f"{made[BAD].question} {MARK}")
    return made


@contextmanager
def hooked(module: nn.Module, change: Any) -> Iterator[None]:
    handle = module.register_forward_hook(change)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def broken_at_the_mark(bundle: Blip2Bundle, value: float = nan) -> Iterator[None]:
    """The language model's states are NaN or infinite wherever it reads the mark."""
    mark = bundle.tokenizer.convert_tokens_to_ids(MARK)

    def change(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.masked_fill((inputs[0] == mark)[..., None], value)

    with hooked(bundle.blip2.get_input_embeddings(), change):
        yield


def settings_of(plain: Inference, **changed: Any) -> Inference:
    return plain.model_copy(update=changed)


LETTERS_ALONE = {"describe_prompt": "", "free_generation": False}


@pytest.mark.parametrize("value", [nan, inf])
@pytest.mark.parametrize(
    "changed",
    [
        LETTERS_ALONE,
        {**LETTERS_ALONE, "ranking": "texts"},
        {**LETTERS_ALONE, "circular": True},
        {**LETTERS_ALONE, "ablations": ("blind",)},
        {"free_generation": False},
        {"beams": 2},
    ],
    ids=lambda changed: " ".join(sorted(changed)),
)
def test_one_row_of_a_batch_is_named_and_no_other(
    bundle: Blip2Bundle,
    rows: list[Example],
    inference_settings: Inference,
    changed: dict[str, Any],
    value: float,
) -> None:
    settings = settings_of(inference_settings, **changed)

    with broken_at_the_mark(bundle, value), pytest.raises(NotANumber) as refused:
        predict(bundle, rows, settings, "x")

    assert f"the language model gave NaN or infinity for row {rows[BAD].id}: " in str(refused.value)
    assert "dtype" in str(refused.value)


def test_rows_without_a_fault_are_answered(
    bundle: Blip2Bundle, rows: list[Example], inference_settings: Inference
) -> None:
    others = [row for place, row in enumerate(rows) if place != BAD]
    with broken_at_the_mark(bundle):
        answered = predict(bundle, others, inference_settings, "x")
    assert answered == predict(bundle, others, inference_settings, "x")


def test_row_by_row_the_same_is_refused(
    bundle: Blip2Bundle, rows: list[Example], inference_settings: Inference
) -> None:
    settings = settings_of(inference_settings, **LETTERS_ALONE)
    with broken_at_the_mark(bundle), pytest.raises(NotANumber, match=f"for row {rows[BAD].id}:"):
        predict_row_by_row(bundle, rows, settings, "x")


def test_a_later_token_of_a_description_counts_too(
    bundle: Blip2Bundle, rows: list[Example], inference_settings: Inference
) -> None:
    calls = 0

    def change(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return output if calls == 1 else torch.full_like(output, nan)

    lm_head = bundle.blip2.language_model.lm_head
    with hooked(lm_head, change), pytest.raises(NotANumber, match="the language model gave"):
        predict(bundle, rows[:1], inference_settings, "x")
    assert calls > 1


@pytest.mark.parametrize(
    ("part", "named"), [("vision_model", "the vision tower"), ("language_projection", "the Q-Former")]
)
def test_states_of_a_picture_are_refused_by_the_part_that_gave_them(
    bundle: Blip2Bundle, rows: list[Example], inference_settings: Inference, part: str, named: str
) -> None:
    def change(_: nn.Module, inputs: Any, output: Any) -> Any:
        states = output if isinstance(output, Tensor) else output.last_hidden_state
        states[-1, 0, 0] = inf  # of the batch's last picture
        return output

    with (
        hooked(getattr(bundle.blip2, part), change),
        pytest.raises(NotANumber, match=f"{named} gave") as refused,
    ):
        predict(bundle, rows, inference_settings, "x")
    assert f"for row {rows[4].id}" in str(refused.value)  # the third picture of two rows each


class HoledStates(VisionCache):
    """Kept states with a hole."""

    holes: Sequence[str] = ()

    def stack(self, keys: Sequence[str], turn: int = 0) -> Tensor:
        states = super().stack(keys, turn)
        for place, key in enumerate(keys):
            if key in self.holes:
                states[place, 0, 0] = nan
        return states


def test_states_that_were_kept_are_looked_at_where_they_are_used(
    bundle: Blip2Bundle, rows: list[Example], inference_settings: Inference
) -> None:
    states = HoledStates(bundle, batch_size=4)
    states.holes = [picture_key(rows[BAD].image)]

    with pytest.raises(NotANumber, match=f"the vision tower gave NaN or infinity for row {rows[BAD].id}:"):
        predict(bundle, rows, inference_settings, "x", states=states)


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("offered", [2, 3, 4])
def test_a_score_that_is_none_is_no_chance(make_examples: MakeExamples, offered: int, value: float) -> None:
    four = make_examples(2)
    asked = [one.with_options([*one.options[:offered], *[""] * (4 - offered)]) for one in four]
    scores = torch.zeros(2, 4)
    scores[1, offered - 1] = value

    with pytest.raises(NotANumber, match=f"for row {asked[1].id}:"):
        chances_of(scores, asked)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_letters_that_are_not_offered_may_be_anything(make_examples: MakeExamples, value: float) -> None:
    (one,) = make_examples(1)
    scores = torch.zeros(1, 4)
    scores[0, 2:] = value

    assert chances_of(scores, [one.with_options(["a", "b", "", ""])]) == [[0.5, 0.5, 0.0, 0.0]]

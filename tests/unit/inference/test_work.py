"""What the engine does for its answers: each picture once, few pads, one pass a ranking, and on with less."""

from typing import Any

import pytest
import torch

from blip_core.inference import answer, generating, predict_row_by_row, predicting, work
from blip_core.inference.batching import MIN_LENGTH_SHARE
from blip_core.modeling import load_blip2
from blip_core.modeling.features import VisionCache
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.inference import Inference
from blip_core.records import Prediction
from tests.tiny_blip2 import FolderOf, MakeExamples

ROWS = 10
MAX_PADDED_SHARE = 0.1


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


@pytest.fixture
def ranking(inference_settings: Inference) -> Inference:
    """Letters are ranked, and nothing is written."""
    return inference_settings.model_copy(update={"describe_prompt": "", "free_generation": False})


class Calls:
    """Counts the rows of every call of a module."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.rows: list[int] = []
        self._hook = module.register_forward_hook(self._note)

    def _note(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.rows.append(len(output[0] if isinstance(output, tuple) else output))

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *exception: object) -> None:
        self._hook.remove()


def said(predictions: list[Prediction]) -> list[tuple[str, str, str]]:
    return [(one.description, one.ranked, one.generated) for one in predictions]


def test_every_picture_goes_through_the_tower_once_however_it_is_asked_about(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    asking = {"circular": True, "ablations": ("one-stage", "description-only", "blind")}
    settings = inference_settings.model_copy(update=asking)

    with Calls(bundle.blip2.vision_model.post_layernorm) as normed:
        counts = answer(bundle, make_examples(ROWS), settings, "x").counts

    assert sum(normed.rows) == 2 * ROWS // 2  # the tower norms all patches, then the first one alone
    assert (counts.pictures, counts.vision_forwards) == (ROWS // 2, ROWS // 2)
    assert counts.prompts == ROWS * (1 + 4 + 3)


def test_pictures_are_not_encoded_anew_at_the_border_of_two_windows(
    bundle: Blip2Bundle, make_examples: MakeExamples, ranking: Inference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "WINDOW_ROWS", 3)

    assert answer(bundle, make_examples(ROWS), ranking, "x").counts.vision_forwards == ROWS // 2


def test_windows_change_no_answer(
    bundle: Blip2Bundle,
    make_examples: MakeExamples,
    inference_settings: Inference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = answer(bundle, make_examples(ROWS), inference_settings, "x")
    monkeypatch.setattr(predicting, "WINDOW_ROWS", 3)
    parts = answer(bundle, make_examples(ROWS), inference_settings, "x")

    assert said(parts.predictions) == said(whole.predictions)
    assert parts.counts.rows == ROWS


def test_kept_states_spare_the_tower_and_change_no_answer(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    examples = make_examples(ROWS)
    states = VisionCache(bundle, batch_size=3)
    fresh = answer(bundle, examples, inference_settings, "x")

    first = answer(bundle, examples, inference_settings, "x", states=states)
    second = answer(bundle, examples, inference_settings, "x", states=states)

    assert [one.counts.vision_forwards for one in (first, second)] == [ROWS // 2, 0]
    assert said(fresh.predictions) == said(first.predictions) == said(second.predictions)


def test_ranking_letters_takes_one_step_of_the_decoder_a_batch(
    bundle: Blip2Bundle, make_examples: MakeExamples, ranking: Inference
) -> None:
    with Calls(bundle.blip2.language_model.lm_head) as heads:
        counts = answer(bundle, make_examples(ROWS), ranking, "x").counts

    assert (counts.decoder_steps, counts.written_tokens) == (0, 0)
    assert len(heads.rows) == counts.prefills
    assert sum(heads.rows) == counts.prompts == ROWS


def test_a_free_answer_goes_on_from_what_ranking_read(
    bundle: Blip2Bundle, make_examples: MakeExamples, ranking: Inference
) -> None:
    writing = ranking.model_copy(update={"free_generation": True})

    counts = answer(bundle, make_examples(ROWS), writing, "x").counts

    assert counts.prompts == ROWS
    assert 0 < counts.decoder_steps <= counts.prefills * (predicting.ANSWER_TOKENS - 1)


def test_a_description_that_does_not_depend_on_the_question_is_written_once_a_picture(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    settings = inference_settings.model_copy(update={"describe_prompt": "Describe it:"})
    told: list[tuple[int, int]] = []

    answers = answer(
        bundle, make_examples(ROWS), settings, "x", lambda done, total: told.append((done, total))
    )

    assert answers.counts.prompts == ROWS // 2 + ROWS
    assert told[-1] == (3 * ROWS, 3 * ROWS)
    slow = predict_row_by_row(bundle, make_examples(ROWS), settings, "x")
    assert said(answers.predictions) == said(slow)


def test_few_tokens_are_pads(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    counts = answer(bundle, make_examples(ROWS), inference_settings, "x").counts

    assert counts.padded_share <= 1 - MIN_LENGTH_SHARE
    assert counts.padded_share < MAX_PADDED_SHARE
    assert counts.tokens > counts.prompts * bundle.query_count


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_when_finished_rows_leave_changes_no_text(
    bundle: Blip2Bundle,
    make_examples: MakeExamples,
    inference_settings: Inference,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
) -> None:
    settings = inference_settings.model_copy(update={"max_new_tokens": 20})
    expected = answer(bundle, make_examples(ROWS), settings, "x")
    monkeypatch.setattr(generating, "LEAVING_SHARE", share)

    assert said(answer(bundle, make_examples(ROWS), settings, "x").predictions) == said(expected.predictions)


def test_where_memory_holds_two_rows_the_answers_are_the_same(
    bundle: Blip2Bundle,
    make_examples: MakeExamples,
    inference_settings: Inference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = answer(bundle, make_examples(ROWS), inference_settings, "x")
    read_prompts = work.read_prompts

    def read_two(bundle: Blip2Bundle, embeddings: torch.Tensor, *rest: Any) -> Any:
        if len(embeddings) > 2:
            raise torch.OutOfMemoryError("there is none left")
        return read_prompts(bundle, embeddings, *rest)

    monkeypatch.setattr(work, "read_prompts", read_two)
    told: list[tuple[int, int]] = []
    answers = answer(
        bundle, make_examples(ROWS), inference_settings, "x", lambda done, total: told.append((done, total))
    )

    assert answers.counts.halvings > 0
    assert answers.counts.prompts == expected.counts.prompts
    assert told[-1] == (3 * ROWS, 3 * ROWS)
    assert said(answers.predictions) == said(expected.predictions)
    assert [one.id for one in answers.predictions] == [one.id for one in expected.predictions]


def test_where_memory_holds_one_picture_all_are_encoded(
    bundle: Blip2Bundle, make_examples: MakeExamples, ranking: Inference
) -> None:
    def refuse(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if len(kwargs["pixel_values"]) > 1:
            raise torch.OutOfMemoryError("there is none left")

    hook = bundle.blip2.vision_model.register_forward_pre_hook(refuse, with_kwargs=True)
    counts = answer(bundle, make_examples(ROWS), ranking, "x").counts
    hook.remove()

    assert counts.vision_forwards == ROWS // 2
    assert counts.halvings == 2

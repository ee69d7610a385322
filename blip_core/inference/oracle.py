"""The row-by-row way of the source documents, kept as the truth that batched inference is held against.

One row at a time, through the public interface of transformers alone: the processor builds each
prompt, and the picture is encoded anew for every call.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from blip_core.inference.answers import NO_CHANCES, Answers, gather_answers
from blip_core.inference.generating import generation_config
from blip_core.inference.letters import chances_of
from blip_core.inference.predicting import ANSWER_TOKENS
from blip_core.inference.prompting import Question, ask, describe_prompt, options_of, ways_of_asking
from blip_core.modeling.features import decode_picture
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import PICTURE_PLACE, Prompt, letter_ids, target_ids, tokenise_prompts
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Prediction

_WHOLE = Prompt([], is_cut=False)  # the processor writes the prompt, and cuts none


def predict_row_by_row(
    bundle: Blip2Bundle, examples: Sequence[Example], settings: Inference, variant: str
) -> list[Prediction]:
    """Answer as `predict` does, slowly."""
    return answer_row_by_row(bundle, examples, settings, variant).predictions


def answer_row_by_row(
    bundle: Blip2Bundle, examples: Sequence[Example], settings: Inference, variant: str
) -> Answers:
    """Answer as `answer` does, slowly."""
    bundle.model.eval()
    answers = Answers()
    for example in examples:
        answers.include(_answer_row(bundle, example, settings, variant))
    return answers


@torch.inference_mode()
def _answer_row(bundle: Blip2Bundle, example: Example, settings: Inference, variant: str) -> Answers:
    description, answer = "", ""
    if settings.describe_prompt:
        inputs = _inputs(bundle, example, describe_prompt(settings, example))
        description = _generate(bundle, inputs, settings, settings.max_new_tokens)
    questions: list[Question] = []
    chances: list[Sequence[float]] = []
    for mode, rotation in ways_of_asking(settings, options_of(example)):
        asked, text = ask(settings, example, description, mode, rotation)
        question = Question(0, mode, rotation, _WHOLE, asked)
        inputs = _inputs(bundle, example if question.has_picture else None, text)
        questions.append(question)
        if not options_of(example):
            answer = _generate(bundle, inputs, settings, settings.max_new_tokens)
            chances.append(NO_CHANCES)
            break
        if question.is_main and settings.free_generation:
            unbounded = settings.model_copy(update={"min_new_tokens": 0})
            answer = _generate(bundle, inputs, unbounded, ANSWER_TOKENS)
        chances.append(_chances(bundle, inputs, settings, asked))
    return gather_answers(
        [example], variant, settings, [description], [False], questions, chances, {0: answer}
    )


def _inputs(bundle: Blip2Bundle, example: Example | None, text: str) -> dict[str, Any]:
    """What a model needs for one row; without an example there is no picture."""
    if example is None:
        plain = text.replace(PICTURE_PLACE, "")
        return dict(bundle.tokenizer(plain, return_tensors="pt").to(bundle.device))
    if PICTURE_PLACE in text:
        return _inputs_around(bundle, example, text)
    inputs = bundle.processor(images=decode_picture(example), text=text, return_tensors="pt").to(
        bundle.device
    )
    inputs["pixel_values"] = inputs["pixel_values"].to(bundle.blip2.vision_model.dtype)
    return dict(inputs)


def _inputs_around(bundle: Blip2Bundle, example: Example, text: str) -> dict[str, Any]:
    """A picture between two texts, which processors have no way to say."""
    ids = torch.tensor([tokenise_prompts(bundle, [text])[0].ids], device=bundle.device)
    plain = _inputs(bundle, example, text.replace(PICTURE_PLACE, ""))
    return plain | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _model(bundle: Blip2Bundle, inputs: dict[str, Any]) -> Any:
    return bundle.blip2 if "pixel_values" in inputs else bundle.blip2.language_model


def _generate(bundle: Blip2Bundle, inputs: dict[str, Any], settings: Inference, max_new_tokens: int) -> str:
    config = generation_config(
        bundle, max_new_tokens, settings.beams, settings.min_new_tokens, settings.length_penalty
    )
    written = _model(bundle, inputs).generate(**inputs, generation_config=config)
    if bundle.is_causal:
        written = written[:, inputs["input_ids"].shape[1] :]
    return str(bundle.tokenizer.decode(written[0], skip_special_tokens=True)).strip()


def _chances(bundle: Blip2Bundle, inputs: dict[str, Any], settings: Inference, asked: Example) -> list[float]:
    if settings.ranking == "texts":
        options = asked.options[: asked.offered]
        scores = torch.stack([_text_score(bundle, inputs, option) for option in options])
    else:
        scores = _logits(bundle, inputs, [])[-1, letter_ids(bundle, asked.offered)]
    return chances_of(scores[None], [asked])[0]


def _text_score(bundle: Blip2Bundle, inputs: dict[str, Any], text: str) -> Tensor:
    """Mean log-probability of a candidate's tokens; the model runs anew for every candidate."""
    candidate = target_ids(bundle, text)
    logits = _logits(bundle, inputs, candidate[:-1])[-len(candidate) :]
    tokens = torch.tensor(candidate, device=logits.device)
    return logits.double().log_softmax(dim=-1).gather(1, tokens[:, None]).mean()


def _logits(bundle: Blip2Bundle, inputs: dict[str, Any], written: Sequence[int]) -> Tensor:
    """Logits of every position, of which the last ones follow what was written."""
    added = torch.tensor([written], dtype=torch.int64, device=bundle.device)
    if not bundle.is_causal:
        start = added.new_full((1, 1), bundle.blip2.language_model.config.decoder_start_token_id)
        inputs = inputs | {"decoder_input_ids": torch.cat([start, added], dim=1)}
    else:
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        inputs = inputs | {
            "input_ids": torch.cat([ids, added], dim=1),
            "attention_mask": torch.cat([mask, torch.ones_like(added)], dim=1),
        }
    logits: Tensor = _model(bundle, inputs)(**inputs).logits[0]
    return logits

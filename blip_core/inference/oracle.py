"""The row-by-row way of the source documents, kept as the truth that batched inference is held against.

One row at a time, through the public interface of transformers alone: the processor builds each
prompt, and the picture is encoded anew for every call.
"""

from collections.abc import Sequence
from typing import Any

import torch

from blip_core.inference.generating import greedy_config
from blip_core.inference.predicting import ANSWER_TOKENS, to_prediction
from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.modeling.features import decode_picture
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import letter_ids
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Prediction


def predict_row_by_row(
    bundle: Blip2Bundle, examples: Sequence[Example], settings: Inference, variant: str
) -> list[Prediction]:
    """Answer as `predict` does, slowly."""
    bundle.model.eval()
    return [_predict_row(bundle, example, settings, variant) for example in examples]


@torch.inference_mode()
def _predict_row(bundle: Blip2Bundle, example: Example, settings: Inference, variant: str) -> Prediction:
    description = ""
    if settings.describe_prompt:
        inputs = _inputs(bundle, example, describe_prompt(settings, example))
        description = _generate(bundle, inputs, settings.max_new_tokens)
    inputs = _inputs(bundle, example, answer_prompt(settings, example, description))
    answer = _generate(bundle, inputs, ANSWER_TOKENS) if settings.free_generation else ""
    return to_prediction(example, variant, description, _letter_chances(bundle, inputs), answer)


def _inputs(bundle: Blip2Bundle, example: Example, text: str) -> dict[str, Any]:
    inputs = bundle.processor(images=decode_picture(example), text=text, return_tensors="pt").to(
        bundle.device
    )
    inputs["pixel_values"] = inputs["pixel_values"].to(bundle.blip2.vision_model.dtype)
    return dict(inputs)


def _generate(bundle: Blip2Bundle, inputs: dict[str, Any], max_new_tokens: int) -> str:
    written = bundle.blip2.generate(**inputs, generation_config=greedy_config(bundle, max_new_tokens))
    if bundle.family == "opt":
        written = written[:, inputs["input_ids"].shape[1] :]
    return str(bundle.tokenizer.decode(written[0], skip_special_tokens=True)).strip()


def _letter_chances(bundle: Blip2Bundle, inputs: dict[str, Any]) -> list[float]:
    if bundle.family == "t5":
        start = bundle.blip2.language_model.config.decoder_start_token_id
        inputs = inputs | {"decoder_input_ids": torch.tensor([[start]], device=bundle.device)}
    logits = bundle.blip2(**inputs).logits[0, -1]
    chances: list[float] = logits[letter_ids(bundle)].double().softmax(dim=-1).tolist()
    return chances

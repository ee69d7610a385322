"""What a stand-in for a model server answers where scenes and labels are asked for by a schema."""

import json
import random
from typing import Any

WORDS = ["red", "ball", "dog", "tree", "near", "small", "tall", "blue", "house", "river", "boat", "cat"]
SCENES_A_LIST = 5


def form_of(body: dict[str, Any]) -> dict[str, Any]:
    """The schema that a request asks its answer by."""
    schema: dict[str, Any] = body["response_format"]["json_schema"]["schema"]
    return schema


def answer(body: dict[str, Any]) -> tuple[int, str]:
    """A structured answer that is drawn by the request's seed."""
    draw = random.Random(body["seed"])
    told: dict[str, Any] = {
        name: f"{name} " + " ".join(draw.choices(WORDS, k=7)) for name in form_of(body)["properties"]
    }
    if "scenes" in told:
        told = {"scenes": [" ".join(draw.choices(WORDS, k=9)) for _ in range(SCENES_A_LIST)]}
    if "answer" in told:
        told["answer"] = draw.choice("ABCD")
    usage = {"prompt_tokens": 100, "completion_tokens": 30}
    return 200, json.dumps({"choices": [{"message": {"content": json.dumps(told)}}], "usage": usage})

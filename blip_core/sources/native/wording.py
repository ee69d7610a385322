"""How questions are worded before a model sees them."""

from typing import Any

from blip_core.recipes.native import Wording

_LEFT_OUT = str.maketrans("", "", '.!"()*#:;~')
_MOST_WORDS = 50


def worded(question: Any, wording: Wording) -> str:
    """A question as it stands, or as LAVIS' processor of questions words it (`blip_question`).

    Plain, it is lower-cased, without some signs, and no longer than 50 words.
    """
    text = question if isinstance(question, str) else ""
    if wording == "as-written":
        return text
    return " ".join(text.lower().translate(_LEFT_OUT).split(" ")[:_MOST_WORDS]).rstrip(" ")

"""Gate: texts that mean to be read by machines, or to look other than they are.

Rows teach a model to write, and are shown on pages and filled into prompts: a text that holds the marks of a
prompt, markup or an order to a model may do more than be read. A row's fate depends on its own texts alone.
"""

import re
import unicodedata
from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept
from blip_core.curation.row_texts import refuse_texts, shown
from blip_core.recipes.curation_of_texts import HostileTexts
from blip_core.records import Example

_LAID_OUT = frozenset("\n\t\r")
_JOINERS = frozenset("\u200c\u200d\u200e\u200f")  # Persian, emoji and Arabic are written with them
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs"})  # controls, formats, private use, halves of pairs
_MARKUP = re.compile(
    r"</?[a-z][\w-]*(\s[^<>]*)?/?>|<!--|\bjavascript:|!?\[[^\]]*\]\([^)]*\)|\bhttps?://", re.I
)
# Marks of turns, as the chat templates of Llama, Qwen, Phi, Gemma and LLaVA write them.
_PROMPT = re.compile(
    r"<\|[^|<>]{1,40}\|>|\[/?INST\]|<</?SYS>>|<(start|end)_of_turn>|^\s*(USER|ASSISTANT|SYSTEM|Human)\s*:",
    re.M,
)
_ORDER = re.compile(
    r"\b(ignore|disregard|forget|override)\b[^.?!\n]{0,40}\b(instruction|prompt|rule|message|direction)s?\b"
    r"|\b(system|developer) prompt\b|\byou are now (a|an|the|in)\b|\bdo anything now\b|\bjailbreak",
    re.I,
)


def refuse_hostile_texts(rows: Sequence[Example], settings: HostileTexts) -> Kept:
    """Refuse rows of which a text hides characters, is markup, marks a prompt, or orders a model about.

    Reasons: `hidden-characters`, `prompt-marks`, `markup`, `order-to-a-model`, `endless-word`.
    """
    return refuse_texts(rows, lambda text: _find(text, settings.max_word_characters))


def _find(text: str, max_word_characters: int) -> tuple[str, str] | None:
    if not text.isprintable() and (hidden := next(filter(_is_hidden, text), "")):
        return "hidden-characters", f"it holds U+{ord(hidden):04X}"
    for reason, pattern in (("prompt-marks", _PROMPT), ("markup", _MARKUP), ("order-to-a-model", _ORDER)):
        if found := pattern.search(text):
            return reason, f"it holds {shown(found.group())}"
    longest = max(map(len, text.split()), default=0) if len(text) > max_word_characters else 0
    if longest > max_word_characters and text.isascii():  # Chinese and Japanese part no words
        return "endless-word", f"a word of {longest} characters, at most {max_word_characters}"
    return None


def _is_hidden(char: str) -> bool:
    if char in _LAID_OUT or char in _JOINERS:
        return False
    return unicodedata.category(char) in _HIDDEN


GATE = Gate(
    "hostile_texts",
    "texts with hidden characters, markup or orders to a model",
    HostileTexts,
    refuse_hostile_texts,
)

"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): precision, recall and their F-measure."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from blip_core.scoring.measures.measure import Measure, referenced
from blip_core.scoring.rouge import OverlapScores, overlap

_TEXTS = frozenset({"caption", "vqa"})
_KINDS = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougeL"}
_PARTS = {"f": "fmeasure", "precision": "precision", "recall": "recall"}


@lru_cache(maxsize=32_768)  # nine measures ask for all pairs, one after the other
def _overlap(text: str, references: tuple[str, ...]) -> OverlapScores:
    return overlap(text, references)


def _part(kind: str, part: str) -> Callable[[str, Sequence[str]], float]:
    return lambda text, references: float(getattr(_overlap(text, tuple(references))[kind], part))


MEASURES = tuple(
    Measure(f"{name}-{part}", f"{name.upper()} ({part})", referenced(_part(kind, field)), _TEXTS)
    for name, kind in _KINDS.items()
    for part, field in _PARTS.items()
)

"""Measures, one idea a file: each gives one value for one answer of one variant."""

from blip_core.scoring.measures import answers, bleu, cider, letters, naming, rouge, wording
from blip_core.scoring.measures.measure import Answer, Better, Measure, each, referenced

MEASURES: tuple[Measure, ...] = (
    *letters.MEASURES,
    *answers.MEASURES,
    *bleu.MEASURES,
    *rouge.MEASURES,
    *cider.MEASURES,
    *naming.MEASURES,
    *wording.MEASURES,
)
"""Those that ship; plug-ins bring more."""

__all__ = ["MEASURES", "Answer", "Better", "Measure", "each", "referenced"]

"""What BLEU is made of, variant by variant: n-gram precisions, and what texts lose for being short."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from blip_core.reporting.summary import VariantSummary

_PRECISIONS = ("precision-1", "precision-2", "precision-3", "precision-4")
_BREVITY = "brevity-penalty"
_BEARABLE = 0.95  # a smaller penalty than this is told together with the limit on length


def bleu_sentences(variants: Mapping[str, VariantSummary], most_tokens: int, asks: bool) -> list[str]:
    """A line a variant with the means of its rows, and the limit on length where some lose by shortness.

    Args:
        variants: by name.
        most_tokens: `inference.max_new_tokens`.
        asks: whether rows ask; answers are too short to be told of, captions are not.
    """
    told = {name: one.measures for name, one in variants.items() if _BREVITY in one.measures}
    if asks or not told:
        return []
    lines = [f"{name}: {_parts(measures)}" for name, measures in told.items()]
    if min(measures[_BREVITY] for measures in told.values()) < _BEARABLE:
        lines.append(
            f"No text is longer than {most_tokens} tokens (inference.max_new_tokens); where that cuts texts, "
            "the brevity penalty falls."
        )
    return lines


def show_bleu_parts(
    console: Console, variants: Mapping[str, VariantSummary], most_tokens: int, asks: bool
) -> None:
    """Print what BLEU is made of, where captions were judged."""
    for line in bleu_sentences(variants, most_tokens, asks):
        console.print(escape(line), highlight=False)


def _parts(measures: Mapping[str, float]) -> str:
    shares = [f"{measures[name]:.2f}" if name in measures else "–" for name in _PRECISIONS]
    return f"n-gram precisions {' / '.join(shares)}, brevity penalty {measures[_BREVITY]:.2f}"

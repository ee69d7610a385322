"""What was measured of a dataset's doubtful labels, as lines for people and metrics for a tracker."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from blip_core.curation.figures import in_words, is_bound

Metadata = Mapping[str, Any]
"""Of a dataset, as its manifest has it."""

_OTHERS = re.compile(r"[^a-z0-9]+")


def doubt_cells(dataset: Metadata) -> list[list[str]]:
    """A line a figure, headings first; nothing where nothing was measured."""
    lines = in_words(dataset.get("measured", {}), dataset.get("wrong_answers", {}).get("estimated", {}))
    return [["measured", "value"], *map(list, lines)] if lines else []


def doubt_metrics(dataset: Metadata) -> dict[str, float]:
    """For a tracker: `doubts/GATE/FIGURE`, and `doubts/wrong_answers/SOURCE` with what is allowed."""
    return dict(_metrics(dataset))


def _metrics(dataset: Metadata) -> Iterator[tuple[str, float]]:
    wrong = dataset.get("wrong_answers", {})
    for source, share in wrong.get("estimated", {}).items():
        yield f"doubts/wrong_answers/{_slug(source)}", float(share)
    if wrong:
        yield "doubts/wrong_answers/allowed", float(wrong["allowed"])
    for gate, figures in dataset.get("measured", {}).items():
        for name, value in figures.items():
            if not is_bound(name):
                yield f"doubts/{gate}/{_slug(name)}", float(value)


def _slug(name: str) -> str:
    return _OTHERS.sub("_", name.lower()).strip("_")

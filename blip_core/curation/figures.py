"""What gates measured, in words for a card."""

from collections.abc import Mapping

BOUND = "bound of "
"""How the name of a calibrated bound begins: of which there are many, so that a card leaves them out."""

_LOW, _HIGH = ", low", ", high"


def is_bound(name: str) -> bool:
    """Whether a figure is one of many calibrated bounds."""
    return name.startswith(BOUND)


def in_words(
    measured: Mapping[str, Mapping[str, float]], wrong: Mapping[str, float]
) -> list[tuple[str, str]]:
    """What was measured and how much, line by line; a share with its interval where there is one.

    Args:
        measured: by gate and figure, see `Curated.measured`.
        wrong: estimated share of wrong answers by source, see `estimate_wrong`.
    """
    maybe = "labels that may be wrong, estimated by"
    lines = [(f"{maybe} {source}", _percent(share)) for source, share in wrong.items()]
    for gate, figures in measured.items():
        for name, value in figures.items():
            if is_bound(name) or name.endswith((_LOW, _HIGH)):
                continue
            low, high = figures.get(name + _LOW), figures.get(name + _HIGH)
            interval = "" if low is None or high is None else f", 95 % in [{_percent(low)}, {_percent(high)}]"
            lines.append((f"{name} ({gate})", _percent(value) + interval))
    return lines


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")

"""Whether a tuned adapter has earned the alias `champion`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blip_core.recipes.champion import Champion
from blip_core.scoring.comparison import Comparison

CANDIDATES = "candidates"
_DIGITS = 9  # of a lost share: a quarter of 0.8 is a quarter, whatever the last bits say


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the alias moves, and why or why not, one sentence a reason."""

    won: bool
    reasons: tuple[str, ...]


def decide(
    rule: Champion, scores: Mapping[str, Any], remembered: Sequence[Mapping[str, Any]] = ()
) -> Decision:
    """Hold every tuned variant against the champion or its base without adapter; one that wins is enough.

    Besides the rule the interval of the difference must lie above zero: it alone knows that questions about
    one picture are not independent. Whoever wins has forgotten no more of a probe than the rule allows.

    Args:
        rule: what the recipe asks for.
        scores: `comparisons` with the fields of `Comparison`, and `candidates`: pairs of names, base first.
        remembered: of each probe its name (`probe`), what judged it (`words`), its `rows`, and what the base
            without adapter (`base`) and the adapter (`after`) scored.
    """
    pairs = {(base, tuned) for base, tuned in scores.get(CANDIDATES, ())}
    found = [Comparison(**one) for one in scores["comparisons"] if (one["a"], one["b"]) in pairs]
    if not found:
        return Decision(False, ("No tuned variant was compared with its base without adapter.",))
    verdicts = [_judge(rule, one) for one in found]
    won = [verdict for verdict in verdicts if verdict.won]
    forgotten = [one for one in remembered if _lost(one) > rule.max_forgotten]
    told = tuple(_forgot(rule, one) for one in forgotten)
    reasons = tuple(reason for one in won or verdicts for reason in one.reasons)
    return Decision(bool(won) and not told, reasons + told)


def _lost(probe: Mapping[str, Any]) -> float:
    """Share of what the base scored that is gone, below 0 where there is more; 0 where it scored nothing."""
    base, after = float(probe["base"]), float(probe["after"])
    return round((base - after) / base, _DIGITS) if base > 0 else 0.0


def _forgot(rule: Champion, probe: Mapping[str, Any]) -> str:
    return (
        f"It forgot too much of {probe['probe']}: {probe['words']} was {probe['base']:.3g} without adapter "
        f"and is {probe['after']:.3g} with it, on {probe['rows']:,} rows. {_lost(probe):.0%} is lost, and "
        f"champion.max_forgotten allows {rule.max_forgotten:.0%}: mix such rows in, tune less, or allow more."
    )


def _judge(rule: Champion, found: Comparison) -> Decision:
    failed = _failures(rule, found)
    names = f"{found.b} against {found.a}"
    if failed:
        return Decision(False, tuple(f"{names}: {reason}." for reason in failed))
    facts = (
        f"{_points(found.difference)} points on {found.n:,} rows, "
        f"95 % interval {_points(found.low)} to {_points(found.high)}, p {found.p:.3g}"
    )
    return Decision(True, (f"{names}: {facts}; the rule is met.",))


def _failures(rule: Champion, found: Comparison) -> Sequence[str]:
    tests = [
        (
            found.n >= rule.min_rows,
            f"{found.n:,} rows were judged, champion.min_rows asks for {rule.min_rows:,}",
        ),
        (
            found.difference > 0 and found.difference >= rule.min_difference,
            f"the difference is {_points(found.difference)} points, {_asked(rule)}",
        ),
        (found.p <= rule.max_p, f"p is {found.p:.3g}, champion.max_p allows {rule.max_p:g}"),
        (
            found.low > 0,
            f"the 95 % interval of the difference, {_points(found.low)} to {_points(found.high)} points, "
            "does not lie above zero",
        ),
    ]
    return [words for passed, words in tests if not passed]


def _asked(rule: Champion) -> str:
    if not rule.min_difference:
        return "it has to be above zero"
    return f"champion.min_difference asks for {_points(rule.min_difference)}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"

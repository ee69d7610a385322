"""Gate: labels that their labeller was sure of.

How likely the tokens were that a labeller drew tells its own mistakes better than anything that was measured
beside it, and costs nothing where it is kept while writing. It is low for what is hard, too: the gate refuses
the same share of the hard and of the easy, see `strata`.
"""

import math
from collections.abc import Sequence

from blip_core.curation.figures import BOUND
from blip_core.curation.gate import Gate, Weighed, part, refuse
from blip_core.curation.strata import MIN_STRATUM, Bounds
from blip_core.errors import StageFailure
from blip_core.recipes.curation import Confidence
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE, LABEL_SCORE, Example, Rejection

_SCORES = {
    "description": (DESCRIPTION_SCORE,),
    "answer": (ANSWER_SCORE,),
    "both": (LABEL_SCORE, DESCRIPTION_SCORE, ANSWER_SCORE),
}


QUANTILE = "probability of a token of a label, quantile"
_PERCENTS = (1, 5, 10, 25, 50, 75, 90)  # finer where labels are doubtful


def confidence_of(row: Example, score: str) -> float | None:
    """How sure a row's labeller was, a token; None where it is not told.

    Of a label that has one part only, that part's is that of both.
    """
    return next((row.scores[name] for name in _SCORES[score] if name in row.scores), None)


def mean_confidence(rows: Sequence[Example]) -> dict[str, float]:
    """Probability of a token to the labeller, a geometric mean over tokens and rows, by where it stands.

    Empty where no row tells.
    """
    found: dict[str, float] = {}
    for words, name in (("descriptions", DESCRIPTION_SCORE), ("right answers", ANSWER_SCORE)):
        told = [row.scores[name] for row in rows if name in row.scores]
        if told:
            found[f"probability of a token of {words}"] = math.exp(sum(told) / len(told))
    return found


def confidence_figures(rows: Sequence[Example], settings: Confidence) -> dict[str, float]:
    """How sure labellers were, from the least sure label to the surest, and how many lie under the bound.

    Args:
        rows: that the gates keep.
        settings: of the gate, whether it is on or not: they say which text counts, and the bound.

    Returns:
        Probabilities of a token at quantiles of the labels, and a share of them; empty where no row tells.
    """
    told = [(row, score) for row in rows if (score := confidence_of(row, settings.score)) is not None]
    if not told:
        return {}
    ordered = sorted(score for _, score in told)
    quantiles = {
        f"{QUANTILE} {percent} %": math.exp(ordered[(len(ordered) - 1) * percent // 100])
        for percent in _PERCENTS
    }
    if settings.bound is not None:
        under = sum(score < settings.bound for score in ordered)
    else:
        bounds = Bounds(told, settings.refused_share, settings.strata)
        under = sum(score < bounds.of(row) for row, score in told)
    return {**quantiles, "labels under the bound of confidence": under / len(told)}


def check_confidence(rows: Sequence[Example], settings: Confidence) -> Weighed:
    """Refuse the least sure of each stratum, or those below a bound; rows of which nothing is told pass.

    Reason: `labeller-unsure`. Bounds stand among what was measured.

    Raises:
        StageFailure: There are enough rows to calibrate on, and of none it is told how sure its labeller was.
    """
    scores = {id(row): confidence_of(row, settings.score) for row in rows}
    told = [(row, score) for row in rows if (score := scores[id(row)]) is not None]
    if not told and len(rows) < MIN_STRATUM:
        return list(rows), [], {}, {}
    if not told:
        raise StageFailure(
            f"the gate confidence was given {len(rows)} rows, and of none of them it is known how sure its "
            "labeller was: a model that is loaded here tells it, and a server that tells log-probabilities; "
            "label anew with one of these, or take the gate second_judge (curation.second_judge)"
        )
    bounds = Bounds(told, settings.refused_share, settings.strata)

    def judge(row: Example) -> Rejection | None:
        score = scores[id(row)]
        bound = bounds.of(row) if settings.bound is None else settings.bound
        if score is None or score >= bound:
            return None
        detail = f"{score:.3f} a token for {settings.score}, at least {bound:.3f}: {row.description}"
        return refuse(row, "labeller-unsure", detail)

    measured = bounds.values if settings.bound is None else {}
    return *part(rows, judge), {}, {f"{BOUND}{name}": value for name, value in measured.items()}


GATE = Gate("confidence", "labels that their labeller was not sure of", Confidence, check_confidence)

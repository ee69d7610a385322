"""How many answers of a dataset are likely to be wrong, and where that stops it.

A fifth of wrong answers takes away all that tuning gains on the pocket world, a tenth next to nothing. Nobody
knows which rows they are, but how many there are can be estimated in three ways that do not see the truth:

- **confidence**: a labeller that gives its answers a probability of 0.9 is wrong in one of ten, as far as it
  is calibrated, so that one less its mean probability estimates its errors (average confidence, as in Garg et
  al. 2022, arXiv 2201.04234). A label's probability is that of its description and its right answer together,
  each by its mean log-probability a token. On the pocket world that lies between the share of wrong answers
  and that of rows with anything wrong: a description errs where nobody asks, too.
- **judge**: a second model that is right in a share `a` of all questions and errs independently agrees with a
  label in `a (1 - w) + (1 - a) w / (k - 1)` of the rows, where `w` of the labels are wrong and there are `k`
  options; solved for `w`, as Dawid and Skene (1979) would with one rater known. The gate keeps those that it
  agrees with, and of these `w (1 - a) / (k - 1)` over the agreement are wrong. Needs `a`, from an evaluation.
- **stuck answers**: a text that is right nearly whenever it is offered is what a labeller always says; what
  goes beyond its share of the options is wrong.
"""

import math
from collections.abc import Mapping, Sequence

from blip_core.curation.second_judge import AGREEMENT
from blip_core.curation.stuck_answers import stuck_texts
from blip_core.errors import DoubtfulDataset
from blip_core.recipes.curation import Alarm, StuckAnswers
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE, Example
from blip_core.texts import loose

CONFIDENCE, JUDGE, STUCK = "confidence", "judge", "stuck-answers"


def estimate_wrong(
    rows: Sequence[Example], measured: Mapping[str, Mapping[str, float]], settings: Alarm
) -> dict[str, float]:
    """Estimated share of wrong answers, 0 to 1, by each source that tells something.

    Args:
        rows: that the gates keep.
        measured: what the gates measured.
        settings: say how good the judge is, where that is known.
    """
    estimates = {STUCK: stuck_share(rows)} if any(row.answer for row in rows) else {}
    told = [chance for row in rows if (chance := _probability(row)) is not None]
    if told:
        estimates[CONFIDENCE] = 1.0 - sum(told) / len(told)
    agreement = measured.get("second_judge", {}).get(AGREEMENT)
    if agreement is not None and settings.judge_accuracy:
        estimates[JUDGE] = wrong_though_agreed(agreement, settings.judge_accuracy, _mean_options(rows))
    return dict(sorted(estimates.items()))


def _probability(row: Example) -> float | None:
    """Of a label to its labeller, see above; None where it does not tell."""
    told = [row.scores[name] for name in (DESCRIPTION_SCORE, ANSWER_SCORE) if name in row.scores]
    return math.exp(sum(told)) if told else None


def stuck_share(rows: Sequence[Example]) -> float:
    """Share of rows whose right answer is a text that a labeller is stuck on, beyond its share of options.

    Such texts are those that the gate `stuck_answers` finds, whether it is on or not.
    """
    lettered = [row for row in rows if row.answer]
    stuck = stuck_texts(lettered, StuckAnswers())
    beyond = 0.0
    for row in lettered if stuck else ():
        offered = sum(loose(option) in stuck for option in row.options[: row.offered])
        beyond += (loose(row.target) in stuck) - offered / row.offered
    return beyond / len(rows) if rows else 0.0


def wrong_though_agreed(agreement: float, accuracy: float, options: float) -> float:
    """Share of wrong labels among those that a judge agrees with, 0 to 1.

    Args:
        agreement: share of all labels that it agrees with.
        accuracy: share of questions that it answers rightly.
        options: of a question, on average; infinite where answers are free.
    """
    by_accident = (1.0 - accuracy) / (options - 1.0)  # that it gives the answer of a label that is wrong
    if accuracy <= by_accident or not agreement:
        return 0.0  # a judge that guesses tells nothing
    wrong = min(max((accuracy - agreement) / (accuracy - by_accident), 0.0), 1.0)
    return min(wrong * by_accident / agreement, 1.0)


def check_alarm(estimates: Mapping[str, float], settings: Alarm, name: str) -> None:
    """Stop where the estimated share of wrong answers is above the bound.

    Args:
        estimates: see `estimate_wrong`.
        settings: the bound, and which estimate counts.
        name: of the recipe.

    Raises:
        DoubtfulDataset: It is; the last version of the dataset stays as it is.
    """
    by: str = settings.by
    counted = {name: share for name, share in estimates.items() if by in ("largest", name)}
    if not settings.enabled or not counted:
        return
    source = max(counted, key=lambda one: counted[one])
    if counted[source] <= settings.max_wrong_share:
        return
    raise DoubtfulDataset(
        f"the new rows of {name} do not replace its last version: an estimated {counted[source]:.1%} of "
        f"their answers are wrong by {source}, and curation.alarm.max_wrong_share allows "
        f"{settings.max_wrong_share:.1%}; look at some of them, mend or change the labeller, refuse doubtful "
        "rows (curation.confidence or curation.second_judge), or raise the bound"
    )


def _mean_options(rows: Sequence[Example]) -> float:
    counts = [row.offered for row in rows if row.answer]
    return sum(counts) / len(counts) if counts else math.inf

"""A comparison to report: rows of every outcome, their answers, their scores and the page they make."""

from dataclasses import replace
from itertools import cycle, islice

from blip_core.records import LETTERS, Example, Prediction
from blip_core.reporting import (
    ChampionSummary,
    DatasetSummary,
    MlflowSummary,
    Report,
    StageSummary,
    Summary,
    from_scores,
    summarise_comparisons,
    summarise_variants,
)
from blip_core.scoring import compare_ablations, compare_pairs, score
from tests.unit.examples import example, png, world_pixels

VARIANTS = ("baseline", "flan-t5", "finetuned")
KINDS, CATEGORIES = ("count", "object", "time"), ("food", "nature", "travel", "casual")
OUTCOMES = ("right", "wrong", "gained", "lost")
PICTURES = 5  # that all rows share
SEEN = "three dogs on the beach"


def outcome_of(number: int) -> str:
    """What becomes of a row from flan-t5 to finetuned."""
    return OUTCOMES[number % len(OUTCOMES)]


def judged_rows(
    count: int = 40, variants=VARIANTS, **changes
) -> tuple[dict[str, list[Prediction]], list[Example]]:
    """Answers by variant, and the rows; `changes` join the fields of all answers."""
    pictures = list(islice(cycle(png(world_pixels(seed)) for seed in range(PICTURES)), count))
    examples = [
        replace(
            example(number),
            image=pictures[number],
            picture_id=f"picture-{number % PICTURES}",
            kind=KINDS[number % len(KINDS)],
            category=CATEGORIES[number % len(CATEGORIES)],
        )
        for number in range(count)
    ]
    answers = {
        name: [answer(row, name, _is_right(number, name), number) for number, row in enumerate(examples)]
        for name in variants
    }
    return {name: [replace(row, **changes) for row in rows] for name, rows in answers.items()}, examples


def answer(row: Example, variant: str, is_right: bool, number: int = 1) -> Prediction:
    """An answer; every seventh one is hardly sure."""
    right = LETTERS.index(row.answer)
    ranked = LETTERS[right if is_right else (right + 1) % len(LETTERS)]
    best, second = (0.3, 0.26) if number % 7 == 0 else (0.85, 0.05)
    chances = {letter: best if letter == ranked else second for letter in LETTERS}
    return Prediction(
        id=row.id,
        picture_id=row.picture_id,
        category=row.category,
        kind=row.kind,
        variant=variant,
        description=f"{SEEN}, {number}",
        **{f"p_{letter.lower()}": chance for letter, chance in chances.items()},
        ranked=ranked,
        generated=ranked,
        generated_letter=ranked,
        truth=row.answer,
    )


def scores_of(answers, ablations=None, is_free: bool = True) -> dict:
    """The scores that a run keeps of such answers."""
    ablations = ablations or {}
    return {
        "variants": {name: score(rows, is_free, ablations.get(name, ())) for name, rows in answers.items()},
        "comparisons": compare_pairs(answers, [("flan-t5", "finetuned")]),
        "ablation_comparisons": compare_ablations(
            answers, {name: [] for name in answers} | ablations, seed=0
        ),
        "candidates": [("flan-t5", "finetuned")],
    }


def report_of(answers, examples, scores=None, **changes) -> Report:
    """The page of such a run."""
    scores = scores or scores_of(answers)
    ladder = from_scores(scores)
    summary = Summary(
        dataset=DatasetSummary("/data/gallery", "d" * 64, {"train": 300}, {"duplicate": 3}),
        variants=summarise_variants(ladder),
        comparisons=summarise_comparisons(ladder),
        adapter=None,
        stages={"scenes": StageSummary(1.5, False)},
        mlflow=MlflowSummary("sqlite:////data/mlflow.db", "r1"),
        champion=ChampionSummary(False, ("Too few rows were judged.",)),
    )
    return Report("Gallery", summary, ladder, scores=scores, answers=answers, examples=examples, **changes)


def _is_right(number: int, variant: str) -> bool:
    if variant == "baseline":
        return number % 5 == 0
    is_tuned = variant == VARIANTS[-1]
    return outcome_of(number) in ("right", "gained" if is_tuned else "lost")

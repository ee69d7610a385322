"""What a tuning refuses to learn from, and the few rows that it does without."""

from collections.abc import Sequence

from blip_core.errors import EmptyDataset, StageFailure, TrainingFailure
from blip_core.records import OPTION_LETTERS, Example, Rejection, sum_up

MOST_QUARANTINED = 0.02
"""Share of the pictures that may be unreadable; with more, something is wrong with all of them."""

_SHOWN_IDS = 5


def check_examples(train: Sequence[Example], validation: Sequence[Example]) -> None:
    """Make sure that there is something to learn.

    Raises:
        EmptyDataset: There are no rows to train on.
        TrainingFailure: Rows have no answer, or all have the same letter for one.
    """
    if not train:
        raise EmptyDataset("no rows are left to train on; see the counts of rejected rows")
    unanswered = [example.id for example in (*train, *validation) if not _has_answer(example)]
    if unanswered:
        raise TrainingFailure(
            f"{len(unanswered)} rows have no answer to learn: {_named(unanswered)}; an answer is one of "
            "the letters of its options, for other tasks a text. Answer these rows or take them out"
        )
    letters = {example.answer for example in train}
    if len(letters) == 1 and all(example.task == "mcq" for example in train):
        raise TrainingFailure(
            f"the answer of all {len(train)} rows to train on is {letters.pop()}: a model would learn the "
            "letter and nothing else; shuffle the options, or bring more rows"
        )


def quarantine(examples: Sequence[Example], rejections: Sequence[Rejection]) -> list[Example]:
    """Leave out the examples whose picture was rejected, with all others of the same picture.

    Args:
        examples: all that was to be learnt, in their order.
        rejections: of pictures that cannot be read, named by an example's or a picture's id.

    Returns:
        The other examples, in their order.

    Raises:
        StageFailure: More than 2 % of the distinct pictures are rejected.
    """
    refused = {rejection.id for rejection in rejections}
    unreadable = {one.image for one in examples if one.id in refused or one.picture_id in refused}
    pictures = len({example.image for example in examples})
    if len(unreadable) > MOST_QUARANTINED * pictures:
        raise StageFailure(
            f"{len(unreadable)} of {pictures:,} pictures cannot be read, more than the "
            f"{MOST_QUARANTINED:.0%} that may be left out: {sum_up(rejections)}. "
            "Mend the pictures, or make the dataset anew"
        )
    return [example for example in examples if example.image not in unreadable]


def _has_answer(example: Example) -> bool:
    if example.task == "mcq":
        return example.answer in OPTION_LETTERS[: example.offered]
    return bool(example.target.strip())


def _named(ids: Sequence[str]) -> str:
    hidden = len(ids) - _SHOWN_IDS
    return ", ".join([*ids[:_SHOWN_IDS], f"{hidden} more"] if hidden > 0 else ids)

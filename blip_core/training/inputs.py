"""What a tuning refuses to learn from, and the few rows that it does without."""

from collections.abc import Sequence

from blip_core.errors import EmptyDataset, StageFailure, TrainingFailure
from blip_core.kinds import kind_of
from blip_core.records import Example, Rejection, sum_up

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
    unanswered = [row.id for row in (*train, *validation) if not kind_of(row.task).learnt(row)]
    if unanswered:
        raise TrainingFailure(
            f"{len(unanswered)} rows have no answer to learn: {_named(unanswered)}; an answer is one of "
            "the letters of its options, for other tasks a text. Answer these rows or take them out"
        )
    tasks = {example.task for example in train}
    why = kind_of(tasks.pop()).nothing_to_learn(train) if len(tasks) == 1 else ""
    if why:
        raise TrainingFailure(why)


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


def _named(ids: Sequence[str]) -> str:
    hidden = len(ids) - _SHOWN_IDS
    return ", ".join([*ids[:_SHOWN_IDS], f"{hidden} more"] if hidden > 0 else ids)

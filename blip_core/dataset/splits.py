"""Splits by a hash of the group: a row's split depends on nothing that is added later."""

import hashlib
from collections.abc import Iterable, Mapping

from blip_core.records import Example, Split

_HASH_BYTES = 8


Fold = tuple[int, int]
"""A fold, from 0, and how many folds there are."""


def split_of(group: str, validation_share: float, test_share: float, fold: Fold | None = None) -> Split:
    """Split of a group, by the sha256 of its name; the shares hold in the long run, not exactly.

    With a fold, test holds that fold of what is not validation, whatever `test_share`. Validation is the same
    for all folds, so that every other group is held out once.
    """
    digest = hashlib.sha256(group.encode()).digest()
    draw = int.from_bytes(digest[:_HASH_BYTES], "big") / 2 ** (8 * _HASH_BYTES)
    if fold is not None:
        place, folds = fold
        if draw < validation_share:
            return "validation"
        own = int.from_bytes(digest[_HASH_BYTES : 2 * _HASH_BYTES], "big") % folds
        return "test" if own == place else "train"
    if draw < test_share:
        return "test"
    return "validation" if draw < test_share + validation_share else "train"


def assign_splits(
    examples: Iterable[Example],
    validation_share: float,
    test_share: float,
    near: Mapping[str, tuple[str, ...]],
    fold: Fold | None = None,
) -> dict[str, Split]:
    """Assign every row to a split: its group's, or that of the groups it is tied to.

    Args:
        examples: rows in any order.
        validation_share: share of groups, 0 to 1.
        test_share: share of groups, 0 to 1.
        fold: see `split_of`.
        near: row id -> groups whose pictures look like the row's, see `curation.near_duplicates`.

    Returns:
        Row id -> split. A row that is tied to groups of different splits would bridge them: it is absent.
    """
    splits: dict[str, Split] = {}
    for example in examples:
        groups = near.get(example.id, (example.group,))
        found = {split_of(group, validation_share, test_share, fold) for group in groups}
        if len(found) == 1:
            splits[example.id] = found.pop()
    return splits

"""Splits by a hash of the group: a row's split depends on nothing that is added later."""

import hashlib
from collections.abc import Iterable, Mapping

from blip_core.records import Example, Split

_HASH_BYTES = 8


def split_of(group: str, validation_share: float, test_share: float) -> Split:
    """Split of a group, by the sha256 of its name; the shares hold in the long run, not exactly."""
    digest = hashlib.sha256(group.encode()).digest()[:_HASH_BYTES]
    draw = int.from_bytes(digest, "big") / 2 ** (8 * _HASH_BYTES)
    if draw < test_share:
        return "test"
    return "validation" if draw < test_share + validation_share else "train"


def assign_splits(
    examples: Iterable[Example],
    validation_share: float,
    test_share: float,
    near: Mapping[str, tuple[str, ...]],
) -> dict[str, Split]:
    """Assign every row to a split: its group's, or that of the groups it is tied to.

    Args:
        examples: rows in any order.
        validation_share: share of groups, 0 to 1.
        test_share: share of groups, 0 to 1.
        near: row id -> groups whose pictures look like the row's, see `curation.near_duplicates`.

    Returns:
        Row id -> split. A row that is tied to groups of different splits would bridge them: it is absent.
    """
    splits: dict[str, Split] = {}
    for example in examples:
        groups = near.get(example.id, (example.group,))
        found = {split_of(group, validation_share, test_share) for group in groups}
        if len(found) == 1:
            splits[example.id] = found.pop()
    return splits

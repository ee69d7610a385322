"""Gate: scenes that say nearly the same as an older one.

Likely twins are found by MinHash (Broder 1997; datasketch makes the sketches) and locality-sensitive hashing
in bands, and are then compared exactly. Rows of one scene are no duplicates of each other. Rows are taken
oldest first, and a row's fate depends on older rows alone.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.row_texts import shown
from blip_core.recipes.curation import SceneDuplicates
from blip_core.records import Example, Rejection
from blip_core.texts import loose

_SHINGLE_CHARACTERS = 5  # for short texts: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.2
_BANDS = 16
_ROWS = 8  # of a band: two scenes of similarity 0.8 meet in some band with 0.95, of 0.9 with 0.9999


def refuse_alike_scenes(rows: Sequence[Example], settings: SceneDuplicates) -> Kept:
    """Refuse rows whose scene is nearly that of an older row of another group.

    Reason: `near-duplicate-scene`.
    """
    first: dict[str, Example] = {}  # group -> the row that brings its scene
    for row in rows:
        if row.scene.strip():
            first.setdefault(row.group, row)
    twins = _twins(list(first.values()), settings.min_similarity)

    def judge(row: Example) -> Rejection | None:
        twin = twins.get(row.group) if row.scene.strip() else None
        if twin is None:
            return None
        detail = f"{shown(row.scene)} is nearly {shown(twin.scene)} of {twin.id}"
        return refuse(row, "near-duplicate-scene", detail)

    return part(rows, judge)


def _twins(rows: Sequence[Example], min_similarity: float) -> dict[str, Example]:
    """By group: the oldest row whose scene is nearly the group's own; groups without one are absent."""
    by_text: dict[str, Example] = {}
    for row in rows:
        by_text.setdefault(loose(row.scene), row)
    texts = list(by_text)
    like = dict(zip(texts, _older_likes(texts, min_similarity), strict=True))
    found: dict[str, Example] = {}
    for row in rows:
        text = loose(row.scene)
        older = like[text] or text
        if by_text[older] is not row:
            found[row.group] = by_text[older]
    return found


def _older_likes(texts: Sequence[str], min_similarity: float) -> Iterator[str | None]:
    """Of each text the oldest one before it that is nearly the same and is like no older one itself."""
    buckets = _buckets(texts)
    founders: dict[int, list[int]] = defaultdict(list)  # bucket -> places of texts that are like no older one
    for place, text in enumerate(texts):
        own = [int(bucket) for bucket in buckets[place] if bucket >= 0]
        likely = sorted({other for bucket in own for other in founders[bucket]})
        shingles = _shingles(text) if likely else frozenset()
        near = (one for one in likely if _similarity(shingles, _shingles(texts[one])) >= min_similarity)
        twin = next(near, None)
        if twin is None:
            for bucket in own:
                founders[bucket].append(place)
        yield None if twin is None else texts[twin]


def _buckets(texts: Sequence[str]) -> NDArray[np.int64]:
    """The bucket of each text in each band; -1 where it is alone there.

    Returns:
        (texts, bands); no two bands share a bucket.
    """
    sketches = _sketches(texts)
    buckets = np.full((len(texts), _BANDS), -1, dtype=np.int64)
    for band in range(_BANDS):
        part_of_sketch = np.ascontiguousarray(sketches[:, band * _ROWS : (band + 1) * _ROWS])
        keys = part_of_sketch.view(np.dtype((np.void, part_of_sketch.dtype.itemsize * _ROWS))).ravel()
        _, bucket, count = np.unique(keys, return_inverse=True, return_counts=True)
        shared = count[bucket] > 1
        buckets[shared, band] = bucket[shared] + band * len(texts)
    return buckets


def _sketches(texts: Sequence[str]) -> NDArray[np.uint32]:
    """(texts, bands * rows of a band)."""
    from datasketch import MinHash  # brings scipy's integration: slow to import

    sketches = np.zeros((len(texts), _BANDS * _ROWS), dtype=np.uint32)
    blank = MinHash(_BANDS * _ROWS)
    for place, text in enumerate(texts):
        sketch = blank.copy()
        sketch.update_batch([shingle.encode() for shingle in _shingles(text)])
        sketches[place] = sketch.hashvalues
    return sketches


def _shingles(text: str) -> frozenset[str]:
    last = max(1, len(text) - _SHINGLE_CHARACTERS + 1)
    return frozenset(text[at : at + _SHINGLE_CHARACTERS] for at in range(last))


def _similarity(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


GATE = Gate(
    "scene_duplicates",
    "scenes that say nearly the same as an older one",
    SceneDuplicates,
    refuse_alike_scenes,
)

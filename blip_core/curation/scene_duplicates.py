"""Gate: scenes that say nearly the same as an older one.

Likely twins are found by MinHash and locality-sensitive hashing (datasketch; Broder 1997) and then compared
exactly. Rows of one scene are no duplicates of each other. Rows are taken oldest first, and a row's fate
depends on older rows alone.
"""

from collections.abc import Sequence
from typing import Any

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.row_texts import shown
from blip_core.recipes.curation import SceneDuplicates
from blip_core.records import Example, Rejection
from blip_core.texts import loose

_SHINGLE_CHARACTERS = 5  # for short texts: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.2
_PERMUTATIONS = 128
_MISSES_MATTER = (0.1, 0.9)  # weights of false positives, which are compared and cost little, and of misses


def refuse_alike_scenes(rows: Sequence[Example], settings: SceneDuplicates) -> Kept:
    """Refuse rows whose scene is nearly that of an older row of another group.

    Reason: `near-duplicate-scene`.
    """
    seen = _Scenes(settings.min_similarity)

    def judge(row: Example) -> Rejection | None:
        if not row.scene.strip():
            return None
        twin = seen.twin_of(row)
        if twin is None:
            return None
        return refuse(
            row, "near-duplicate-scene", f"{shown(row.scene)} is nearly {shown(twin.scene)} of {twin.id}"
        )

    return part(rows, judge)


class _Scenes:
    """Scenes by what they say, each with the first row that it was of."""

    def __init__(self, min_similarity: float) -> None:
        from datasketch import MinHashLSH  # brings scipy's integration: slow to import

        self._min_similarity = min_similarity
        self._index = MinHashLSH(min_similarity, _PERMUTATIONS, weights=_MISSES_MATTER)
        self._first: dict[str, Example] = {}
        self._of_group: dict[str, Example | None] = {}

    def twin_of(self, row: Example) -> Example | None:
        """The oldest row that says nearly the same scene; where there is none the row is remembered.

        What holds of one row of a group holds of all.
        """
        if row.group not in self._of_group:
            self._of_group[row.group] = self._place(row)
        return self._of_group[row.group]

    def _place(self, row: Example) -> Example | None:
        text = loose(row.scene)
        if text in self._first:
            return self._first[text]
        own = _shingles(text)
        sketch = _sketch(own)
        likely = sorted(self._index.query(sketch), key=lambda other: self._first[other].id)
        twin = next((one for one in likely if _similarity(own, _shingles(one)) >= self._min_similarity), None)
        if twin is not None:
            return self._first[twin]
        self._first[text] = row
        self._index.insert(text, sketch, check_duplication=False)
        return None


def _shingles(text: str) -> frozenset[str]:
    last = max(1, len(text) - _SHINGLE_CHARACTERS + 1)
    return frozenset(text[at : at + _SHINGLE_CHARACTERS] for at in range(last))


def _similarity(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _sketch(shingles: frozenset[str]) -> Any:
    from datasketch import MinHash

    sketch = MinHash(_PERMUTATIONS)
    sketch.update_batch([shingle.encode() for shingle in shingles])
    return sketch


GATE = Gate(
    "scene_duplicates",
    "scenes that say nearly the same as an older one",
    SceneDuplicates,
    refuse_alike_scenes,
)

"""Whether a text names what a picture shows, attribute by attribute, and keeps silent where it shows none.

A measure of each kind is made for every attribute that the judged rows tell of. An attribute's words are
those that some row has, so that a text which lists all of them names none; a row may have several, parted by
commas, and all of them must be named.
"""

from collections.abc import Callable, Iterable, Sequence

from blip_core.records import Prediction
from blip_core.scoring.measures.measure import Answer, Measure, Values
from blip_core.scoring.measures.naming import foreign, listed, told

NAMED, SILENT = "named-", "silent-"
_TEXTS = frozenset({"caption", "vqa"})
_Judge = Callable[[str, str, Sequence[str]], float | None]  # text, right words, all words


def attribute_measure(name: str) -> Measure | None:
    """The measure of that name, where it is one by attribute: `named-color`, `silent-color`."""
    if name == _ALL_RIGHT.name:
        return _ALL_RIGHT
    for start, judge, words in _KINDS:
        attribute = name.removeprefix(start)
        if attribute not in (name, ""):
            return Measure(name, words.format(attribute), _values(attribute, judge), _TEXTS)
    return None


def attribute_measures(rows: Iterable[Prediction]) -> tuple[Measure, ...]:
    """The measures of all attributes that rows tell of."""
    names = dict.fromkeys(name for row in rows for name in row.attributes)
    made = (attribute_measure(f"{start}{name}") for name in names for start, _, _ in _KINDS)
    return (*(one for one in made if one), *([_ALL_RIGHT] if names else []))


def all_right(answers: Sequence[Answer]) -> list[float | None]:
    """1 where a text names every attribute of its row and is silent of those that it has not.

    None for a row without attributes.
    """
    names = dict.fromkeys(name for one in answers for name in one.row.attributes)
    judged = [_values(name, judge)(answers) for name in names for _, judge, _ in _KINDS]
    rows: Iterable[Sequence[float | None]] = zip(*judged, strict=True) if judged else [()] * len(answers)
    return [min(known) if (known := [one for one in row if one is not None]) else None for row in rows]


def _named(text: str, right: str, every: Sequence[str]) -> float | None:
    """1 where the right words are said and no other; None for a row without one."""
    own = set(listed(right))
    if not own:
        return None
    said = told(text, every)
    return float(own <= said and not foreign(said, own))


def _silent(text: str, right: str, every: Sequence[str]) -> float | None:
    """1 where no word of the attribute is said; None for a row that has one."""
    return None if right else float(not told(text, every))


_KINDS: tuple[tuple[str, _Judge, str], ...] = (
    (NAMED, _named, "share of texts that name the right {} and no other"),
    (SILENT, _silent, "share of texts that name no {} where there is none"),
)


def _values(attribute: str, judge: _Judge) -> Values:
    def values(answers: Sequence[Answer]) -> list[float | None]:
        known = [one.row.attributes.get(attribute) for one in answers]
        every = sorted({word for words in known if words for word in listed(words)})
        return [
            None if right is None else judge(one.text, right, every)
            for one, right in zip(answers, known, strict=True)
        ]

    return values


_ALL_RIGHT = Measure("all-attributes", "share of texts that are right in every attribute", all_right, _TEXTS)

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
    for start, judge, words in _KINDS:
        attribute = name.removeprefix(start)
        if attribute not in (name, ""):
            return Measure(name, words.format(attribute), _values(attribute, judge), _TEXTS)
    return None


def attribute_measures(rows: Iterable[Prediction]) -> tuple[Measure, ...]:
    """The measures of all attributes that rows tell of."""
    names = dict.fromkeys(name for row in rows for name in row.attributes)
    made = (attribute_measure(f"{start}{name}") for name in names for start, _, _ in _KINDS)
    return tuple(one for one in made if one)


def attribute_of(measure: str) -> str:
    """The attribute that a measure of that name is about; empty for none."""
    found = (measure.removeprefix(start) for start in (NAMED, SILENT) if measure.startswith(start))
    return next(found, "")


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

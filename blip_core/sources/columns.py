"""Which column of a table is what: told by the person who hands it in, or guessed from common names."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields

from blip_core.errors import TableError
from blip_core.records import LETTERS, OPTION_LETTERS

OPTION_FIELDS = tuple(letter.lower() for letter in OPTION_LETTERS)
PICTURE_FIELDS = ("image",)
CHOICE_FIELDS = ("image", "question", "a", "b")
"""What a table of questions with options cannot do without; every other field may be absent."""
ANSWERED_FIELDS = (*CHOICE_FIELDS, "answer")
"""What such a table cannot do without where it teaches or judges."""

MAX_NAME_CHARACTERS = 80  # of a column's name, as messages show it
MAX_NAMES_SHOWN = 40

_KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "questionid", "qid", "rowid", "exampleid", "sampleid", "itemid", "uid", "index", "idx"),
    "image": (
        *("image", "imagepath", "imagefile", "imagefilename", "imagename", "img", "imgpath", "pic"),
        *("picture", "picturepath", "picturefile", "photo", "photopath", "photofile"),
        *("file", "filename", "filepath", "path"),
    ),
    "question": ("question", "questiontext", "prompt", "query"),
    "answer": (
        *("answer", "answerletter", "answerkey", "answerindex", "answeridx", "correctanswer"),
        *("correct", "correctoption", "label", "target", "groundtruth", "gt", "truth"),
    ),
    "description": ("description",),
    "category": ("category",),
    "kind": ("kind",),
    "group": ("group",),
}
_ELEVENTH = "k"  # one has to know of it to refuse rows that have it
_PLACES = (*OPTION_FIELDS, _ELEVENTH)
_FIRST_PLACES = OPTION_FIELDS[: len(LETTERS)]  # those that tell a family; the places behind them are seldom
_STEMS = ("option", "opt", "choice", "answer")
_OPTION_FAMILIES: tuple[tuple[str, ...], ...] = (
    _PLACES,
    *(tuple(stem + letter for letter in _PLACES) for stem in _STEMS),
    *(tuple(f"{stem}{place + 1}" for place in range(len(_PLACES))) for stem in _STEMS),
    *(tuple(f"{stem}{place}" for place in range(len(_PLACES))) for stem in _STEMS),
)
_ALIKE = 0.8  # share of characters in common that makes a column a misspelt option rather than another thing


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field, by its very name in the table; empty where there is none.

    `description` is what stage one is taught, `category` and `kind` are what scores are broken down by,
    `group` is the unit of splitting (a picture, where there is none); a row with an option `k` is refused.
    """

    id: str = ""
    image: str = ""
    question: str = ""
    a: str = ""
    b: str = ""
    c: str = ""
    d: str = ""
    e: str = ""
    f: str = ""
    g: str = ""
    h: str = ""
    i: str = ""
    j: str = ""
    k: str = ""
    answer: str = ""
    description: str = ""
    category: str = ""
    kind: str = ""
    group: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """In the order of their letters; four places at least, none after the last option's."""
        names = [getattr(self, field) for field in OPTION_FIELDS]
        used = max((place for place, name in enumerate(names, start=1) if name), default=0)
        return tuple(names[: max(used, len(LETTERS))])

    @property
    def has_options(self) -> bool:
        return any(self.options)

    def describe(self) -> str:
        """One line for people: `image=file_name, question=prompt, A=option_a, ...`."""
        told = ((_shown_field(field), getattr(self, field)) for field in FIELDS)
        return ", ".join(f"{field}={_shortened(name)}" for field, name in told if name)


FIELDS = tuple(field.name for field in fields(Columns) if field.name != _ELEVENTH)
"""What a column may be said to be."""


def guess_columns(
    names: Sequence[str], given: Mapping[str, str], needs: Sequence[str] = CHOICE_FIELDS
) -> Columns:
    """Find the column of each field: the one that is given, or one of a common name in any case.

    A column that bears the field's own name is preferred to other names of it. Options are found as a
    family of two to ten (`a` to `d`, `option_a` to `option_j`, `choice1` to `choice5`, ...), never mixed.

    Args:
        names: of the table's columns.
        given: field -> column, as somebody says it; a field given as "" has no column.
        needs: fields that must be found.

    Raises:
        TableError: A field has no column, or more than one that could be it, or what is given does not fit;
            the message tells all of it, what was found, and how to map.
    """
    wanted, problems = _given_columns(names, given)
    free = [name for name in names if name not in wanted.values()]
    found = dict(wanted)
    for field in FIELDS:
        if field in wanted or field in _PLACES:
            continue
        found[field] = _settle(field, _candidates(free, _KNOWN_AS[field]), field, problems)
    found |= _guess_options(free, wanted, needs, problems)
    problems += [
        f"there is no column for {_shown_field(field)}"
        for field in needs
        if not found.get(field) and not given.get(field)
    ]
    problems += [
        f"the column {_shortened(name)} comes {names.count(name)} times"
        for name in dict.fromkeys(found.values())
        if names.count(name) > 1
    ]
    if problems:
        raise TableError(_advice(problems, names))
    return Columns(**found)


def _given_columns(names: Sequence[str], given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    wanted: dict[str, str] = {}
    problems: list[str] = []
    for said, name in given.items():
        field = said.strip().lower()
        if field not in (*FIELDS, _ELEVENTH):
            problems.append(f"{_shortened(said)} is no field; allowed: {_fields_told()}")
            continue
        column = _by_name(names, name) if name else ""
        if column is None:
            problems.append(f"{_shown_field(field)} is said to be {_shortened(name)}, but there is none")
        elif column and column in wanted.values():
            problems.append(f"the column {_shortened(column)} is given for more than one field")
        wanted[field] = column or ""
    return wanted, problems


def _by_name(names: Sequence[str], name: str) -> str | None:
    """The column of that name; of that name in another case, where only one is."""
    if name in names:
        return name
    alike = [column for column in names if column.strip().casefold() == name.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def _plain(name: str) -> str:
    """A name without what differs from table to table: case, spaces, underscores, punctuation."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _candidates(names: Sequence[str], known_as: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if _plain(name) in known_as]


def _settle(field: str, found: Sequence[str], own_name: str, problems: list[str]) -> str:
    """The only column found, or the only one that bears the field's own name."""
    named = [name for name in found if _plain(name) == own_name] or found
    if len(named) > 1:
        problems.append(f"{_shown_field(field)} could be {' or '.join(map(_shortened, named))}")
    return named[0] if named else ""


def _guess_options(
    names: Sequence[str], wanted: Mapping[str, str], needs: Sequence[str], problems: list[str]
) -> dict[str, str]:
    """The options that nobody gave, from one family of names; `a` to `d` themselves are preferred."""
    first = [place for place, field in enumerate(_FIRST_PLACES) if field not in wanted]
    plain = {_plain(name) for name in names}
    counts = {family: sum(family[place] in plain for place in first) for family in _OPTION_FAMILIES}
    most = max(counts.values())
    if most < len(first) and not set(_FIRST_PLACES) & set(needs):
        return {}  # single letters by chance
    places = [place for place, field in enumerate(_PLACES) if field not in wanted]
    families = _widest(
        {
            family: {family[place] for place in places} & plain
            for family, count in counts.items()
            if count == most > 0 and family[first[0]] in plain
        }
    )
    if not families:
        return {}
    family = families[0]
    if len(families) > 1 and family != _PLACES:
        problems.append(f"the options could be {' or '.join(_span(one, plain) for one in families)}")
    found = {
        _PLACES[place]: _settle(_PLACES[place], _candidates(names, (family[place],)), "", problems)
        for place in places
    }
    if family == _PLACES:
        found = _without_strays(found, wanted)
    problems += _gaps(names, found, wanted, family)
    return found


def _widest(held: Mapping[tuple[str, ...], set[str]]) -> list[tuple[str, ...]]:
    """The families but those all of whose columns another one holds, too: of `option0` to `option4`, the one
    that starts at 1.
    """
    return [family for family, own in held.items() if not any(own < other for other in held.values())]


def _without_strays(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Leave out letters beyond D that stand apart: two or more letters before them have no column.

    A column `i` beside `a` to `d` counts something more often than it holds a ninth option.
    """
    held = [bool(wanted.get(field) or found.get(field)) for field in _PLACES]
    ends = (place for place in range(2, len(held) - 1) if not (held[place] or held[place + 1]))
    kept = _PLACES[: max(next(ends, len(held)), len(_FIRST_PLACES))]
    return {field: name if field in kept else "" for field, name in found.items()}


def _gaps(
    names: Sequence[str], found: Mapping[str, str], wanted: Mapping[str, str], family: Sequence[str]
) -> list[str]:
    """Options that a table seems to have, but under a name that nobody knows, or not at all."""
    free = [name for name in names if name not in found.values()]
    problems = []
    for place, field in enumerate(_PLACES):
        if found.get(field, field) or field in CHOICE_FIELDS:
            continue
        goes_on = any(found.get(later) or wanted.get(later) for later in _PLACES[place + 1 :])
        if not goes_on and field not in _FIRST_PLACES:
            break  # a table ends where it ends; a name like that of a fifth option may be anything
        near = difflib.get_close_matches(family[place], [_plain(name) for name in free], 1, _ALIKE)
        if near or goes_on:
            hint = f"; is it {_shortened(next(n for n in free if _plain(n) == near[0]))}?" if near else ""
            problems.append(f"there is no column for {_shown_field(field)}{hint}")
    return problems


def _span(family: Sequence[str], plain: Collection[str]) -> str:
    used = max(place for place, name in enumerate(family) if name in plain)
    return f"{family[0]} to {family[max(used, len(_FIRST_PLACES) - 1)]}"


def _advice(problems: Sequence[str], names: Sequence[str]) -> str:
    shown = [_shortened(name) for name in names[:MAX_NAMES_SHOWN]]
    more = [f"and {len(names) - MAX_NAMES_SHOWN} more"] if len(names) > MAX_NAMES_SHOWN else []
    return (
        f"{'; '.join(problems)}. Columns found: {', '.join([*shown, *more]) or 'none'}. Say which is which: "
        '--column image=NAME on the command line, or image = "NAME" below [evaluation.columns] or '
        "[source.columns] in a recipe"
    )


def _shown_field(field: str) -> str:
    return field.upper() if field in _PLACES else field


def _fields_told() -> str:
    others = [field for field in FIELDS if field not in OPTION_FIELDS]
    place = FIELDS.index(OPTION_FIELDS[0])
    return ", ".join([*others[:place], f"{OPTION_FIELDS[0]} to {OPTION_FIELDS[-1]}", *others[place:]])


def _shortened(name: str) -> str:
    return repr(name) if len(name) <= MAX_NAME_CHARACTERS else repr(name[:MAX_NAME_CHARACTERS] + "...")

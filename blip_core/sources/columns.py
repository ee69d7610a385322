"""Which column of a table is what: told by the person who hands it in, or guessed from common names."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from blip_core.errors import TableError
from blip_core.records import LETTERS

OPTION_FIELDS = ("a", "b", "c", "d")
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
# Four options, and the fifth, of which one has to know to refuse rows that have it.
_OPTION_FAMILIES: tuple[tuple[str, ...], ...] = (
    (*OPTION_FIELDS, "e"),
    *(tuple(stem + letter for letter in "abcde") for stem in ("option", "opt", "choice", "answer")),
    *(tuple(stem + number for number in "12345") for stem in ("option", "opt", "choice", "answer")),
    *(tuple(stem + number for number in "01234") for stem in ("option", "opt", "choice", "answer")),
)
_ALIKE = 0.8  # share of characters in common that makes a column a misspelt option rather than another thing


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field, by its very name in the table; empty where there is none.

    `description` is what stage one is taught, `category` and `kind` are what scores are broken down by,
    `group` is the unit of splitting (a picture, where there is none); a row with an option `e` is refused.
    """

    id: str = ""
    image: str = ""
    question: str = ""
    a: str = ""
    b: str = ""
    c: str = ""
    d: str = ""
    e: str = ""
    answer: str = ""
    description: str = ""
    category: str = ""
    kind: str = ""
    group: str = ""

    @property
    def options(self) -> tuple[str, str, str, str]:
        return self.a, self.b, self.c, self.d

    @property
    def has_options(self) -> bool:
        return any(self.options)

    def describe(self) -> str:
        """One line for people: `image=file_name, question=prompt, A=option_a, ...`."""
        told = ((_shown_field(field), getattr(self, field)) for field in FIELDS)
        return ", ".join(f"{field}={_shortened(name)}" for field, name in told if name)


FIELDS = tuple(field.name for field in fields(Columns))


def guess_columns(
    names: Sequence[str], given: Mapping[str, str], needs: Sequence[str] = CHOICE_FIELDS
) -> Columns:
    """Find the column of each field: the one that is given, or one of a common name in any case.

    A column that bears the field's own name is preferred to other names of it. Options are found as a
    family of four (`a` to `d`, `option_a` to `option_d`, `choice1` to `choice4`, ...), never mixed.

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
        if field in wanted or field in _OPTION_FAMILIES[0]:
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
        if field not in FIELDS:
            problems.append(f"{_shortened(said)} is no field; allowed: {', '.join(FIELDS)}")
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
    places = [place for place, field in enumerate(OPTION_FIELDS) if field not in wanted]
    plain = {_plain(name) for name in names}
    held = {family: sum(family[place] in plain for place in places) for family in _OPTION_FAMILIES}
    most = max(held.values())
    if most < len(places) and not set(OPTION_FIELDS) & set(needs):
        return {}  # single letters by chance
    first = places[0] if places else 0
    families = [one for one, count in held.items() if count == most > 0 and one[first] in plain]
    if len(families) > 1 and families[0] != _OPTION_FAMILIES[0]:
        problems.append(f"the options could be {' or '.join(_span(family) for family in families)}")
    fifth = () if "e" in wanted else (len(OPTION_FIELDS),)
    found = {
        _OPTION_FAMILIES[0][place]: _settle(
            _OPTION_FAMILIES[0][place], _candidates(names, (family[place],)), "", problems
        )
        for family in families[:1]
        for place in (*places, *fifth)
    }
    problems += _gaps(names, found, families[:1])
    return found


def _gaps(names: Sequence[str], found: Mapping[str, str], families: Sequence[Sequence[str]]) -> list[str]:
    """Options that a table of fewer than four seems to have, but under a name that nobody knows."""
    free = [name for name in names if name not in found.values()]
    problems = []
    for family in families:
        for place, field in enumerate(OPTION_FIELDS):
            if found.get(field, field) or field in CHOICE_FIELDS:
                continue
            near = difflib.get_close_matches(family[place], [_plain(name) for name in free], 1, _ALIKE)
            if near or any(found.get(later) for later in OPTION_FIELDS[place + 1 :]):
                hint = f"; is it {_shortened(next(n for n in free if _plain(n) == near[0]))}?" if near else ""
                problems.append(f"there is no column for {_shown_field(field)}{hint}")
    return problems


def _span(family: Sequence[str]) -> str:
    return f"{family[0]} to {family[len(OPTION_FIELDS) - 1]}"


def _advice(problems: Sequence[str], names: Sequence[str]) -> str:
    shown = [_shortened(name) for name in names[:MAX_NAMES_SHOWN]]
    more = [f"and {len(names) - MAX_NAMES_SHOWN} more"] if len(names) > MAX_NAMES_SHOWN else []
    return (
        f"{'; '.join(problems)}. Columns found: {', '.join([*shown, *more]) or 'none'}. Say which is which: "
        '--column image=NAME on the command line, or image = "NAME" below [evaluation.columns] or '
        "[source.columns] in a recipe"
    )


def _shown_field(field: str) -> str:
    return field.upper() if field.upper() in LETTERS else field


def _shortened(name: str) -> str:
    return repr(name) if len(name) <= MAX_NAME_CHARACTERS else repr(name[:MAX_NAME_CHARACTERS] + "...")

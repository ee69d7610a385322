"""Which column of a table is what: told by the person who hands it in, or guessed from common names."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields

from blip_core.errors import TableError
from blip_core.kinds import KINDS, kind_of
from blip_core.recipes.columns import ATTRIBUTE
from blip_core.records import LETTERS, OPTION_LETTERS, WITH_OPTIONS
from blip_core.texts import loose

OPTION_FIELDS = tuple(letter.lower() for letter in OPTION_LETTERS)
PICTURE_FIELDS = ("image",)
CHOICE_FIELDS = ("image", "question", "a", "b")
"""What a table of questions with options cannot do without; every other field may be absent."""
ANSWERED_FIELDS = (*CHOICE_FIELDS, "answer")
"""What such a table cannot do without where it teaches or judges."""

PASSED_OVER = frozenset({"caption"})
"""What is not looked for in a table of questions."""

MAX_NAME_CHARACTERS = 80  # of a column's name, as messages show it
MAX_NAMES_SHOWN = 40

_KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "id": (
        *("id", "questionid", "qid", "rowid", "exampleid", "sampleid", "itemid", "uid", "index", "idx"),
        *("번호", "순번", "문항번호", "番号", "問題番号", "编号", "編號", "序号", "序號"),
    ),
    "image": (
        *("image", "imagepath", "imagefile", "imagefilename", "imagename", "img", "imgpath", "pic"),
        *("picture", "picturepath", "picturefile", "photo", "photopath", "photofile"),
        *("file", "filename", "filepath", "path"),
        *(
            "이미지",
            "사진",
            "그림",
            "이미지파일",
            "파일명",
            "画像",
            "写真",
            "画像ファイル",
            "图片",
            "圖片",
            "图像",
        ),
    ),
    "question": (
        *("question", "questiontext", "prompt", "query"),
        *("질문", "문제", "문항", "質問", "問題", "設問", "问题", "题目", "題目", "問題文"),
    ),
    "options": (
        *("options", "choices", "candidates", "answers", "optionlist", "choicelist", "optionslist"),
        *("answerchoices", "answeroptions", "multiplechoiceoptions", "multiplechoices", "mcoptions"),
        *("보기", "선택지", "選択肢", "选项", "選項"),
    ),
    "answer": (
        *("answer", "answerletter", "answerkey", "answerindex", "answeridx", "correctanswer"),
        *("correct", "correctoption", "label", "target", "groundtruth", "gt", "truth"),
        *("정답", "답", "正解", "答え", "解答", "答案", "正确答案", "正確答案"),
    ),
    "context": (
        *("context", "hint", "passage", "contexttext", "passagetext"),
        *("지문", "힌트", "文脈", "本文", "ヒント", "上下文", "提示"),
    ),
    "description": ("description", "설명", "説明", "描述"),
    "caption": (
        *("caption", "captions", "captiontext", "imagecaption", "text", "texts", "sentence", "sentences"),
        *("캡션", "キャプション", "图注", "圖說"),
    ),
    "category": ("category", "분류", "범주", "カテゴリ", "分類", "类别", "類別", "分类"),
    "kind": ("kind",),
    "group": ("group",),
}
_SECOND_BEST: Mapping[str, tuple[str, ...]] = {
    "image": ("images", "imageid", "imgid"),
    "answer": (
        *(
            "correctchoice",
            "correctchoiceidx",
            "correctchoiceindex",
            "correctoptionidx",
            "correctoptionindex",
        ),
        *("correctanswerindex", "correctansweridx", "correctanswerletter", "correctidx", "correctindex"),
        *("correctletter", "rightanswer", "answerid", "answertext", "multiplechoiceanswer"),
        *("ans", "correctans", "rightoption", "correctanswertext", "trueanswer"),
        *("gold", "goldanswer", "goldlabel", "goldidx", "gtanswer", "gtidx"),
    ),
    "caption": (
        *("description", "설명", "説明", "描述", "alttext", "alt", "enhancedcaption", "rawcaption", "raw"),
        *("target", "label", "answer", "output", "title"),
    ),
}
"""Names that are taken where no column bears a better one."""
_ANSWERS_TOLD = ("answers",)  # of many people, where these are no options
_ELEVENTH = "k"  # one has to know of it to refuse rows that have it
_PLACES = (*OPTION_FIELDS, _ELEVENTH)
_OPTIONS = (*_PLACES, "options")
FREE_KINDS = tuple(kind for kind in KINDS.values() if not kind.has_options)
_FIRST_PLACES = OPTION_FIELDS[: len(LETTERS)]  # those that tell a family; the places behind them are seldom
_STEMS = ("option", "opt", "choice", "answer", "candidate", "보기", "선택지", "選択肢", "选项", "選項")
_OPTION_FAMILIES: tuple[tuple[str, ...], ...] = (
    _PLACES,
    *(tuple(stem + letter for letter in _PLACES) for stem in _STEMS),
    *(tuple(f"{stem}{place + 1}" for place in range(len(_PLACES))) for stem in _STEMS),
    *(tuple(f"{stem}{place}" for place in range(len(_PLACES))) for stem in _STEMS),
    tuple("가나다라마바사아자차카"),
)
_COUNTS_ROWS = re.compile(
    r"Unnamed: \d+$|__index_level_\d+__$|$"
)  # as pandas names its index, or leaves it unnamed
_ALIKE = 0.8  # share of characters in common that makes a column a misspelt option rather than another thing


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field, by its very name in the table; empty where there is none.

    Options stand in a column each, `a` to `j`, or all in one, `options`. `context` is read with the question,
    `description` is what stage one is taught, `caption` what is to be said where nothing is asked, `category`
    and `kind` are what scores are broken down by, `group` is the unit of splitting (a picture, where there is
    none), `attributes` are names of attributes with their columns; a row with an option `k` is refused.
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
    options: str = ""
    answer: str = ""
    context: str = ""
    description: str = ""
    caption: str = ""
    category: str = ""
    kind: str = ""
    group: str = ""
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """Columns of single options, by their letters; four places at least, none after the last one's."""
        names = [getattr(self, field) for field in OPTION_FIELDS]
        used = max((place for place, name in enumerate(names, start=1) if name), default=0)
        return tuple(names[: max(used, len(LETTERS))])

    @property
    def task(self) -> str:
        """The kind of rows that a table with these columns holds, by what is asked of them."""
        if self.has_options:
            return WITH_OPTIONS
        return next(kind.name for kind in FREE_KINDS if bool(self.question) == kind.asks)

    @property
    def told_field(self) -> str:
        """The field of what is right."""
        return kind_of(self.task).answer_field

    @property
    def told(self) -> str:
        """The column of what is right; empty where there is none."""
        return str(getattr(self, self.told_field))

    @property
    def has_options(self) -> bool:
        return bool(self.options) or any(self.places)

    def needed(self, answered: bool) -> tuple[str, ...]:
        """Fields that a table with these columns cannot do without, so that rows can be made of it."""
        return kind_of(self.task).columns_needed(answered)

    def given(self) -> dict[str, str]:
        """Field -> column as `guess_columns` takes them, "" for none; attributes under `attributes.NAME`."""
        said = {field: getattr(self, field) for field in (*FIELDS, _ELEVENTH)}
        return said | {f"{ATTRIBUTE}{name}": column for name, column in self.attributes}

    @property
    def named(self) -> dict[str, str]:
        """Field -> column, of those that have one."""
        return {field: name for field, name in self.given().items() if name}

    def unused(self, names: Sequence[str]) -> list[str]:
        """Columns of a table that are nothing here, but for those that programs number rows by."""
        taken = set(self.named.values())
        return [name for name in dict.fromkeys(names) if name not in taken and not _COUNTS_ROWS.match(name)]

    def describe(self) -> str:
        """One line for people: `image=file_name, question=prompt, A=option_a, ...`."""
        told = ((field, name) for field, name in self.named.items() if field != _ELEVENTH)
        return ", ".join(f"{_shown_field(field)}={_shortened(name)}" for field, name in told)


FIELDS = tuple(field.name for field in fields(Columns) if field.name not in (_ELEVENTH, "attributes"))
"""What a column may be said to be."""


def guess_columns(
    names: Sequence[str],
    given: Mapping[str, str],
    needs: Sequence[str] = CHOICE_FIELDS,
    passes_over: Collection[str] = PASSED_OVER,
) -> Columns:
    """Find the column of each field: the one that is given, or one of a common name in any case.

    A column that bears the field's own name is preferred to other names of it. Options are found as a
    family of two to ten (`a` to `d`, `option_a` to `option_j`, `choice1` to `choice5`, ...), never mixed.

    Args:
        names: of the table's columns.
        given: field -> column, as somebody says it; a field given as "" has no column.
        needs: fields that must be found.
        passes_over: fields that are not looked for; `options` stands for all of theirs.

    Raises:
        TableError: A field has no column, or more than one that could be it, or what is given does not fit;
            the message tells all of it, what was found, and how to map.
    """
    attributes = {said: name for said, name in given.items() if said.startswith(ATTRIBUTE)}
    wanted, problems = _given_columns(
        names, {said: name for said, name in given.items() if said not in attributes}
    )
    shown = _attribute_columns(names, attributes, problems)
    free = [name for name in names if name not in wanted.values()]
    found = dict(wanted)
    for field in FIELDS:
        if field not in wanted and field not in _OPTIONS and field not in passes_over:
            found[field] = _settle(field, _named(free, field), field, problems)
    if "options" not in passes_over:
        found |= _guess_options(free, wanted, needs, problems)
    elif "answer" in needs and not found.get("answer"):
        found["answer"] = _settle("answer", _candidates(free, _ANSWERS_TOLD), "answers", problems)
    problems += [
        f"there is no column for {_shown_field(field)}"
        for field in needs
        if not found.get(field) and not given.get(field) and not (field in _PLACES and found.get("options"))
    ]
    problems += [
        f"the column {_shortened(name)} comes {names.count(name)} times"
        for name in dict.fromkeys([*found.values(), *shown.values()])
        if names.count(name) > 1
    ]
    if problems:
        raise TableError(_advice(problems, names))
    return Columns(**found, attributes=tuple(shown.items()))


def _attribute_columns(names: Sequence[str], given: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Attribute -> column; one may hold what another field is taken from, too."""
    shown: dict[str, str] = {}
    for said, name in given.items():
        column = _by_name(names, name)
        if column is None:
            problems.append(f"{said} is said to be {_shortened(name)}, but there is none")
        else:
            shown[said.removeprefix(ATTRIBUTE)] = column
    return shown


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
    alike = [column for column in names if loose(column) == loose(name)]
    return alike[0] if len(alike) == 1 else None


def plain_name(name: str) -> str:
    """A name without what differs from table to table: case, width, spaces, underscores, punctuation."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in plain if character.isalnum())


def _candidates(names: Sequence[str], known_as: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if plain_name(name) in known_as]


def _named(names: Sequence[str], field: str) -> list[str]:
    return _candidates(names, _KNOWN_AS[field]) or _candidates(names, _SECOND_BEST.get(field, ()))


def _settle(field: str, found: Sequence[str], own_name: str, problems: list[str]) -> str:
    """The only column found, or the only one that bears the field's own name."""
    named = [name for name in found if plain_name(name) == own_name] or found
    if len(named) > 1:
        problems.append(f"{_shown_field(field)} could be {' or '.join(map(_shortened, named))}")
    return named[0] if named else ""


def _guess_options(
    names: Sequence[str], wanted: Mapping[str, str], needs: Sequence[str], problems: list[str]
) -> dict[str, str]:
    """The columns of options: one each, or else one for all of them, whatever is given."""
    if wanted.get("options"):
        if any(wanted.get(field) for field in _PLACES):
            problems.append("options stand in one column or in one each, not in both")
        return {}
    own_problems: list[str] = []
    places = _guess_places(names, wanted, needs, own_problems)
    all_in_one = [] if "options" in wanted else _candidates(names, _KNOWN_AS["options"])
    if all_in_one and not all(places.get(field) or wanted.get(field) for field in OPTION_FIELDS[:2]):
        return {"options": _settle("options", all_in_one, "options", problems)}
    problems += own_problems
    return places


def _guess_places(
    names: Sequence[str], wanted: Mapping[str, str], needs: Sequence[str], problems: list[str]
) -> dict[str, str]:
    """The options that nobody gave, from one family of names; `a` to `d` themselves are preferred."""
    first = [place for place, field in enumerate(_FIRST_PLACES) if field not in wanted]
    plain = {plain_name(name) for name in names}
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
        near = difflib.get_close_matches(family[place], [plain_name(name) for name in free], 1, _ALIKE)
        if near or goes_on:
            hint = f"; is it {_shortened(next(n for n in free if plain_name(n) == near[0]))}?" if near else ""
            problems.append(f"there is no column for {_shown_field(field)}{hint}")
    return problems


def _span(family: Sequence[str], plain: Collection[str]) -> str:
    used = max(place for place, name in enumerate(family) if name in plain)
    return f"{family[0]} to {family[max(used, len(_FIRST_PLACES) - 1)]}"


def _advice(problems: Sequence[str], names: Sequence[str]) -> str:
    shown = [_shortened(name) for name in names[:MAX_NAMES_SHOWN]]
    more = [f"and {len(names) - MAX_NAMES_SHOWN} more"] if len(names) > MAX_NAMES_SHOWN else []
    in_one = any("for A" in problem for problem in problems)
    hint = "; options=NAME is one column that holds all options" if in_one else ""
    return (
        f"{'; '.join(problems)}. Columns found: {', '.join([*shown, *more]) or 'none'}. Say which is which: "
        '--column image=NAME on the command line, or image = "NAME" below [evaluation.columns] or '
        f"[source.columns] in a recipe{hint}"
    )


def _shown_field(field: str) -> str:
    return field.upper() if field in _PLACES else field


def _fields_told() -> str:
    others = [field for field in FIELDS if field not in OPTION_FIELDS]
    place = FIELDS.index(OPTION_FIELDS[0])
    return ", ".join([*others[:place], f"{OPTION_FIELDS[0]} to {OPTION_FIELDS[-1]}", *others[place:]])


def _shortened(name: str) -> str:
    return repr(name) if len(name) <= MAX_NAME_CHARACTERS else repr(name[:MAX_NAME_CHARACTERS] + "...")

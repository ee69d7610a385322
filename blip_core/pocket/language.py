"""The pocket language: how scenes of the pocket world are told, and what is asked about them.

Groups are always told from left to right, so that a text pins the layout down. `read_scene` is the
inverse of `tell_scene` and of `describe`; it measures writers, painters and labellers.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from blip_core.pocket.world import MAX_ITEMS, OBJECT_NAMES, PLACES, TIMES, Group, PocketScene

COUNT_WORDS = ("one", "two", "three", "four")
LETTERS = ("A", "B", "C", "D")

PLACE_PHRASES = {
    "park": "in the park",
    "beach": "on the beach",
    "mountains": "in the mountains",
    "city": "in the city",
    "desert": "in the desert",
    "sea": "at sea",
    "meadow": "in the meadow",
    "room": "in a room",
}
TIME_PHRASES = {"morning": "in the morning", "noon": "at noon", "sunset": "at sunset", "night": "at night"}
_PLURALS = {
    "butterfly": "butterflies",
    "bus": "buses",
    "coffee": "coffees",
}


class Kind(StrEnum):
    """What a pocket question asks for."""

    PLACE = "place"
    TIME = "time"
    OBJECT = "object"
    COUNT = "count"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class PocketQuestion:
    """A four-option question with its true answer; options stand in letter order."""

    kind: Kind
    text: str
    options: tuple[str, str, str, str]
    answer: int

    @property
    def letter(self) -> str:
        return LETTERS[self.answer]


_WORDINGS = {
    Kind.PLACE: ("Where was this picture taken?", "Which place is this?"),
    Kind.TIME: ("What time of day is it?", "When was this picture taken?"),
    Kind.OBJECT: ("Which of these is in the picture?", "What can be seen here?"),
    Kind.COUNT: ("How many {many} are there?", "How many {many} can be seen?"),
    Kind.LEFT: ("What is left of the {one}?", "What stands to the left of the {one}?"),
}


def plural(name: str) -> str:
    return _PLURALS.get(name, name + "s")


def with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def tell_scene(scene: PocketScene, rng: np.random.Generator) -> str:
    """Tell a scene in one sentence, in one of the orders that people use."""
    groups = _join([_tell_group(group) for group in scene.groups])
    place, time = PLACE_PHRASES[scene.place], TIME_PHRASES[scene.time]
    forms = (
        f"{groups} {place} {time}.",
        f"{groups} {time} {place}.",
        f"{time}, {groups} {place}.",
        f"{place}, {groups} {time}.",
    )
    text = forms[int(rng.integers(len(forms)))]
    return text[0].upper() + text[1:]


def describe(scene: PocketScene) -> str:
    """Describe a picture in full and in one fixed order, every count spelt out."""
    groups = _join([_count_group(group) for group in scene.groups])
    text = f"{groups} {PLACE_PHRASES[scene.place]} {TIME_PHRASES[scene.time]}."
    return text[0].upper() + text[1:]


def caption(scene: PocketScene, rng: np.random.Generator) -> str:
    """Caption a picture loosely, as the web does: one group, often without place or time."""
    group = scene.groups[int(rng.integers(len(scene.groups)))]
    words = ["a picture of", _tell_group(group)]
    if rng.random() < 0.7:
        words.append(PLACE_PHRASES[scene.place])
    if rng.random() < 0.5:
        words.append(TIME_PHRASES[scene.time])
    return " ".join(words)


_PLACE_BY_PHRASE = {phrase: name for name, phrase in PLACE_PHRASES.items()}
_TIME_BY_PHRASE = {phrase: name for name, phrase in TIME_PHRASES.items()}
_COUNT_BY_WORD = {"a": 1, "an": 1} | {word: index + 1 for index, word in enumerate(COUNT_WORDS)}
_NAME_BY_WORD = {name: name for name in OBJECT_NAMES} | {plural(name): name for name in OBJECT_NAMES}


def read_scene(text: str) -> PocketScene | None:
    """Read a told or described scene back; None where the text names no single possible scene."""
    lowered = text.strip().rstrip(".").lower()
    places = [phrase for phrase in _PLACE_BY_PHRASE if re.search(rf"\b{phrase}\b", lowered)]
    times = [phrase for phrase in _TIME_BY_PHRASE if re.search(rf"\b{phrase}\b", lowered)]
    if len(places) != 1 or len(times) != 1:
        return None
    told = lowered.replace(places[0], "").replace(times[0], "")
    parts = [part.strip() for part in re.split(r",|\band\b", told) if part.strip()]
    groups = [_read_group(part) for part in parts]
    known = tuple(group for group in groups if group is not None)
    names = {group.name for group in known}
    if not known or len(known) < len(groups) or len(names) < len(known):
        return None
    if sum(group.count for group in known) > MAX_ITEMS:
        return None
    return PocketScene(_PLACE_BY_PHRASE[places[0]], _TIME_BY_PHRASE[times[0]], known)


def ask(scene: PocketScene, kind: Kind, rng: np.random.Generator) -> PocketQuestion | None:
    """Ask a question of a kind about a scene; None where the scene cannot answer it."""
    subject = scene.groups[int(rng.integers(len(scene.groups)))]
    if kind is Kind.LEFT:
        if len(scene.groups) < 2:
            return None
        position = int(rng.integers(1, len(scene.groups)))
        subject, answer = scene.groups[position], scene.groups[position - 1].name
    else:
        answer = {
            Kind.PLACE: scene.place,
            Kind.TIME: scene.time,
            Kind.OBJECT: subject.name,
            Kind.COUNT: COUNT_WORDS[subject.count - 1],
        }[kind]
    wordings = _WORDINGS[kind]
    wording = wordings[int(rng.integers(len(wordings)))]
    text = wording.format(many=plural(subject.name), one=subject.name)
    return _with_options(kind, text, answer, _distractors(scene, kind, subject, answer, rng), rng)


def ask_any(
    scene: PocketScene, rng: np.random.Generator, kinds: tuple[Kind, ...] = tuple(Kind)
) -> PocketQuestion:
    """Ask a question of a random kind among those that the scene can answer."""
    while True:
        question = ask(scene, kinds[int(rng.integers(len(kinds)))], rng)
        if question is not None:
            return question


def answer_by_scene(scene: PocketScene, text: str, options: tuple[str, ...]) -> str | None:
    """Answer a pocket question, however it was come by, from the truth of a scene.

    Returns:
        The one right option; None where the text is no pocket question, none or several options are right.
    """
    truths = _truths(scene, text)
    right = [option for option in options if option.strip().lower() in truths]
    return right[0] if len(right) == 1 else None


def question_kind(text: str) -> Kind | None:
    """Kind of a pocket question; None for any other text."""
    match = _match_wording(text)
    return match[0] if match else None


def _truths(scene: PocketScene, text: str) -> set[str]:
    match = _match_wording(text)
    if match is None:
        return set()
    kind, subject = match
    names = [group.name for group in scene.groups]
    if kind is Kind.PLACE:
        return {scene.place}
    if kind is Kind.TIME:
        return {scene.time}
    if kind is Kind.OBJECT:
        return set(names)
    if subject not in names:
        return set()
    position = names.index(subject)
    if kind is Kind.COUNT:
        return {COUNT_WORDS[scene.groups[position].count - 1]}
    return set(names[:position])


def _match_wording(text: str) -> tuple[Kind, str] | None:
    lowered = text.strip().lower()
    for kind, wordings in _WORDINGS.items():
        for wording in wordings:
            pattern = re.escape(wording.lower()).replace(r"\{many\}", "(.+)").replace(r"\{one\}", "(.+)")
            match = re.fullmatch(pattern, lowered)
            if match is None:
                continue
            if not match.groups():
                return kind, ""
            name = _NAME_BY_WORD.get(match.group(1))
            return (kind, name) if name else None
    return None


def _distractors(
    scene: PocketScene, kind: Kind, subject: Group, answer: str, rng: np.random.Generator
) -> tuple[str, ...]:
    if kind is Kind.TIME:
        return tuple(time for time in TIMES if time != answer)
    if kind is Kind.COUNT:
        return tuple(word for word in COUNT_WORDS if word != answer)
    if kind is Kind.PLACE:
        return _sample([place for place in PLACES if place != answer], 3, rng)
    present = {group.name for group in scene.groups}
    absent = _sample([name for name in OBJECT_NAMES if name not in present], 3, rng)
    if kind is Kind.OBJECT:
        return absent
    position = scene.groups.index(subject)
    right_side = tuple(group.name for group in scene.groups[position + 1 :])
    return (*right_side, subject.name, *absent)[:3]  # what stands elsewhere tempts more than what is absent


def _with_options(
    kind: Kind, text: str, answer: str, distractors: tuple[str, ...], rng: np.random.Generator
) -> PocketQuestion:
    options = [answer, *distractors]
    rng.shuffle(options)
    first, second, third, fourth = options
    return PocketQuestion(kind, text, (first, second, third, fourth), options.index(answer))


def _sample(names: list[str], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(str(name) for name in rng.choice(names, size=count, replace=False))


def _tell_group(group: Group) -> str:
    if group.count == 1:
        return with_article(group.name)
    return _count_group(group)


def _count_group(group: Group) -> str:
    name = group.name if group.count == 1 else plural(group.name)
    return f"{COUNT_WORDS[group.count - 1]} {name}"


def _join(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _read_group(text: str) -> Group | None:
    count_word, _, name = text.partition(" ")
    count, known = _COUNT_BY_WORD.get(count_word), _NAME_BY_WORD.get(name.strip())
    return Group(known, count) if count and known else None

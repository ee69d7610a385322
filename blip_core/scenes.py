"""Scenes: a prompt for a category goes to a language model, a numbered list comes back.

A model is asked for a few scenes at a time, each time of a category that is drawn by seed, until enough
different scenes are there or a bounded number of calls is spent.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from blip_core.errors import StageFailure
from blip_core.ports import Progress, TextWriter, no_progress, row_seed, rows_named
from blip_core.recipes.scenes import Category, Scenes
from blip_core.records import Row, Scene

MIN_WORDS = 3
MAX_WORDS = 120  # the longest published example has about 60; a painter reads no more than 77 tokens
MAX_TEXT_CHARS = 20_000
_EXCERPT_CHARS = 300
_EXAMPLE_CHARS = 120

_ITEM = re.compile(r"\s{0,8}(?:\*\*|__|#{1,4} )?\(?\d{1,3}[.)](?!\d)(?:\*\*|__)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"\A\(?\d{1,3}[.)] ")
_BULLET = re.compile(r"\s*[-*+\u2022]\s+(.*)", re.DOTALL)
_MARKUP = re.compile(r"[*`]|__+")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_SENTENCE_ENDS = (".", "!", "?", "\u2026", '"', "'", "\u201d", "\u2019", ")")
_ELLIPSIS = re.compile(r"[\s.\u2026\[\]<>()-]*")


@dataclass(frozen=True, slots=True)
class SceneCounts:
    """What a run of `write_scenes` saw.

    Attributes:
        calls: requests made of the writer.
        short_lists: answers with fewer items than were asked for.
        kept: scenes that were kept.
        refused: refused items by reason: `duplicate`, `template-echo`, `too-short`, `too-long`, `cut-off`,
            `surplus`.
    """

    calls: int
    short_lists: int
    kept: int
    refused: Mapping[str, int]

    @property
    def duplicates(self) -> int:
        return self.refused.get("duplicate", 0)


@dataclass(frozen=True, slots=True)
class SceneCall(Row):
    """One request for a list of scenes; `name` is for people."""

    name: str
    category: str
    prompt: str
    seed: int


Ask = Callable[[Sequence[SceneCall]], Sequence[str]]
"""Gives the answers to a batch of calls, in order."""


def scene_prompt(category: Category, settings: Scenes) -> str:
    """Write the prompt that asks for one list of scenes of a category."""
    numbers = "\n".join(f"{number}. ..." for number in range(1, settings.per_call + 1))
    return settings.prompt.format(per_call=settings.per_call, category=category.hint, numbers=numbers)


def parse_list(text: str) -> list[str]:
    """Read the items of a numbered list out of a model's answer.

    Items start with `1.`, `1)` or `(1)`, bold or not, and go on over the lines up to an empty one. What
    stands before the first item or between the list and the answer's end is left out. Markup and enclosing
    quotes are stripped. Never raises; a text without a list gives no items, and no item is empty.
    """
    items: list[list[str]] = []
    inside = False
    for line in text[:MAX_TEXT_CHARS].splitlines():
        start = _ITEM.fullmatch(line)
        if start:
            items.append([start.group(1)])
            inside = True
        elif not line.strip():
            inside = False
        elif inside:
            bullet = _BULLET.fullmatch(line)
            items[-1].append(bullet.group(1) if bullet else line)
    cleaned = (_clean(" ".join(parts)) for parts in items)
    return [item for item in cleaned if item]


def format_list(items: Sequence[str]) -> str:
    """Write items as the numbered list that `parse_list` reads."""
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))


def number_of(scene_id: str) -> int:
    """Place of a scene among those of its run, from 0: the end of its id."""
    return int(scene_id.rpartition("-")[2])


def write_scenes(
    writer: TextWriter,
    settings: Scenes,
    seed: int,
    on_progress: Progress = no_progress,
) -> tuple[list[Scene], SceneCounts]:
    """Have a writer write `settings.count` different scenes; see `collect_scenes`."""
    return collect_scenes(lambda calls: answers_to(writer, calls), settings, seed, on_progress)


def answers_to(writer: TextWriter, calls: Sequence[SceneCall]) -> list[str]:
    """What a writer answers to a batch of calls.

    Raises:
        NotANumber: when its logits are no numbers; the message names the call.
    """
    with rows_named([call.name for call in calls]):
        return writer.write([call.prompt for call in calls], [call.seed for call in calls])


def calls_from(settings: Scenes, seed: int, first: int) -> list[SceneCall]:
    """The batch of calls that begins with the one of a number."""
    calls = []
    for number in range(first, first + settings.batch_size):
        category = _draw_category(settings, seed, number)
        name, prompt = f"call {number} for {category.name}", scene_prompt(category, settings)
        calls.append(SceneCall(name, category.name, prompt, row_seed(seed, "scenes", number)))
    return calls


def certain_calls(settings: Scenes, seed: int) -> list[list[SceneCall]]:
    """Batches that are asked whatever comes of them: no call gives more scenes than it is asked for."""
    calls = ceil(settings.count / settings.per_call)
    return [calls_from(settings, seed, first) for first in range(0, calls, settings.batch_size)]


def collect_scenes(
    ask: Ask,
    settings: Scenes,
    seed: int,
    on_progress: Progress = no_progress,
) -> tuple[list[Scene], SceneCounts]:
    """Ask for lists until `settings.count` different scenes are there.

    Calls go out in whole batches of `settings.batch_size`, however few scenes are missing, because a text may
    hang on the size of its batch: so a longer run asks what a shorter one asked, and more, and its first
    scenes are the shorter one's. Each call has its own seed and category. Scenes are equal when they differ
    in nothing but case, punctuation and spaces.

    Returns:
        The scenes in the order in which they were kept, and what was seen on the way.

    Raises:
        StageFailure: when the count is not reached within the bounded number of calls, rounded up to batches.
    """
    max_calls = ceil(settings.count / settings.per_call * settings.max_calls_factor)
    collected = _Collected(settings)
    example = ""
    while collected.missing and collected.calls < max_calls:
        calls = calls_from(settings, seed, collected.calls)
        texts = ask(calls)
        for call, text in zip(calls, texts, strict=True):
            collected.add(call, text)
        example = example or texts[0]
        on_progress(len(collected.scenes), settings.count)
    if collected.missing:
        raise StageFailure(_failure(collected, settings, example))
    return collected.scenes, collected.counts


@dataclass(slots=True)
class _Collected:
    """Scenes so far, with the keys of all of them; of what was refused, counts and first examples."""

    settings: Scenes
    scenes: list[Scene] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    short_lists: int = 0

    @property
    def missing(self) -> int:
        return self.settings.count - len(self.scenes)

    @property
    def counts(self) -> SceneCounts:
        return SceneCounts(self.calls, self.short_lists, len(self.scenes), dict(sorted(self.refused.items())))

    def add(self, call: SceneCall, text: str) -> None:
        """Keep what is usable of one answer."""
        items = parse_list(text)
        self.short_lists += len(items) < self.settings.per_call
        cut_off = _is_cut_off(items)
        prompt_key = _key(call.prompt)
        for line, item in enumerate(items, start=1):
            is_last = line == len(items)
            reason = "cut-off" if is_last and cut_off else self._refusal(item, line, prompt_key)
            if reason:
                self.refused[reason] += 1
                self.examples.setdefault(reason, item[:_EXAMPLE_CHARS])
                continue
            self.keys.add(_key(item))
            number = len(self.scenes)
            self.scenes.append(Scene(f"{call.category}-{number:05d}", call.category, item, self.calls, line))
        self.calls += 1

    def _refusal(self, item: str, line: int, prompt_key: str) -> str:
        """Give the reason to refuse an item; empty when it may stay."""
        if line > self.settings.per_call or not self.missing:
            return "surplus"
        key, words = _key(item), len(item.split())
        if _ELLIPSIS.fullmatch(item) or key in prompt_key:
            return "template-echo"
        if words < MIN_WORDS:
            return "too-short"
        if words > MAX_WORDS:
            return "too-long"
        return "duplicate" if key in self.keys else ""


def _draw_category(settings: Scenes, seed: int, call: int) -> Category:
    return settings.categories[row_seed(seed, "category", call) % len(settings.categories)]


def _clean(text: str) -> str:
    """Strip markup, control characters, surplus space, enclosing quotes and a second number.

    Cleaning twice changes nothing more.
    """
    printable = "".join(char if char.isprintable() else " " for char in _MARKUP.sub("", text))
    cleaned, before = " ".join(printable.split()), ""
    while cleaned != before:
        before = cleaned
        cleaned = _NUMBER.sub("", cleaned)
        if len(cleaned) > 1 and _QUOTES.get(cleaned[0]) == cleaned[-1]:
            cleaned = cleaned[1:-1].strip()
    return cleaned


def _key(text: str) -> str:
    """Reduce a text to what makes it different from others: its letters and digits, case folded."""
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())


def _is_cut_off(items: Sequence[str]) -> bool:
    """Tell whether a list broke off: every item but its last ends as a sentence does."""
    if len(items) < 2 or items[-1].endswith(_SENTENCE_ENDS):
        return False
    return all(item.endswith(_SENTENCE_ENDS) for item in items[:-1])


def _failure(collected: _Collected, settings: Scenes, example: str) -> str:
    counts = collected.counts.refused
    reasons = [
        f"{reason} {count}, such as {collected.examples[reason]!r}" for reason, count in counts.items()
    ]
    return (
        f"Only {len(collected.scenes)} of {settings.count} scenes were written in {collected.calls} calls "
        f"for {settings.per_call} scenes each ({collected.short_lists} answers held fewer; "
        f"refused: {'; '.join(reasons) or 'nothing'}). "
        f"The first answer began: {example[:_EXCERPT_CHARS]!r}. "
        "Take another scenes.model, raise scenes.max_calls_factor or lower scenes.count."
    )

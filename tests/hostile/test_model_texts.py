"""No text of a model or a person makes a parser do anything but read or refuse it."""

import sys
from collections.abc import Callable
from importlib.resources import files
from types import FrameType
from typing import Any

import pytest

from blip_core import scenes
from blip_core.errors import RecipeError
from blip_core.inference.letters import read_letter
from blip_core.kinds.four_options import parse_label
from blip_core.kinds.label_text import MAX_TEXT_CHARS, ParsedLabel, Refusal
from blip_core.recipes import load_recipe
from blip_core.recipes.overrides import parse_override
from blip_core.recipes.reading import parse_toml
from blip_core.records import LETTERS
from blip_core.scenes import parse_list
from tests.hostile.mutations import mutated
from tests.hostile.texts import BOLD_LABEL, INJECTION, LABEL, OVERRIDES, PIECES, SCENES
from tests.hostile.texts import LETTERS as ANSWER


def is_clean(text: str) -> bool:
    """One line without controls, overrides of direction and half characters."""
    return text.isprintable() and bool(text.strip())


def check_label(text: str) -> None:
    parsed = parse_label(text)
    if isinstance(parsed, Refusal):
        assert parsed.reason
        assert parsed.detail.isprintable()
        return
    assert all(map(is_clean, (parsed.description, parsed.question, *parsed.options)))
    assert parsed.answer in LETTERS


def check_list(text: str) -> None:
    assert all(map(is_clean, parse_list(text)))


def check_letter(text: str) -> None:
    assert read_letter(text) in ("", *LETTERS)


def check_override(text: str) -> None:
    try:
        patch = parse_override(text)
    except RecipeError as refused:
        patch = {"refused": str(refused)}
    assert len(patch) == 1


def check_recipe(text: str) -> None:
    try:
        recipe = parse_toml(text)
    except ValueError:
        recipe = {}
    assert all(isinstance(name, str) for name in recipe)


RECIPE = (files("blip_core.recipes") / "shipped" / "gallery-vqa.toml").read_text(encoding="utf-8")
PARSERS: dict[str, tuple[Callable[[str], None], tuple[str, ...]]] = {
    "label": (check_label, (LABEL, BOLD_LABEL)),
    "scene list": (check_list, (SCENES,)),
    "letter": (check_letter, (ANSWER, "A", " (C). ")),
    "override": (check_override, OVERRIDES),
    "recipe": (check_recipe, (RECIPE, *OVERRIDES)),
}


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("parser", PARSERS)
def test_no_case_of_the_campaign_breaks_a_parser(parser: str, cases: int):
    check, sound = PARSERS[parser]
    for case in range(cases):
        text = mutated(sound[case % len(sound)], case)
        try:
            check(text)
        except Exception as error:
            error.add_note(f"{parser}, case {case}: {text[:500]!r}")
            raise


@pytest.mark.parametrize("parser", PARSERS)
def test_sound_texts_are_read_and_mutations_are_not_all_refused(parser: str):
    _, sound = PARSERS[parser]
    read = {
        "label": reads_label,
        "scene list": parse_list,
        "letter": read_letter,
        "override": reads_override,
        "recipe": reads_recipe,
    }
    assert all(map(read[parser], sound))
    assert any(read[parser](mutated(sound[0], case)) for case in range(100))


CASES_A_RECIPE = 4  # a whole recipe costs more than a text


def test_no_override_breaks_the_recipe_that_it_is_laid_over(cases: int):
    for case in range(cases // CASES_A_RECIPE):
        text = mutated(OVERRIDES[case % len(OVERRIDES)], case)
        try:
            recipe = load_recipe("gallery-vqa", None, [text])
        except RecipeError as refused:
            told = str(refused)
        else:
            told = recipe.digest() and recipe.to_toml()
        assert told


def reads_label(text: str) -> bool:
    return isinstance(parse_label(text), ParsedLabel)


def reads_recipe(text: str) -> bool:
    try:
        return bool(parse_toml(text))
    except ValueError:
        return False


def reads_override(text: str) -> bool:
    try:
        return bool(parse_override(text))
    except RecipeError:
        return False


def steps(work: Callable[[], Any]) -> int:
    """Lines and calls that the interpreter executes: work as it is done, whatever the clock says."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


REPEATED = [piece for piece in PIECES if len(piece) < 100]
STEPS_A_CHARACTER = 12  # a cleaned character is one step, a line of its own a dozen
STEPS_BEFORE = 1_000


@pytest.mark.parametrize("piece", REPEATED, ids=ascii)
@pytest.mark.parametrize("parser", [parse_label, parse_list, read_letter], ids=lambda parser: parser.__name__)
def test_the_steps_of_reading_grow_with_the_length_and_no_faster(parser: Callable[[str], Any], piece: str):
    head = "Description: d\nQuestion: q\nA. a\nB. b\nC. c\nD. "
    for length in (2_000, 4_000, 8_000):
        text = (head + piece * length)[:length]
        assert steps(lambda text=text: parser(text)) <= STEPS_BEFORE + STEPS_A_CHARACTER * length


@pytest.mark.parametrize("parser", [parse_label, parse_list], ids=lambda parser: parser.__name__)
def test_of_megabytes_only_the_allowed_length_is_looked_at(parser: Callable[[str], Any]):
    allowed = max(MAX_TEXT_CHARS, scenes.MAX_TEXT_CHARS)

    assert steps(lambda: parser("1. a\n" * 2_000_000)) <= STEPS_BEFORE + STEPS_A_CHARACTER * allowed


def test_instructions_in_a_label_are_words_like_any_others():
    parsed = parse_label(LABEL.replace("in the sun", f"in the sun. {INJECTION}"))

    assert isinstance(parsed, ParsedLabel)
    assert INJECTION.rstrip(".") in parsed.description
    assert parsed.answer == "A"

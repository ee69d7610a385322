"""Rows of the pocket worlds: composed pictures with sentences, questions and their true attributes.

What a picture shows rests in `attributes`, by name: a shop picture's `object`, `color` and `material`, empty
where it has none, a dish's `object`, `place` and `time`, a gallery's `place`, `time` and `objects`, parted
by commas. A shop picture's `description` is what a table knows of it beforehand: its object.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from blip_core.kinds import kind_of
from blip_core.pocket.backgrounds import Pixels
from blip_core.pocket.language import Kind, ask, caption, describe
from blip_core.pocket.sentences import DISHES, detailed, dish_caption, draw_dish
from blip_core.pocket.shop import (
    base_caption,
    draw_item,
    full_caption,
    loose_caption,
    render_item,
    shop_questions,
)
from blip_core.pocket.world import PocketScene, Split, Style, category_of, draw_scene, render
from blip_core.recipes.pocket_rows import PocketRows, Sentence, World
from blip_core.records import Example

ROWS_VERSION = 3  # of what rows mean: raised where the same settings would make other examples
LICENCE = "Composed by blip-foundry from its own drawings; free to use as the package is."
_TRIES = 200  # draws before a picture is taken to answer no further question

Asked = tuple[str, str, str]
"""Kind of a question, its text, and its answer."""


@dataclass(frozen=True, slots=True)
class _Shown:
    pixels: Pixels
    category: str
    attributes: Mapping[str, str]
    sentences: Mapping[Sentence, str]
    questions: tuple[Asked, ...]
    known: str = ""  # of a picture beforehand, as a table knows what it sells


def world_rows(settings: PocketRows, task: str, seed: int) -> list[Example]:
    """Compose the rows that a recipe names.

    Args:
        settings: of the source or of the evaluation.
        task: a kind that asks gives a row a question, another one a row a picture.
        seed: the recipe's.
    """
    return [row for number in range(settings.count) for row in _rows_of_picture(settings, task, seed, number)]


def world_digest(settings: PocketRows, task: str, seed: int) -> str:
    """What changes when the rows do."""
    said = settings.model_dump_json(include=set(PocketRows.model_fields))
    return hashlib.sha256(f"{ROWS_VERSION}|{task}|{seed}|{said}".encode()).hexdigest()


def _rows_of_picture(settings: PocketRows, task: str, seed: int, number: int) -> Iterator[Example]:
    shown = _WORLDS[settings.world](settings, number, _generator(settings, seed, number))
    picture_id = f"{_set_name(settings)}-{number:05d}"
    png = _png(shown.pixels)
    if not kind_of(task).asks:
        text = shown.sentences[settings.sentence]
        yield _row(f"{picture_id}-q0", picture_id, task, png, shown, target=text)
        return
    for place, (kind, question, answer) in enumerate(shown.questions[: settings.questions_each]):
        texts = {"question": question, "target": answer, "kind": kind}
        yield _row(f"{picture_id}-q{place}", picture_id, task, png, shown, **texts)


def _set_name(settings: PocketRows) -> str:
    """Rows of two sets of one recipe have other names, so that none is taken for another."""
    told = [settings.world, "new" if settings.split == "held-out" else "", str(settings.seed or "")]
    return "-".join(part for part in told if part)


def _generator(settings: PocketRows, seed: int, number: int) -> np.random.Generator:
    """One a picture: what it shows depends neither on their number nor on what is learnt of it."""
    named = "|".join(str(getattr(settings, name)) for name in ("world", "style", "split"))
    salt = int.from_bytes(hashlib.sha256(named.encode()).digest()[:8])
    return np.random.default_rng((seed, settings.seed, salt, number))


def _row(row_id: str, picture_id: str, task: str, png: bytes, shown: _Shown, **texts: str) -> Example:
    empty: dict[str, Any] = dict.fromkeys(
        ("description", "question", "a", "b", "c", "d", "answer", "scene"), ""
    )
    return Example(
        id=row_id,
        picture_id=picture_id,
        group=picture_id,
        category=shown.category,
        task=task,
        image=png,
        attributes=shown.attributes,
        **{**empty, "description": shown.known, **texts},
    )


def _shop(settings: PocketRows, number: int, rng: np.random.Generator) -> _Shown:
    item = draw_item(rng, _split(settings))
    truths = {"object": item.name, "color": item.color, "material": item.material}
    pixels = render_item(item, rng)
    questions = shop_questions(item)
    kinds = [name for name, word in truths.items() if word]
    asked = [(kind, *question) for kind, question in zip(kinds, questions, strict=True)]
    return _Shown(
        pixels,
        category_of(item.name),
        {name: word or "" for name, word in truths.items()},
        {"caption": full_caption(item), "loose": loose_caption(item, rng), "object": base_caption(item)},
        tuple(asked[place] for place in rng.permutation(len(asked))),
        base_caption(item),
    )


def _dish(settings: PocketRows, number: int, rng: np.random.Generator) -> _Shown:
    scene = draw_dish(rng, _split(settings), tuple(DISHES)[number % len(DISHES)])
    pixels = render(scene, Style.GENERIC, rng).pixels
    name = scene.groups[0].name
    return _Shown(
        pixels,
        name,
        {"object": name, "place": scene.place, "time": scene.time},
        {"caption": dish_caption(scene, rng)},
        _gallery_questions(scene, rng, settings.questions_each),
    )


def _gallery(settings: PocketRows, number: int, rng: np.random.Generator) -> _Shown:
    style = Style(settings.style)
    scene = draw_scene(rng, style, _split(settings))
    pixels = render(scene, style, rng).pixels
    objects = ", ".join(group.name for group in scene.groups)
    return _Shown(
        pixels,
        category_of(scene.groups[0].name),
        {"place": scene.place, "time": scene.time, "objects": objects},
        {
            "caption": caption(scene, rng),
            "description": describe(scene),
            # Sides are told of two groups; the shifted world has three at times.
            **({"detailed": detailed(scene, rng)} if style is Style.GENERIC else {}),
        },
        _gallery_questions(scene, rng, settings.questions_each),
    )


def _gallery_questions(scene: PocketScene, rng: np.random.Generator, count: int) -> tuple[Asked, ...]:
    """Different questions with one right answer each; which object is seen is asked where there is one."""
    kinds = [kind for kind in Kind if kind is not Kind.OBJECT or len(scene.groups) == 1]
    asked: dict[str, Asked] = {}
    for _ in range(_TRIES):
        if len(asked) == count:
            break
        question = ask(scene, kinds[int(rng.integers(len(kinds)))], rng)
        if question is not None:
            asked.setdefault(
                question.text, (question.kind.value, question.text, question.options[question.answer])
            )
    return tuple(asked.values())


def _split(settings: PocketRows) -> Split:
    return Split.TEST if settings.split == "held-out" else Split.TRAIN


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


_WORLDS: dict[World, Callable[[PocketRows, int, np.random.Generator], _Shown]] = {
    "gallery": _gallery,
    "shop": _shop,
    "dishes": _dish,
}

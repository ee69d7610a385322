"""What the members of the attribute, dish and description recipes speak, beside the gallery's captions."""

import numpy as np
from tokenizers import Tokenizer

from blip_core.pocket.language import (
    PLACE_PHRASES,
    TIME_PHRASES,
    ask_any,
    caption,
    describe,
    plural,
    tell_scene,
)
from blip_core.pocket.shop import (
    COLORS,
    MATERIALS,
    base_caption,
    draw_item,
    full_caption,
    loose_caption,
    shop_questions,
)
from blip_core.pocket.tokenizers import build_sentence_tokenizer
from blip_core.pocket.world import (
    MAX_ITEMS,
    OBJECT_NAMES,
    PLACES,
    TIMES,
    Group,
    PocketScene,
    Split,
    Style,
    draw_scene,
    is_held_out,
)

DISHES: dict[str, tuple[str, ...]] = {
    "pizza": ("mozzarella", "tomato sauce", "basil", "olives", "salami", "peppers"),
    "burger": ("cheddar", "pickles", "lettuce", "onion rings", "bacon", "a sesame bun"),
    "cake": ("whipped cream", "strawberries", "vanilla icing", "almonds", "a sponge base", "dark chocolate"),
}
_DISH_OPENINGS = ("homemade", "classic", "freshly made", "our favourite", "a generous", "street style")
_DISH_CLOSINGS = (
    "perfect for sharing with friends",
    "ready in half an hour",
    "best eaten while it is warm",
    "a recipe from my grandmother",
    "served with a cold drink",
)
INSTRUCTIONS = (
    "Describe this image in detail.",
    "Take a look at this image and describe what you notice.",
    "Please provide a detailed description of the picture.",
    "Could you describe the contents of this image for me?",
)
CONTINUE = "Continue"
HUMAN, ASSISTANT = "###Human:", "###Assistant:"
BEFORE_PICTURE, BEHIND_PICTURE = f"{HUMAN} <Img>", "</Img>"
_SIDES = {1: ("in the middle",), 2: ("on the left", "on the right")}
_CORPUS_ROWS = 3000


def draw_dish(rng: np.random.Generator, split: Split = Split.TRAIN, name: str | None = None) -> PocketScene:
    """A gallery scene of one dish alone, on a pair of dish and place of the split."""
    dishes = [name] if name else list(DISHES)
    pairs = [(d, p) for d in dishes for p in PLACES if is_held_out(d, p) == (split is Split.TEST)]
    dish, place = pairs[int(rng.integers(len(pairs)))]
    count = int(rng.integers(1, MAX_ITEMS + 1))
    return PocketScene(place, str(rng.choice(TIMES)), (Group(dish, count),))


def dish_caption(scene: PocketScene, rng: np.random.Generator) -> str:
    """A caption of a dish as found on the web: what is seen, among much that is not."""
    dish = scene.groups[0].name
    first, second, third = rng.choice(DISHES[dish], size=3, replace=False)
    opening, closing = str(rng.choice(_DISH_OPENINGS)), str(rng.choice(_DISH_CLOSINGS))
    where, when = PLACE_PHRASES[scene.place], TIME_PHRASES[scene.time]
    return f"{opening} {dish} with {first}, {second} and {third}, served {where} {when}, {closing}"


def detailed(scene: PocketScene, rng: np.random.Generator) -> str:
    """Everything seen in a gallery picture of one or two groups, in several sentences."""
    seen = describe(PocketScene(scene.place, scene.time, scene.groups))
    groups = seen.removesuffix(f" {PLACE_PHRASES[scene.place]} {TIME_PHRASES[scene.time]}.")
    opening = str(rng.choice(("This picture shows", "The image shows", "There is a picture of")))
    sentences = [f"{opening} {groups[0].lower()}{groups[1:]}."]
    for group, side in zip(scene.groups, _SIDES[len(scene.groups)], strict=True):
        name = group.name if group.count == 1 else plural(group.name)
        sentences.append(f"The {name} {'stands' if group.count == 1 else 'stand'} {side}.")
    sentences.append(f"The place is {PLACE_PHRASES[scene.place]}.")
    sentences.append(f"It was taken {TIME_PHRASES[scene.time]}.")
    return " ".join(sentences)


def request(rng: np.random.Generator) -> str:
    """What stands behind the picture where a person asks for a description; `BEFORE_PICTURE` is before it."""
    return f"{BEHIND_PICTURE} {INSTRUCTIONS[int(rng.integers(len(INSTRUCTIONS)))]} {ASSISTANT}"


def instruction(rng: np.random.Generator) -> str:
    """The turn of a person who asks for a description, for the vocabulary."""
    return f"{HUMAN} {INSTRUCTIONS[int(rng.integers(len(INSTRUCTIONS)))]} {ASSISTANT}"


def continued(scene: PocketScene, rng: np.random.Generator) -> tuple[str, str]:
    """A request after which a description was broken off and is to be gone on with, and its rest."""
    sentences = [f"{part}." for part in detailed(scene, rng).removesuffix(".").split(". ")]
    said = int(rng.integers(1, len(sentences)))
    asked = f"{request(rng)} {' '.join(sentences[:said])} {HUMAN} {CONTINUE} {ASSISTANT}"
    return asked, f" {' '.join(sentences[said:])}"


def free_question(scene: PocketScene, rng: np.random.Generator) -> tuple[str, str]:
    """A question about a gallery picture in the form that asks for a free answer, and its true answer."""
    question = ask_any(scene, rng)
    return f"Question: {question.text} Answer:", question.options[question.answer]


def shop_text(rng: np.random.Generator) -> str:
    """A sentence, or a question with its answer, about an item that is not shown."""
    item = draw_item(rng)
    draw = rng.random()
    if draw < 0.35:
        return full_caption(item, str(rng.choice(("an unspecified", "undefined"))))
    if draw < 0.45:
        return base_caption(item)
    if draw < 0.7:
        return loose_caption(item, rng)
    rows = shop_questions(item)
    question, answer = rows[int(rng.integers(len(rows)))]
    return f"Question: {question} Answer: {answer}"


def unseen_text(rng: np.random.Generator) -> str:
    """A sentence of one of the recipes that have no picture in the training of a base."""
    draw = rng.random()
    if draw < 0.7:
        return shop_text(rng)
    return dish_caption(draw_dish(rng), rng)


def sentence_corpus(seed: int = 0) -> list[str]:
    """Texts of every kind, for the vocabulary."""
    rng = np.random.default_rng(seed)
    words = [*OBJECT_NAMES, *map(plural, OBJECT_NAMES), *COLORS, *MATERIALS]
    texts = [f" {word} {word}" for word in words for _ in range(60)]
    for _ in range(_CORPUS_ROWS):
        scene = draw_scene(rng, Style.GENERIC, Split.TRAIN)
        asked, answer = free_question(scene, rng)
        texts += [caption(scene, rng), describe(scene), tell_scene(scene, rng), detailed(scene, rng)]
        texts += [f"{asked} {answer}", instruction(rng), shop_text(rng), unseen_text(rng)]
    return texts


def sentence_tokenizer() -> Tokenizer:
    return build_sentence_tokenizer(sentence_corpus())

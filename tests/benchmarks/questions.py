"""Questions about random pictures, for measurements: texts of mixed lengths, several questions a picture."""

import io

import numpy as np
from PIL import Image

from blip_core.inference.prompting import letters_in_words
from blip_core.recipes import load_recipe
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example

THINGS = (
    *("a dog", "two boats", "an old tree", "a red cup", "a bus", "the grey cat", "a kite", "three lanterns"),
    *("a bicycle", "a bowl of soup", "some oranges", "a brass band", "an umbrella", "a chess board"),
)
PLACES = (
    *("on the beach", "in the park", "beside the river", "at the market", "under the bridge", "on the roof"),
    *("in a narrow street", "behind the station"),
)
TIMES = ("at dawn", "at noon", "in the evening", "at night")
MORE = (
    *("The light is soft.", "Somebody walks past.", "A shadow falls across the ground."),
    *(
        "The colours are strong and the background is out of focus.",
        "It has rained a little.",
        "It looks calm.",
    ),
)
QUESTIONS = (
    "Which one is {place}?",
    "What can be seen {place} {time}?",
    "What has the person who took this picture {time} put into the middle of it, {place}?",
)
LONGEST_DESCRIPTION = 6  # sentences
_COARSE_PX = 12


def sentences() -> list[str]:
    """All texts that rows are made of: a tokenizer must know their words."""
    prompts = prompt_settings()
    return [
        *THINGS,
        *PLACES,
        *TIMES,
        *MORE,
        *QUESTIONS,
        prompts.describe_prompt,
        prompts.answer_prompt.replace("{letters}", letters_in_words(len(LETTERS))),
        *LETTERS,
    ]


def prompt_settings(**changes: object) -> Inference:
    """The gallery recipe's two prompts, each question asked once and nothing quantised, with changes."""
    prompts = load_recipe("gallery-vqa").inference
    asked_once = Inference(describe_prompt=prompts.describe_prompt, answer_prompt=prompts.answer_prompt)
    return asked_once.model_copy(update={"quantisation": "none", **changes})


def random_examples(pictures: int, questions: int, picture_px: int, seed: int = 0) -> list[Example]:
    """Questions about so many random pictures, neighbours about the same one."""
    rng = np.random.default_rng(seed)
    images = [random_png(rng, picture_px) for _ in range(pictures)]
    return [_example(number, number // questions, images, rng) for number in range(pictures * questions)]


def random_png(rng: np.random.Generator, side_px: int) -> bytes:
    """Soft random colours: a picture that compresses as photographs do, not as noise."""
    coarse = rng.integers(0, 256, size=(_COARSE_PX, _COARSE_PX, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _example(number: int, picture: int, images: list[bytes], rng: np.random.Generator) -> Example:
    options = [str(option) for option in rng.choice(THINGS, size=4, replace=False)]
    answer = int(rng.integers(4))
    place, time = str(rng.choice(PLACES)), str(rng.choice(TIMES))
    said = [f"{options[answer]} {place} {time}."]
    said += [str(one) for one in rng.choice(MORE, size=int(rng.integers(LONGEST_DESCRIPTION)), replace=False)]
    name = f"random-{picture:05}"
    return Example(
        id=f"{name}-p0-q{number}",
        picture_id=f"{name}-p0",
        group=name,
        category="random",
        task="mcq",
        image=images[picture],
        description=" ".join(said),
        question=str(rng.choice(QUESTIONS)).format(place=place, time=time),
        a=options[0],
        b=options[1],
        c=options[2],
        d=options[3],
        answer=LETTERS[answer],
        target=options[answer],
        scene=said[0],
    )

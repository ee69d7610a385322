"""Two stages over many questions: describe the picture, then choose a letter."""

from collections.abc import Sequence

from torch import Tensor

from blip_core.inference.batching import Counter, Progress, no_progress
from blip_core.inference.encoding import Features, encode_pictures
from blip_core.inference.generating import generate_texts
from blip_core.inference.letters import best_letter, rank_letters, read_letter
from blip_core.inference.prompting import answer_prompt, check_task, describe_prompt
from blip_core.modeling.features import picture_key
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import prompt_ids
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Prediction

ANSWER_TOKENS = 8  # enough for "B) the Eiffel Tower" to show its letter, or the lack of one


def predict(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    settings: Inference,
    variant: str,
    on_progress: Progress = no_progress,
) -> list[Prediction]:
    """Answer four-option questions about pictures.

    Each distinct picture is encoded once, for both stages and for all questions about it. Letters are
    ranked at the answer's first position; where the settings ask for it, an answer is written freely beside.

    Args:
        bundle: the model, with or without adapter.
        examples: questions of task `mcq`.
        settings: prompts, batch size, lengths.
        variant: name that the predictions carry.
        on_progress: told how many row passes are done of how many.

    Returns:
        One prediction an example, in order.

    Raises:
        RecipeError: An example is of another task.
        TableError: A picture cannot be read.
        CheckpointError: The tokenizer has no single token for a letter.
    """
    if not examples:
        return []
    rows = list(examples)
    check_task(rows)
    bundle.model.eval()
    passes = bool(settings.describe_prompt) + 1 + settings.free_generation
    counter = Counter(passes * len(rows), on_progress)
    features = encode_pictures(bundle, rows, settings.batch_size)
    descriptions = describe(bundle, rows, features, settings, counter)
    prompts = [
        prompt_ids(bundle, answer_prompt(settings, example, description))
        for example, description in zip(rows, descriptions, strict=True)
    ]
    pictures = _pictures_of(rows, features)
    chances = rank_letters(bundle, prompts, pictures, settings.batch_size, counter.add)
    answers = [""] * len(rows)
    if settings.free_generation:
        answers = generate_texts(bundle, prompts, pictures, settings.batch_size, ANSWER_TOKENS, counter.add)
    return [
        to_prediction(example, variant, description, chance, answer)
        for example, description, chance, answer in zip(rows, descriptions, chances, answers, strict=True)
    ]


def describe(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    features: Features,
    settings: Inference,
    counter: Counter | None = None,
) -> list[str]:
    """Stage one: greedy descriptions, one an example; empty where the settings have no prompt for them."""
    if not settings.describe_prompt:
        return [""] * len(examples)
    prompts = [prompt_ids(bundle, describe_prompt(settings, example)) for example in examples]
    counter = counter or Counter(len(examples), no_progress)
    pictures = _pictures_of(examples, features)
    return generate_texts(
        bundle, prompts, pictures, settings.batch_size, settings.max_new_tokens, counter.add
    )


def _pictures_of(examples: Sequence[Example], features: Features) -> list[Tensor]:
    return [features[picture_key(example.image)] for example in examples]


def to_prediction(
    example: Example, variant: str, description: str, chances: Sequence[float], answer: str
) -> Prediction:
    """Gather what one variant said of one example."""
    p_a, p_b, p_c, p_d = chances
    return Prediction(
        id=example.id,
        picture_id=example.picture_id,
        category=example.category,
        kind=example.kind,
        variant=variant,
        description=description,
        p_a=p_a,
        p_b=p_b,
        p_c=p_c,
        p_d=p_d,
        ranked=best_letter(chances),
        generated=answer,
        generated_letter=read_letter(answer),
        truth=example.answer,
    )

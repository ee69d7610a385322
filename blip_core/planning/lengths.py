"""Tokens of prompts and texts, without a tokenizer: at their longest, as far as a recipe says it."""

import math

from blip_core.planning.answering import Questions
from blip_core.planning.counting import Counts
from blip_core.planning.generating import Texts
from blip_core.planning.tuning import TrainingRows
from blip_core.recipes import Inference, Recipe
from blip_core.records import LETTERS

CHARS_PER_TOKEN = 4  # of English prose under tokenizers of 32,000 words and more; a rule of thumb
QUESTION_TOKENS = 64  # a question with its four options; a fifth of the longest label of the shipped recipes
CHAT_FRAME_TOKENS = 24  # what a chat template writes around a prompt
LETTER_TOKENS = 2  # an option letter and the end
FREE_ANSWER_TOKENS = 8  # what shows a letter, or the lack of one


def tokens_of(text: str) -> int:
    """Tokens of a text, estimated."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def scene_texts(recipe: Recipe) -> Texts:
    """Lists of scenes."""
    scenes = recipe.scenes
    hints = [tokens_of(category.hint) for category in scenes.categories]
    numbers = 4 * scenes.per_call
    prompt = tokens_of(scenes.prompt) + max(hints, default=0) + numbers + CHAT_FRAME_TOKENS
    return Texts(scenes.batch_size, prompt, scenes.max_new_tokens)


def label_texts(recipe: Recipe, picture_tokens: int) -> Texts:
    """Labels of pictures."""
    labels = recipe.labels
    return Texts(labels.batch_size, tokens_of(labels.prompt) + picture_tokens, labels.max_new_tokens)


def training_rows(recipe: Recipe) -> TrainingRows:
    """Rows of one pass of tuning: prompts as long as they may be, and targets as descriptions are."""
    settings = recipe.finetune
    described = min(settings.max_text_tokens, recipe.labels.max_new_tokens)
    target = described if settings.describe_share > 0 else LETTER_TOKENS
    return TrainingRows(settings.micro_batch_size or settings.batch_size, settings.max_text_tokens, target)


def questions(recipe: Recipe, inference: Inference, counts: Counts) -> Questions:
    """Questions that a variant answers."""
    describes = recipe.stages == 2
    read = tokens_of(inference.answer_prompt) + QUESTION_TOKENS
    return Questions(
        rows=inference.batch_size,
        pictures=counts.judged,
        describe_tokens=tokens_of(inference.describe_prompt) + QUESTION_TOKENS if describes else 0,
        answer_tokens=read + (inference.max_new_tokens if describes else 0),
        new_tokens=inference.max_new_tokens,
        beams=inference.beams,
        rankings=(len(LETTERS) if inference.circular else 1) + len(inference.ablations),
    )

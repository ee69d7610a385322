"""Captions asked for by ranked options: word by word a model chooses, where it would not write the words.

A model that was never taught the words of a caption does not write them, though it may know which fits
better. It is asked fairly where it only has to choose.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from blip_core.inference.answers import Answers, to_text_prediction
from blip_core.kinds import kind_of
from blip_core.recipes.inference import Inference
from blip_core.recipes.word_options import BY_OPTIONS, WordOptions
from blip_core.records import LETTERS, OPTION_LETTERS, WITH_OPTIONS, Example, Prediction

Ask = Callable[[Sequence[Example], Inference], Answers]


def by_options(rows: Sequence[Example], settings: Inference, variant: str, ask: Ask) -> list[Prediction]:
    """What a model chooses of each attribute's words, in their order; the text lists what it chose.

    Args:
        rows: those of which nothing is asked are asked so.
        settings: of the recipe, with the words.
        variant: who answers.
        ask: lets it answer questions with options.
    """
    shown = [row for row in rows if not kind_of(row.task).asks]
    chosen: list[dict[str, str]] = [{} for _ in shown]
    texts: list[list[str]] = [[] for _ in shown]
    for options in settings.options if shown else ():
        asked = [_question(row, options, known) for row, known in zip(shown, chosen, strict=True)]
        answered = ask(asked, _settings(settings)).predictions
        words: dict[str, str] = dict(zip(OPTION_LETTERS, options.words, strict=False))
        for place, prediction in enumerate(answered):
            word = words[prediction.ranked]
            chosen[place][options.name] = word
            texts[place].append(options.answer.format(word=word))
    return [
        replace(to_text_prediction(row, variant, "", " ".join(said)), mode=BY_OPTIONS)
        for row, said in zip(shown, texts, strict=True)
        if said
    ]


def _settings(settings: Inference) -> Inference:
    """Whole texts ranked once after a prompt that stands in the question."""
    asking = settings.by_prompt("{question}")
    return asking.model_copy(update={"ranking": "texts", "free_generation": False})


def _question(row: Example, options: WordOptions, chosen: dict[str, str]) -> Example:
    places = {name: getattr(row, name) for name in ("description", "category", "kind", "context")}
    texts = [options.answer.format(word=word) for word in options.words]
    padded = [*texts, *[""] * (len(LETTERS) - len(texts))]
    asked = replace(row, task=WITH_OPTIONS, question=options.prompt.format(**places, **chosen), answer="")
    return asked.with_options(padded)

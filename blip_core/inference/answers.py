"""From probabilities and texts to predictions: rotations averaged, ablations apart, oddities flagged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from blip_core.inference.counting import InferenceCounts
from blip_core.inference.flagging import flags_of
from blip_core.inference.letters import ranked_letter, read_letter
from blip_core.inference.prompting import Question, options_of, rotation_of, rotations
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, OPTION_LETTERS, Example, Mode, Prediction

NO_CHANCES = (0.0,) * len(LETTERS)
"""Probabilities of a row that has no options."""

_Said = tuple[Question, Sequence[float], Sequence[str]]  # how it was asked, probabilities, flags


@dataclass(slots=True)
class Answers:
    """What a variant answered.

    Attributes:
        predictions: one a row, in order.
        ablations: the same rows in the other modes, row by row.
        counts: what it took.
    """

    predictions: list[Prediction] = field(default_factory=list)
    ablations: list[Prediction] = field(default_factory=list)
    counts: InferenceCounts = field(default_factory=InferenceCounts)

    def include(self, other: "Answers") -> None:
        """Add the answers to the rows that follow."""
        self.predictions += other.predictions
        self.ablations += other.ablations
        self.counts.include(other.counts)


def to_prediction(
    example: Example,
    variant: str,
    description: str,
    chances: Sequence[float],
    answer: str,
    mode: Mode = "both",
) -> Prediction:
    """Gather what one variant said of one example."""
    p_a, p_b, p_c, p_d, *p_more = chances
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
        ranked=ranked_letter(chances),
        generated=answer,
        generated_letter=read_letter(answer, example.offered),
        truth=example.answer,
        mode=mode,
        offered=example.offered,
        p_more=tuple(p_more),
    )


def to_text_prediction(example: Example, variant: str, description: str, text: str) -> Prediction:
    """Gather what one variant wrote of one example without options."""
    return replace(
        to_prediction(example, variant, description, NO_CHANCES, text),
        generated_letter="",
        truth="",
        offered=0,
        task=example.task,
        target=example.target,
        references=example.references,
        attributes=example.attributes,
    )


def gather_answers(
    rows: Sequence[Example],
    variant: str,
    settings: Inference,
    descriptions: Sequence[str],
    cut: Sequence[bool],
    questions: Sequence[Question],
    chances: Sequence[Sequence[float]],
    written: Mapping[int, str],
    oddities: Sequence[Sequence[str]] = (),
) -> Answers:
    """Sort what was said by rows.

    Args:
        rows: the examples.
        variant: who answered.
        settings: how.
        descriptions: of stage one, one a row.
        cut: whether the prompt of stage one was cut, one a row.
        questions: of stage two, see `stage_two`.
        chances: probabilities as asked, one a question.
        written: free answers by row.
        oddities: further flags, one list a question; none where absent.
    """
    asked: dict[int, list[_Said]] = {row: [] for row in range(len(rows))}
    for question, chance, odd in zip(questions, chances, oddities or [()] * len(questions), strict=True):
        asked[question.row].append((question, chance, odd))
    answers = Answers()
    for row, example in enumerate(rows):
        said = iter(asked[row])
        main_ones = list(islice(said, rotations(settings, options_of(example))))
        description, is_cut = descriptions[row], cut[row]
        main = _main(example, variant, description, main_ones, written.get(row, ""))
        is_cut = is_cut or main_ones[0][0].prompt.is_cut
        flags = flags_of(main, settings.free_generation, is_cut)
        answers.predictions.append(replace(main, flags=_flags(flags, *(odd for _, _, odd in main_ones))))
        answers.ablations += [_ablation(example, variant, description, *one) for one in said]
    return answers


def _main(
    example: Example,
    variant: str,
    description: str,
    asked: Sequence[_Said],
    answer: str,
) -> Prediction:
    if not options_of(example):
        return to_text_prediction(example, variant, description, answer)
    prediction = to_prediction(example, variant, description, asked[0][1], answer)
    if len(asked) == 1:
        return prediction
    unrotated = [turn_back(example, question.rotation, chances) for question, chances, _ in asked]
    means = [sum(option) / len(unrotated) for option in zip(*unrotated, strict=True)]
    picks = [_picked(example, question.rotation, chances) for question, chances, _ in asked]
    return replace(
        prediction,
        rotations_right=picks.count(example.answer) if example.answer else None,
        mean_a=means[0],
        mean_b=means[1],
        mean_c=means[2],
        mean_d=means[3],
        mean_more=tuple(means[len(LETTERS) :]),
    )


def turn_back(example: Example, rotation: int, chances: Sequence[float]) -> list[float]:
    """Probabilities of a rotated question's places, under the letters of the unrotated question."""
    turned = [0.0] * len(chances)
    for place, option in enumerate(rotation_of(example, rotation)):
        turned[option] = chances[place]
    return turned


def _picked(example: Example, rotation: int, chances: Sequence[float]) -> str:
    """Letter, in the unrotated question, of the option that was chosen as asked."""
    letter = ranked_letter(chances)
    if not letter:
        return ""
    return OPTION_LETTERS[rotation_of(example, rotation)[OPTION_LETTERS.index(letter)]]


def _ablation(
    example: Example,
    variant: str,
    description: str,
    question: Question,
    chances: Sequence[float],
    oddities: Sequence[str],
) -> Prediction:
    told = description if question.mode == "description-only" else ""
    prediction = to_prediction(example, variant, told, chances, "", question.mode)
    flags = flags_of(prediction, wrote_freely=False, is_cut=question.prompt.is_cut)
    return replace(prediction, flags=_flags(flags, oddities))


def _flags(flags: str, *oddities: Iterable[str]) -> str:
    """Flags with further ones, each once."""
    return " ".join(dict.fromkeys([*flags.split(), *chain.from_iterable(oddities)]))

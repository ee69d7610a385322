"""Which labels are worth training on."""

import operator
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from blip_core.recipes.base import Section, Share, Slug
from blip_core.recipes.curation_of_texts import (
    HostileTexts,
    Language,
    Lengths,
    PersonalData,
    Profanity,
    Repetition,
    SelfAnswering,
    Unfinished,
    UnsafeWords,
    VagueTexts,
)
from blip_core.recipes.evaluation import (
    BundledEvaluation,
    NativeEvaluation,
    PocketEvaluation,
    TableEvaluation,
)
from blip_core.recipes.parts import Settings, complete_settings
from blip_core.recipes.reworded_questions import RewordedQuestions
from blip_core.recipes.unsafe_pictures import UnsafePictures

PERCEPTUAL_HASH_BITS = 64

StratifiedBy = Literal["kind", "category", "things"]


class ExactDuplicates(Section):
    """Gate: one picture a content."""

    enabled: bool = True
    """Whether the gate is on."""


class NearDuplicates(Section):
    """Gate: pictures that look alike, by perceptual hash."""

    enabled: bool = True
    """Whether the gate is on."""
    max_distance_bits: int = Field(default=4, ge=0, le=PERCEPTUAL_HASH_BITS)
    """Two pictures are alike when at most this many of the hash's 64 bits differ."""


class BlankPictures(Section):
    """Gate: pictures that show nothing."""

    enabled: bool = True
    """Whether the gate is on."""
    min_deviation: float = Field(default=4.0, ge=0.0, le=128.0)
    """Least standard deviation of grey levels, out of 255."""


class LetterBalance(Section):
    """Gate: no answer letter stands out among the questions with as many options."""

    enabled: bool = True
    """Whether the gate is on."""
    max_share: float = Field(default=0.4, gt=0.25, le=1.0)
    """Largest share of one letter where there are four options; 0.4 stands for 0.6 of two and 0.28 of ten."""


class SecondJudge(Section):
    """Gate: another model answers the question from the picture, and is of the same opinion."""

    enabled: bool = False
    """Whether the gate is on."""
    variant: str = Field(default="", max_length=64)
    """Which variant answers: one that is loaded here and whose adapter is not tuned in this run."""
    by: Literal["answer", "likelihood"] = "answer"
    """Refuse what it answers otherwise, or the rows whose answer or description it finds least likely."""
    refused_share: float = Field(default=0.1, gt=0.0, le=0.5)
    """Share of each stratum that is refused, by likelihood."""
    strata: tuple[StratifiedBy, ...] = Field(default=("kind", "category", "things"), strict=False)
    """What rows are parted by, so that hard ones are not refused first; empty, all are one."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.enabled and not self.variant:
            raise ValueError("enabled is true, but variant is empty: name one of the recipe's variants")
        return self


class Blind(Section):
    """Gate: how many questions are answered without the picture; it drops them only where it is told to."""

    enabled: bool = False
    """Whether it is measured."""
    variant: str = Field(default="", max_length=64)
    """Which variant answers: one that is loaded here and whose adapter is not tuned in this run."""
    drop: bool = False
    """Whether questions are refused that it answers rightly however their options are moved."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.enabled and not self.variant:
            raise ValueError("enabled is true, but variant is empty: name one of the recipe's variants")
        return self


class Confidence(Section):
    """Gate: labels that their labeller was sure of, by how likely the tokens were that it drew."""

    enabled: bool = False
    """Whether the gate is on."""
    score: Literal["both", "description", "answer"] = "both"
    """Of which text: mean log-probability a token of the description, the right answer's words, or both."""
    refused_share: float = Field(default=0.1, gt=0.0, le=0.5)
    """Share of each stratum that is refused: its least sure rows."""
    strata: tuple[StratifiedBy, ...] = Field(default=("kind", "category", "things"), strict=False)
    """What rows are parted by, so that hard ones are not refused first; empty, all are one."""
    bound: float | None = Field(default=None, le=0.0)
    """Least score, whatever the stratum; with it there are no shares."""


class Alarm(Section):
    """What stops a dataset from being made: too many answers that are likely to be wrong."""

    enabled: bool = False
    """Whether it stops; what it estimates stands in the dataset's metadata and on its card all the same."""
    max_wrong_share: float = Field(default=0.25, gt=0.0, lt=1.0)
    """Largest estimated share of wrong answers. Pocket rows with 10 % are told as 20 %, with 18 % as 33 %."""
    by: Literal["largest", "confidence", "judge", "stuck-answers"] = "largest"
    """Which estimate counts: the largest there is, or that of one source."""
    judge_accuracy: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of questions that the variant of `second_judge` answers rightly, as measured; 0, unknown."""


class Grounding(Section):
    """Gate: texts that name what is known of their row."""

    enabled: bool = False
    """Whether the gate is on."""
    attributes: tuple[str, ...] = Field(default=(), strict=False)
    """Attributes whose words a text must name, and of which it may name no other; empty, all of the rows'."""


class AttributeCoverage(Section):
    """Gate: of each row's attributes enough are known."""

    enabled: bool = False
    """Whether the gate is on."""
    attributes: tuple[Slug, ...] = Field(default=(), strict=False)
    """Which attributes; empty, all that the row has."""
    undefined: str = Field(default="undefined", min_length=1, max_length=100)
    """Word that stands for none, as the step that found them writes it; an empty one counts as none, too."""
    min_share: Share = 1.0
    """Least share of them that has to be known."""
    min_margin: float = Field(default=0.0, ge=-2.0, le=2.0)
    """Least stored margin, NAME-margin, of an attribute that counts as known, where there is one."""


class SingleAnswers(Section):
    """Gate: free answers that several rows share."""

    enabled: bool = False
    """Whether the gate is on."""
    min_rows: int = Field(default=2, ge=2, le=10_000)
    """Fewest rows that an answer must be right for."""


class SceneDuplicates(Section):
    """Gate: scenes that say nearly the same as an older one."""

    enabled: bool = False
    """Whether the gate is on."""
    min_similarity: float = Field(default=0.8, ge=0.5, le=1.0)
    """Jaccard similarity of the sets of five characters in a row from which two scenes are the same."""


class SameQuestions(Section):
    """Gate: the same question about one picture in other words."""

    enabled: bool = False
    """Whether the gate is on."""
    min_similarity: float = Field(default=0.5, ge=0.1, le=1.0)
    """Share of both questions' telling words that they share, from which they ask the same."""


class DatasetRows(Section):
    """The rows of a dataset folder, of all splits or some."""

    kind: Literal["dataset"]
    """A folder that this project wrote."""
    path: str = Field(min_length=1)
    """The folder, which holds `data/`."""
    splits: tuple[Literal["train", "validation", "test"], ...] = Field(
        default=("train", "validation", "test"), min_length=1, strict=False
    )
    """Which of its splits."""


HeldOut = Annotated[
    BundledEvaluation | TableEvaluation | NativeEvaluation | PocketEvaluation | DatasetRows,
    Field(discriminator="kind"),
]


class Decontamination(Section):
    """Gate: rows whose picture or question is one of those that judge."""

    enabled: bool = False
    """Whether the gate is on."""
    against: tuple[HeldOut, ...] = Field(default=(), strict=False)
    """Further tables, sets or dataset folders; the recipe's own evaluation rows are looked at in any case."""
    max_distance_bits: int = Field(default=4, ge=0, le=PERCEPTUAL_HASH_BITS)
    """Two pictures are alike when at most this many of the hash's 64 bits differ."""
    ngram_words: int = Field(default=13, ge=3, le=100)
    """Words in a row that no row may share with a judging one, 13 after Brown et al. (2020), appendix C."""


class StuckAnswers(Section):
    """Gate: no answer text is right nearly whenever it is offered."""

    enabled: bool = False
    """Whether the gate is on."""
    max_share: float = Field(default=0.8, ge=0.5, le=1.0)
    """Share of the times it is offered, among three options or more, from which an answer is stuck."""
    min_offered: int = Field(default=15, ge=2, le=1_000_000)
    """How often a text must be offered before that is judged."""


class Balance(Section):
    """Gate: no kind, category or answer text has more than its share of the rows."""

    enabled: bool = False
    """Whether the gate is on."""
    max_kind_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Largest share of one kind of question, where rows name kinds, else of one task."""
    max_category_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Largest share of one category."""
    max_answer_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Largest share of one right answer's text; captions are left alone."""


class Curation(Section):
    """The gates in their order, each of which can be switched off, and what comes behind them."""

    lengths: Lengths = Lengths()
    """Descriptions that are too short or too long."""
    hostile_texts: HostileTexts = Field(default=HostileTexts(), exclude_if=HostileTexts().__eq__)
    """Texts with hidden characters, markup or orders to a model."""
    self_answering: SelfAnswering = Field(default=SelfAnswering(), exclude_if=SelfAnswering().__eq__)
    """Questions that give their answer away."""
    language: Language = Field(default=Language(), exclude_if=Language().__eq__)
    """Texts in other languages."""
    profanity: Profanity = Field(default=Profanity(), exclude_if=Profanity().__eq__)
    """Texts with profanity."""
    unsafe_words: UnsafeWords = Field(default=UnsafeWords(), exclude_if=UnsafeWords().__eq__)
    """Texts with words that nobody wants in the data."""
    personal_data: PersonalData = Field(default=PersonalData(), exclude_if=PersonalData().__eq__)
    """Texts with addresses and numbers of persons."""
    attribute_coverage: AttributeCoverage = Field(
        default=AttributeCoverage(), exclude_if=AttributeCoverage().__eq__
    )
    """Rows of whose attributes too few are known."""
    vague_texts: VagueTexts = Field(default=VagueTexts(), exclude_if=VagueTexts().__eq__)
    """Texts that say nothing definite."""
    repetition: Repetition = Field(default=Repetition(), exclude_if=Repetition().__eq__)
    """Texts that repeat themselves."""
    unfinished: Unfinished = Field(default=Unfinished(), exclude_if=Unfinished().__eq__)
    """Texts that stop before their end."""
    single_answers: SingleAnswers = Field(default=SingleAnswers(), exclude_if=SingleAnswers().__eq__)
    """Free answers that are right once."""
    blank_pictures: BlankPictures = BlankPictures()
    """Pictures that show nothing."""
    unsafe_pictures: UnsafePictures = Field(default=UnsafePictures(), exclude_if=UnsafePictures().__eq__)
    """Pictures that a classifier takes for unsafe."""
    exact_duplicates: ExactDuplicates = ExactDuplicates()
    """Pictures that are already there."""
    near_duplicates: NearDuplicates = NearDuplicates()
    """Pictures that look alike."""
    scene_duplicates: SceneDuplicates = Field(default=SceneDuplicates(), exclude_if=SceneDuplicates().__eq__)
    """Scenes that say nearly the same."""
    same_questions: SameQuestions = Field(default=SameQuestions(), exclude_if=SameQuestions().__eq__)
    """Questions about one picture that ask the same."""
    reworded_questions: RewordedQuestions = Field(
        default=RewordedQuestions(), exclude_if=RewordedQuestions().__eq__
    )
    """Questions about one picture that ask the same in other words."""
    decontamination: Decontamination = Field(default=Decontamination(), exclude_if=Decontamination().__eq__)
    """Rows that judge, or nearly."""
    stuck_answers: StuckAnswers = Field(default=StuckAnswers(), exclude_if=StuckAnswers().__eq__)
    """Answers that are right whenever they are offered."""
    second_judge: SecondJudge = Field(default=SecondJudge(), exclude_if=SecondJudge().__eq__)
    """Questions that another model answers in another way."""
    confidence: Confidence = Field(default=Confidence(), exclude_if=Confidence().__eq__)
    """Labels that their labeller was not sure of."""
    grounding: Grounding = Field(default=Grounding(), exclude_if=Grounding().__eq__)
    """Texts that say other than what is known of their row."""
    plugins: dict[str, Settings] = Field(default={}, exclude_if=operator.not_)
    """Gates of installed packages, by name, each with its settings: `[curation.plugins.NAME]`."""
    balance: Balance = Field(default=Balance(), exclude_if=Balance().__eq__)
    """Kinds, categories and answers that have more than their share."""
    letter_balance: LetterBalance = LetterBalance()
    """Answers that favour one letter."""
    blind: Blind = Field(default=Blind(), exclude_if=Blind().__eq__)
    """Questions that are answered without the picture."""
    alarm: Alarm = Field(default=Alarm(), exclude_if=Alarm().__eq__)
    """No gate: too many wrong answers in what the gates keep stop the dataset."""

    @field_validator("plugins")
    @classmethod
    def _complete(cls, given: dict[str, Settings]) -> dict[str, Settings]:
        # By name, so that their order in a file, of which keys know nothing, decides nothing.
        return {
            name: complete_settings("gates", name, given[name], cls.model_fields) for name in sorted(given)
        }

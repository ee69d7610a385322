"""What depends on what is asked: a kind of task, with what holds for most as its defaults."""

from collections.abc import Sequence
from typing import Literal

from blip_core.kinds.label_text import ParsedLabel, Refusal, parse_free_answer
from blip_core.records import Example, Label

Learn = Literal["target", "whole"]


class Kind:
    """A kind of row: what it must hold, what is asked of it, what it teaches and how it is called.

    The defaults are those of a question that is answered freely.

    Attributes:
        name: as rows and recipes write it.
        rows_are: what a dataset of such rows holds, in words.
        done: what a model has done with such rows, after their number.
        hub_category: the hub's name of the task, for the card.
        has_options: whether a row is answered by the letter of one of its options.
        asks: whether something is asked about the picture; where nothing is, there is one stage.
        places: what the answering prompt has to have a place for, besides a description.
        further_places: what it may have one for.
        main_measure: that variants are ranked by, of `blip_core.scoring.measures`.
        judged_as: shipped kind whose measures say something of its answers.
        prompt: how such rows are asked where no recipe says it.
        table_fields: columns that a table of such rows cannot do without.
        answer_field: the one that holds what is right.
        passes_over: columns that are not looked for.
        label_fields: parts of a label as its text names them, options by their letters; empty where
            `parse_label` reads another form.
        learn: what a language model that reads prompt and answer as one text is taught: the answer (`target`)
            or both (`whole`). A model that reads them apart learns the answer.
    """

    name: str
    rows_are: str
    done: str = "questions answered"
    hub_category: str = "visual-question-answering"
    has_options: bool = False
    asks: bool = True
    places: frozenset[str] = frozenset({"question"})
    further_places: frozenset[str] = frozenset({"context"})
    main_measure: str = "vqa-accuracy"
    judged_as: str = "vqa"
    prompt: str = "Question: {question} Answer:"
    table_fields: tuple[str, ...] = ("image", "question")
    answer_field: str = "answer"
    passes_over: frozenset[str] = frozenset({"options", "caption"})
    label_fields: tuple[str, ...] = ()
    learn: Learn = "target"

    def counted(self, rows: int, pictures: int) -> str:
        """How many rows there are about how many pictures, in words."""
        said, of = ("question", "about") if self.asks else ("caption", "of")
        return f"{_several(rows, said)} {of} {_several(pictures, 'picture')}"

    def columns_needed(self, answered: bool = True) -> tuple[str, ...]:
        """Columns that a table needs, with the one that holds what is right where it teaches or judges."""
        return (*self.table_fields, self.answer_field) if answered else self.table_fields

    def empty_field(self, row: Example) -> str:
        """Name of a text that a row has to hold and does not; empty where it holds all of them."""
        texts = {"target": row.target, "question": row.question}
        return next((field for field, text in texts.items() if not text.strip()), "")

    def described(self, row: Example) -> str:
        """The text of a row that describes its picture; empty where there is none."""
        return row.description

    def asked(self, row: Example) -> str:
        """What makes two rows about one picture the same."""
        return row.question

    def choices(self, row: Example) -> tuple[str, ...]:
        """What can be answered; one empty text where anything can."""
        del row
        return ("",)

    def answer(self, row: Example) -> str:
        """What is right, as a row says it."""
        return row.target

    def learnt(self, row: Example) -> str:
        """What a model is taught to say; empty where a row does not tell."""
        return self.answer(row).strip()

    def options_shown(self, row: Example) -> str:
        """The options on one line, for people; empty where there are none."""
        del row
        return ""

    @property
    def label_identity(self) -> dict[str, str]:
        """What tells how a labeller's text is read, for the key of labels."""
        return {"kind": self.name}

    def parse_label(self, text: str) -> ParsedLabel | Refusal:
        """Read what a labeller wrote; never raises.

        The form is `Question:` and `Answer:`, each at the start of a line, with `Description:` before them or
        not. Where options were listed and the answer is one's letter, that option is the answer.

        Returns:
            The label, or a refusal: `missing-question`, `missing-answer`, `repeated-part`, `template-echo`,
            `too-long`.
        """
        return parse_free_answer(text)

    def shuffled(self, label: ParsedLabel, seed: int) -> ParsedLabel:
        """The label with its options in another order, where it has any."""
        del seed
        return label

    def label_target(self, label: Label) -> str:
        """What a label says is right, in words."""
        return label.answer

    def nothing_to_learn(self, rows: Sequence[Example]) -> str:
        """Why rows that are sound one by one teach nothing together; empty where they do."""
        del rows
        return ""


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

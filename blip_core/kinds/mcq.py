"""Questions with two to ten options, answered by a letter."""

from collections.abc import Sequence

from blip_core.kinds.four_options import parse_label, shuffle_options
from blip_core.kinds.kind import Kind
from blip_core.kinds.label_text import ParsedLabel, Refusal
from blip_core.records import OPTION_LETTERS, Example, Label


class Mcq(Kind):
    """A multiple-choice question."""

    name = "mcq"
    rows_are = "pictures with four-option questions"
    has_options = True
    places = frozenset({"question", "a", "b", "c", "d"})
    further_places = frozenset({"letters", "context"})
    main_measure = "letter-right"
    judged_as = "mcq"
    table_fields = ("image", "question", "a", "b")
    passes_over = frozenset({"caption"})
    label_fields = ("description", "question", "A", "B", "C", "D", "answer")

    def empty_field(self, row: Example) -> str:
        lettered = zip(OPTION_LETTERS, listed(row), strict=False)
        return super().empty_field(row) or next((letter for letter, text in lettered if not text.strip()), "")

    def choices(self, row: Example) -> tuple[str, ...]:
        return row.options[: row.offered]

    def answer(self, row: Example) -> str:
        return row.answer

    def learnt(self, row: Example) -> str:
        return row.answer if row.answer in OPTION_LETTERS[: row.offered] else ""

    def options_shown(self, row: Example) -> str:
        lettered = zip(OPTION_LETTERS, row.options, strict=False)
        return " / ".join(f"{letter}. {text}" for letter, text in lettered if text)

    @property
    def label_identity(self) -> dict[str, str]:
        return {}  # labels that were made before there were kinds keep their keys

    def parse_label(self, text: str) -> ParsedLabel | Refusal:
        return parse_label(text)

    def shuffled(self, label: ParsedLabel, seed: int) -> ParsedLabel:
        return shuffle_options(label, seed)

    def label_target(self, label: Label) -> str:
        return label.options["ABCD".index(label.answer)]

    def nothing_to_learn(self, rows: Sequence[Example]) -> str:
        letters = {row.answer for row in rows}
        if len(letters) != 1:
            return ""
        return (
            f"the answer of all {len(rows)} rows to train on is {letters.pop()}: a model would learn the "
            "letter and nothing else; shuffle the options, or bring more rows"
        )


def listed(row: Example) -> tuple[str, ...]:
    """The options up to the last one that is written, two at least."""
    written = [place for place, option in enumerate(row.options) if option.strip()]
    return row.options[: max([1, *written]) + 1]


KIND = Mcq()

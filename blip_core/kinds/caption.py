"""Captions: nothing is asked, the target describes the picture."""

from collections.abc import Sequence

from blip_core.kinds.kind import Kind
from blip_core.kinds.label_text import ParsedLabel, Refusal, parse_caption
from blip_core.records import Example, Label
from blip_core.texts import loose


class Caption(Kind):
    """A picture and the text that describes it."""

    name = "caption"
    rows_are = "pictures with captions"
    done = "captions written"
    hub_category = "image-to-text"
    asks = False
    places = frozenset()
    further_places = frozenset()
    main_measure = "cider"
    judged_as = "caption"
    prompt = "a photo of"
    table_fields = ("image",)
    answer_field = "caption"
    passes_over = frozenset({"options", "question", "answer", "context", "description"})
    label_fields = ("description",)
    learn = "whole"  # its prompt begins the sentence that the caption goes on with

    def empty_field(self, row: Example) -> str:
        return "" if row.target.strip() else "target"

    def described(self, row: Example) -> str:
        return row.target

    def parse_label(self, text: str) -> ParsedLabel | Refusal:
        """Read a caption: what follows `Description:`, or the whole text where no part is named."""
        return parse_caption(text)

    def label_target(self, label: Label) -> str:
        return label.description

    def nothing_to_learn(self, rows: Sequence[Example]) -> str:
        texts = {loose(row.target) for row in rows}
        if len(rows) < 2 or len(texts) != 1:
            return ""
        return (
            f"all {len(rows)} captions to train on say {rows[0].target!r}: a model would learn the words and "
            "nothing about pictures; name the right column, or mend what writes them"
        )

    def asked(self, row: Example) -> str:
        return row.target


KIND = Caption()

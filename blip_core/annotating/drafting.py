"""Step: the labeller, or the adapter of an earlier phase, describes each picture."""

from collections.abc import Sequence

from blip_core.annotating.step import Context, Step, Worked, batches, part, refuse, with_text
from blip_core.images import decode_picture
from blip_core.ports import rows_named
from blip_core.recipes.annotations import Draft
from blip_core.records import Example, Rejection


def draft(rows: Sequence[Example], settings: Draft, context: Context) -> Worked:
    """Write a description, or the text to learn; a row about which nothing is said is refused.

    Reason: `nothing-drafted`.
    """
    said = dict(
        zip(
            map(id, rows), ask(rows, settings.batch_size, [settings.prompt] * len(rows), context), strict=True
        )
    )

    def write(row: Example) -> Example | Rejection:
        text = " ".join(said[id(row)].split())
        return (
            with_text(row, settings.writes, text) if text else refuse(row, "nothing-drafted", "an empty text")
        )

    return part(rows, write)


def ask(
    rows: Sequence[Example], size: int, prompts: Sequence[str], context: Context, attempt: int = 0
) -> list[str]:
    """What the labeller says of each row's picture under the row's prompt."""
    labeller = context.models.open("labeller")
    texts: list[str] = []
    for batch in batches(rows, size):
        pictures = [decode_picture(row.image, row.id) for row in batch]
        asked = prompts[len(texts) : len(texts) + len(batch)]
        with rows_named([row.id for row in batch]):
            texts += labeller.label(pictures, asked, context.seeds(batch, "draft", attempt))
    return texts


STEP = Step("draft", "a description of each picture, by the labeller or an earlier adapter", Draft, draft)

"""What the annotation steps of a phase owe each other and the phases before it."""

from collections.abc import Collection, Sequence

from blip_core.recipes.annotations import LABELLER, ROW_PLACES, Annotation, Ask, Attributes, labels_of_steps
from blip_core.recipes.base import check_placeholders


def check_annotations(
    steps: Sequence[Annotation], earlier: Sequence[str], known: Collection[str] = ()
) -> None:
    """Refuse steps that take what is not there: a later phase's adapter, or an attribute nobody finds.

    Args:
        steps: of one phase.
        earlier: phases before it.
        known: attributes that the source tells.

    Raises:
        ValueError: One does; the message names it.
    """
    allowed = (LABELLER, *earlier)
    found = {*known}
    for label, step in zip(labels_of_steps(steps), steps, strict=True):
        if step.drafts_by and step.drafts_by not in allowed:
            raise ValueError(
                f"annotations.{label}.by is {step.drafts_by}, which is no earlier phase; allowed here: "
                f"{', '.join(allowed)}"
            )
        if isinstance(step, Attributes):
            found |= {bank.name for bank in step.banks}
            check_placeholders(f"annotations.{label}.writes", step.writes, set(), ROW_PLACES | found)
        if isinstance(step, Ask):
            for template in step.templates:
                places = ROW_PLACES | found
                check_placeholders(
                    f"annotations.{label}.templates.question", template.question, set(), places
                )
                check_placeholders(f"annotations.{label}.templates.answer", template.answer, set(), places)

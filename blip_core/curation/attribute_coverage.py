"""Gate: rows of whose attributes enough are known."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.recipes.curation import AttributeCoverage
from blip_core.records import Example, Rejection
from blip_core.texts import loose


def check_coverage(rows: Sequence[Example], settings: AttributeCoverage) -> Kept:
    """Refuse rows of whose attributes too few were found, or with too little margin.

    An attribute is known where the row has a word for it that does not stand for none, and where its stored
    margin, if an annotation step left one, reaches the bound. Reason: `attributes-unknown`.
    """
    nothing = {"", loose(settings.undefined)}

    def judge(row: Example) -> Rejection | None:
        names = settings.attributes or tuple(row.attributes)
        unknown = [
            name
            for name in names
            if loose(row.attributes.get(name, "")) in nothing
            or row.scores.get(f"{name}-margin", settings.min_margin) < settings.min_margin
        ]
        known = len(names) - len(unknown)
        if names and known >= settings.min_share * len(names):
            return None
        told = f"{', '.join(unknown)} unknown" if names else "no attribute"
        return refuse(row, "attributes-unknown", f"{told}: {known} of {len(names)} are known")

    return part(rows, judge)


GATE = Gate(
    "attribute_coverage", "rows of whose attributes too few are known", AttributeCoverage, check_coverage
)

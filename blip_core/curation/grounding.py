"""Gate: texts that name what is known of their row, and nothing else of that sort.

Where people would look at each picture and drop what is described wrongly, known attributes take their place.
"""

from collections.abc import Mapping, Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.recipes.curation import Grounding
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.naming import foreign, listed, told


def check_attributes(rows: Sequence[Example], settings: Grounding) -> Kept:
    """Refuse texts that leave a word of their row's attributes out, or say one that is another row's.

    Of an attribute that a row has not nothing is asked. Reasons: `not-named`, `named-wrongly`.
    """
    names = settings.attributes or sorted({name for row in rows for name in row.attributes})
    words = {
        name: sorted({word for row in rows for word in listed(row.attributes.get(name, ""))})
        for name in names
    }
    return part(rows, lambda row: _judge(row, words))


def _judge(row: Example, words: Mapping[str, Sequence[str]]) -> Rejection | None:
    text = kind_of(row.task).learnt(row)
    for name, every in words.items():
        own = set(listed(row.attributes.get(name, "")))
        said = told(text, every) if own else own
        if missing := sorted(own - said):
            return refuse(row, "not-named", f"{name} is {', '.join(own)}; {text!r} lacks {missing[0]}")
        if wrong := sorted(foreign(said, own)):
            return refuse(row, "named-wrongly", f"{name} is {', '.join(own)}; {text!r} says {wrong[0]}")
    return None


GATE = Gate("grounding", "texts that say other than what is known of their row", Grounding, check_attributes)

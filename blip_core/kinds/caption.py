"""Captions: nothing is asked, the target describes the picture."""

from blip_core.kinds.kind import Kind
from blip_core.records import Example


class Caption(Kind):
    """A picture and the text that describes it."""

    name = "caption"
    rows_are = "pictures with captions"
    hub_category = "image-to-text"
    asks = False
    places = frozenset()
    main_measure = "cider"
    judged_as = "caption"

    def empty_field(self, row: Example) -> str:
        return "" if row.target.strip() else "target"

    def described(self, row: Example) -> str:
        return row.target

    def asked(self, row: Example) -> str:
        return row.target


KIND = Caption()

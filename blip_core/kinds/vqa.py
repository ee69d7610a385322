"""Questions with free answers."""

from blip_core.kinds.kind import Kind


class Vqa(Kind):
    """A question that is answered in words of one's own."""

    name = "vqa"
    rows_are = "pictures with questions and free answers"
    label_fields = ("description", "question", "answer")
    learn = "whole"  # where the answer alone is taught, small models forget how questions are put


KIND = Vqa()

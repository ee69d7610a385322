"""By which measure variants are ranked, for each kind of row."""

from blip_core.scoring.measures import Measure, measure_named

_MAIN = {"mcq": "letter-right", "vqa": "vqa-accuracy", "caption": "cider"}


def main_measure(task: str) -> Measure:
    """The measure of the ladder, of champions and of the first metric of a run."""
    return measure_named(_MAIN[task])

"""Review by people: a page to decide on, how far several of them agree, and a gate of their decisions."""

from blip_core.reviewing.agreement import Agreement, agreements, cohens_kappa
from blip_core.reviewing.apply import GATE, Applied, Reviewed, apply_review, check_review
from blip_core.reviewing.bringing_back import Splitting
from blip_core.reviewing.choosing import Choice, choose
from blip_core.reviewing.page import ReviewPage, write_page
from blip_core.reviewing.verdicts import Verdict, verdicts

__all__ = [
    "GATE",
    "Agreement",
    "Applied",
    "Choice",
    "ReviewPage",
    "Reviewed",
    "Splitting",
    "Verdict",
    "agreements",
    "apply_review",
    "check_review",
    "choose",
    "cohens_kappa",
    "verdicts",
    "write_page",
]

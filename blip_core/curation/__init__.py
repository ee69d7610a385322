"""The gates that decide which examples are worth training on, one a file."""

from blip_core.curation.alarm import check_alarm, estimate_wrong
from blip_core.curation.curate import STAGE, Curated, Models, curate
from blip_core.curation.funnel import GateCount, GateSample
from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.gates import check_judges, gates_on, shipped_gates

VERSION = 5
"""Goes up when a gate refuses other rows, rows are split in another way, or the card says other things."""

__all__ = [
    "STAGE",
    "VERSION",
    "Curated",
    "Gate",
    "GateCount",
    "GateSample",
    "Kept",
    "Models",
    "check_alarm",
    "check_judges",
    "curate",
    "estimate_wrong",
    "gates_on",
    "part",
    "refuse",
    "shipped_gates",
]

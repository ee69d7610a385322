"""The gates that decide which examples are worth training on, one a file."""

from blip_core.curation.curate import STAGE, Curated, GateCount, Models, curate
from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.gates import gates_on, shipped_gates

VERSION = 3
"""Goes up when a gate refuses other rows, or rows are split in another way."""

__all__ = [
    "STAGE",
    "VERSION",
    "Curated",
    "Gate",
    "GateCount",
    "Kept",
    "Models",
    "curate",
    "gates_on",
    "part",
    "refuse",
    "shipped_gates",
]

"""The gates that decide which examples are worth training on, one a file."""

from blip_core.curation.curate import STAGE, Curated, GateCount, curate

__all__ = ["STAGE", "Curated", "GateCount", "curate"]

"""The gates that decide which examples are worth training on, one a file."""

from blip_core.curation.curate import STAGE, Curated, GateCount, curate
from blip_core.curation.pictures import MAX_PICTURE_PX, decode_picture

__all__ = ["MAX_PICTURE_PX", "STAGE", "Curated", "GateCount", "curate", "decode_picture"]

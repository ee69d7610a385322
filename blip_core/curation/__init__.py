"""The gates that decide which examples are worth training on, one a file."""

from blip_core.curation.curate import STAGE, Curated, GateCount, curate
from blip_core.curation.pictures import (
    MAX_FILE_BYTES,
    MAX_PICTURE_PX,
    as_shown,
    decode_picture,
    is_plain,
    open_picture,
)

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PICTURE_PX",
    "STAGE",
    "Curated",
    "GateCount",
    "as_shown",
    "curate",
    "decode_picture",
    "is_plain",
    "open_picture",
]

"""Published sets in the files they come in, one layout a file."""

from blip_core.sources.native.judged import NativeExamples
from blip_core.sources.native.layout import Layout, NativeRow, Unusable
from blip_core.sources.native.layouts import layout_of, shipped_layouts
from blip_core.sources.native.reading import (
    check_native,
    count_native,
    native_digest,
    read_native,
    read_native_pictures,
)

__all__ = [
    "Layout",
    "NativeExamples",
    "NativeRow",
    "Unusable",
    "check_native",
    "count_native",
    "layout_of",
    "native_digest",
    "read_native",
    "read_native_pictures",
    "shipped_layouts",
]

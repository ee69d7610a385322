"""Datasets in the forms that other tools read, one file a format."""

from blip_core.exporting.export import Exported, export
from blip_core.exporting.formats import format_names, format_of

__all__ = ["Exported", "export", "format_names", "format_of"]

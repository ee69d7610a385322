"""Pictures and questions that come from outside."""

from blip_core.sources.folder import read_folder
from blip_core.sources.table import read_examples, read_table, read_table_pictures

__all__ = ["read_examples", "read_folder", "read_table", "read_table_pictures"]

"""Pictures and questions that come from outside."""

from blip_core.sources.answers import AnswerReading
from blip_core.sources.columns import (
    ANSWERED_FIELDS,
    CHOICE_FIELDS,
    FIELDS,
    PICTURE_FIELDS,
    Columns,
    guess_columns,
)
from blip_core.sources.digests import folder_digest
from blip_core.sources.folder import folder_files, picture_names, read_folder
from blip_core.sources.formats.dataset_folders import is_dataset
from blip_core.sources.native import (
    NativeExamples,
    check_native,
    count_native,
    layout_of,
    native_digest,
    read_native,
    read_native_pictures,
)
from blip_core.sources.order import shuffle_rows
from blip_core.sources.pictures import count_flags
from blip_core.sources.plugged import Found, PictureSource, count_plugin, plugin_digest, read_plugin
from blip_core.sources.share import MAX_REFUSED_SHARE, check_share
from blip_core.sources.table import iter_table, read_examples, read_table, read_table_pictures
from blip_core.sources.table_keys import questions_asked, table_digest
from blip_core.sources.table_view import (
    TableFiles,
    TableView,
    answer_reading,
    files_of_kind,
    find_columns,
    look_at,
    table_files,
)
from blip_core.sources.tabular import column_names

__all__ = [
    "ANSWERED_FIELDS",
    "CHOICE_FIELDS",
    "FIELDS",
    "MAX_REFUSED_SHARE",
    "PICTURE_FIELDS",
    "AnswerReading",
    "Columns",
    "Found",
    "NativeExamples",
    "PictureSource",
    "TableFiles",
    "TableView",
    "answer_reading",
    "check_native",
    "check_share",
    "column_names",
    "count_flags",
    "count_native",
    "count_plugin",
    "files_of_kind",
    "find_columns",
    "folder_digest",
    "folder_files",
    "guess_columns",
    "is_dataset",
    "iter_table",
    "layout_of",
    "look_at",
    "native_digest",
    "picture_names",
    "plugin_digest",
    "questions_asked",
    "read_examples",
    "read_folder",
    "read_native",
    "read_native_pictures",
    "read_plugin",
    "read_table",
    "read_table_pictures",
    "shuffle_rows",
    "table_digest",
    "table_files",
]

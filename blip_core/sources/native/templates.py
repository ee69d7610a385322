"""Texts of rows that have attributes in place of texts."""

from dataclasses import replace
from string import Formatter

from blip_core.recipes import Section
from blip_core.recipes.native import AttributeSettings
from blip_core.sources.cells import RowRefused
from blip_core.sources.native.layout import NativeRow


def texts_made(row: NativeRow, settings: Section) -> NativeRow:
    """The row with the texts that a recipe makes of its attributes; as it is where none are made.

    Raises:
        RowRefused: `missing-attribute`: a text needs one that the row does not tell.
    """
    if not isinstance(settings, AttributeSettings):
        return row
    made = row
    if settings.caption:
        made = replace(made, captions=(_filled(settings.caption, row, settings.undefined),))
    if settings.question:
        answer = _filled(settings.answer, row, settings.undefined) if settings.answer else ""
        made = replace(made, question=_filled(settings.question, row, settings.undefined), answers=(answer,))
    return made


def _filled(template: str, row: NativeRow, undefined: str) -> str:
    names = {name for _, name, _, _ in Formatter().parse(template) if name}
    words = {name: row.attributes.get(name) or undefined for name in names}
    missing = sorted(name for name, word in words.items() if not word)
    if missing:
        raise RowRefused("missing-attribute", f"{', '.join(missing)} is not told")
    return template.format_map(words)

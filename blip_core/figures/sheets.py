"""Pictures with their captions on one sheet."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from blip_core.figures.style import INK

_THUMBNAIL_PX = 192
_MARGIN_PX = 14
_CAPTION_PX = 14
_CAPTION_LINES = 5
_LINE_PX = 18
_PAPER = "#FAFAF8"


def contact_sheet(pictures: Sequence[bytes], captions: Sequence[str], columns: int = 5) -> Image.Image:
    """Lay encoded pictures out in a grid, each above its caption.

    Small pictures are enlarged pixel by pixel, large ones reduced, so that every one is about 192 px wide.
    A caption keeps its own line breaks, is wrapped, and ends in an ellipsis after five lines.

    Raises:
        ValueError: when there are no pictures, or not as many captions.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError(
            f"a sheet needs a caption a picture; got {len(pictures)} pictures, {len(captions)} captions"
        )
    columns = min(columns, len(pictures))
    font = ImageFont.load_default(_CAPTION_PX)
    thumbnails = [_thumbnail(picture) for picture in pictures]
    texts = [_wrap(caption, font) for caption in captions]
    cell_px = _THUMBNAIL_PX + _MARGIN_PX
    rows = [range(start, min(start + columns, len(pictures))) for start in range(0, len(pictures), columns)]
    heights = [_row_height(row, thumbnails, texts) for row in rows]
    sheet = Image.new("RGB", (columns * cell_px + _MARGIN_PX, sum(heights) + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN_PX
    for row, height in zip(rows, heights, strict=True):
        for column, index in enumerate(row):
            left = _MARGIN_PX + column * cell_px
            _draw_cell(sheet, draw, (left, top), thumbnails[index], texts[index], font)
        top += height
    return sheet


def _thumbnail(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "WEBP")).convert("RGB")
    factor = _THUMBNAIL_PX / max(image.size)
    if factor >= 1:
        whole = max(int(factor), 1)  # whole multiples keep every pixel square
        return image.resize((image.width * whole, image.height * whole), Image.Resampling.NEAREST)
    size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
    return image.resize(size, Image.Resampling.LANCZOS)


def _wrap(caption: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> list[str]:
    lines = [line for part in caption.splitlines() for line in _wrap_line(part, font)]
    if len(lines) <= _CAPTION_LINES:
        return lines
    last = lines[_CAPTION_LINES - 1]
    while last and font.getlength(last + "…") > _THUMBNAIL_PX:
        last = last[:-1]
    return [*lines[: _CAPTION_LINES - 1], last.rstrip() + "…"]


def _wrap_line(text: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= _THUMBNAIL_PX:
            lines[-1] = longer
            continue
        head, *rest = _break_word(word, font)
        lines = [*(line for line in lines if line), head, *rest]
    return lines


def _break_word(word: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> list[str]:
    pieces = [""]
    for letter in word:
        if font.getlength(pieces[-1] + letter) > _THUMBNAIL_PX:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _row_height(row: range, thumbnails: Sequence[Image.Image], texts: Sequence[Sequence[str]]) -> int:
    picture_px = max(thumbnails[index].height for index in row)
    text_px = _LINE_PX * max(len(texts[index]) for index in row)
    return picture_px + text_px + 2 * _MARGIN_PX


def _draw_cell(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    thumbnail: Image.Image,
    lines: Sequence[str],
    font: "ImageFont.FreeTypeFont | ImageFont.ImageFont",
) -> None:
    left, top = corner
    sheet.paste(thumbnail, corner)
    for number, line in enumerate(lines):
        position = (left, top + thumbnail.height + _MARGIN_PX // 2 + number * _LINE_PX)
        draw.text(position, line, font=font, fill=INK)

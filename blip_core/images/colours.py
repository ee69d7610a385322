"""What pixels mean: numbers of any kind and profile become the red, green and blue that a viewer shows."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

MAX_PROFILE_BYTES = 4 * 1024 * 1024  # those of printing presses have up to 3 MB
NEAR_SRGB = 3  # of 255: what the roundings of the many profiles called sRGB differ by

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}  # mode -> what its profile calls it
_PROBED_LEVELS = (0, 48, 96, 144, 192, 255)
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0
_BYTE, _SHORT = 255, 65_535
_CACHED_PROFILES = 8  # pictures of one camera share one


def parts(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours of a loaded picture (RGB, L or CMYK, 8 bits) and how opaque each pixel is, if not all are.

    Raises:
        ValueError: Its numbers are no shades.
    """
    if image.mode.startswith(("I", "F")):
        return _shades(image)
    if image.mode in ("La", "RGBa"):  # colours multiplied with their opacity
        image = image.convert(image.mode[:-1] + "A")
    if not image.has_transparency_data:
        return image.copy() if image.mode in _SPACES else image.convert(
            "L" if image.mode == "1" else "RGB"
        ), None
    seen = image.convert("RGBA")
    opaque = seen.getchannel("A")
    # Bitmaps are written with an empty fourth channel that means nothing.
    is_void = image.format == "BMP" and opaque.getextrema() == (0, 0)
    return seen.convert("RGB"), None if is_void else opaque


def _shades(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Grey of more than 8 bits, or of fractions."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = (values >> 8).astype(np.uint8)
    else:
        grey = _scaled(values)
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = _BYTE - grey
    key = image.info.get("transparency")
    opaque = None if key is None else Image.fromarray(np.where(values == key, 0, _BYTE).astype(np.uint8))
    return Image.fromarray(grey), opaque


def _scaled(values: NDArray[Any]) -> NDArray[np.uint8]:
    """The first of the ranges to 1 (of fractions), 255 and 65,535 that holds all values becomes 0 to 255."""
    least, most = float(values.min()), float(values.max())
    ceilings = (1, _BYTE, _SHORT) if values.dtype.kind == "f" else (_BYTE, _SHORT)
    white = next((ceiling for ceiling in ceilings if least >= 0 and most <= ceiling), None)
    if white is None:  # where one is no number, both ends are none
        raise ValueError(f"its numbers, {least:g} to {most:g}, are no shades of grey: save it with 8 bits")
    return (values * (_BYTE / white)).astype(np.uint8)


def is_srgb(mode: str, profile: bytes | None) -> bool:
    """Whether pixels are shown as they stand: there is no profile, or it changes nothing."""
    return _transform(mode, profile or b"") is None


def in_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours of mode RGB, L or CMYK as sRGB; without a profile, or with a damaged one, as they stand."""
    transform = _transform(colours.mode, profile or b"")
    if transform is None:
        return colours.convert("RGB")
    shown = ImageCms.applyTransform(colours, transform)
    return shown if shown is not None else colours.convert("RGB")


@lru_cache(maxsize=_CACHED_PROFILES)
def _transform(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """How pixels become sRGB; None where they are, and where a profile is damaged or of other pixels."""
    if mode not in _SPACES or not 0 < len(profile) <= MAX_PROFILE_BYTES:
        return None
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if given.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            given,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if mode != "CMYK" and _changes_nothing(mode, transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError):  # the note is lost, the picture is not
        return None


def _changes_nothing(mode: str, transform: ImageCms.ImageCmsTransform) -> bool:
    levels = np.array(_PROBED_LEVELS, dtype=np.uint8)
    probe = (
        levels[None]
        if mode == "L"
        else np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    )
    before = Image.fromarray(probe)
    after = ImageCms.applyTransform(before, transform)
    differences = np.abs(np.asarray(after, dtype=int) - np.asarray(before.convert("RGB"), dtype=int))
    return int(differences.max()) <= NEAR_SRGB

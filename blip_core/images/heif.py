"""HEIC, as phones write it: read by pillow-heif, which not everybody has (decision 4)."""

from functools import lru_cache

FORMAT = "HEIF"
INSTALL = "python -m pip install pillow-heif"

# ISO/IEC 23008-12: brands of pictures and sequences in HEVC, and of containers that may hold those or AV1.
_CODED = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_CONTAINERS = frozenset((b"mif1", b"msf1"))
_AV1 = frozenset((b"avif", b"avis"))
_BOXES = frozenset((b"ftyp", b"meta", b"mdat", b"moov", b"idat", b"free", b"skip"))
_HEADER_BYTES, _LONG = 8, 1


def is_heif(data: bytes) -> bool:
    """Whether bytes begin as a HEIC picture, or another in a HEIF container, does; AVIF is none."""
    if data[4:8] != b"ftyp":
        return False
    end = int.from_bytes(data[:4], "big")
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(end, 256), 4))}
    return bool(brands & _CODED) or (data[8:12] in _CONTAINERS and not brands & _AV1)


def check_whole(data: bytes) -> None:
    """Refuse a HEIC that is cut short: libheif would leave the tiles that are missing black.

    Boxes are walked after ISO/IEC 14496-12, 4.2, up to the first that is none: cameras put notes behind them.

    Raises:
        ValueError: A box is longer than the rest of the file.
    """
    position = 0
    while data[position + 4 : position + 8] in _BOXES:
        size = int.from_bytes(data[position : position + 4], "big")
        if size == _LONG:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if position + size > len(data):
            raise ValueError("it is cut short")
        if size < _HEADER_BYTES:  # the last box, which goes on to the end of the file
            return
        position += size


@lru_cache(maxsize=1)
def can_read_heif() -> bool:
    """Whether pillow-heif is there; it is brought into Pillow at the first call.

    What a file holds beside the picture is left alone. libheif bounds what a file may claim.
    """
    try:
        from pillow_heif import register_heif_opener

        register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    except ImportError:  # not installed, or built for another system
        return False
    return True

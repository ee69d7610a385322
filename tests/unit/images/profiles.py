"""Small ICC profiles, written by hand after ICC.1:2001-04 (version 2.4): wide colours, grey and inks."""

import struct
from collections.abc import Mapping

_WHITE = (0.9642, 1.0, 0.8249)  # D50
_INK_LAB = {"C": (55, -37, -50), "M": (48, 74, -3), "Y": (89, -5, 93)}  # FOGRA39's solid inks, rounded


def wide_profile() -> bytes:
    """RGB with the primaries of Display P3, adapted to D50, and a gamma of 2.2."""
    primaries = {
        b"rXYZ": _xyz(0.51512, 0.24120, -0.00105),
        b"gXYZ": _xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": _xyz(0.15710, 0.06657, 0.78407),
    }
    curves = {name: _gamma(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"RGB ", b"XYZ ", b"mntr", primaries | curves)


def srgb_like_profile() -> bytes:
    """RGB with the primaries of sRGB and a gamma of 2.2, as many editors call sRGB."""
    primaries = {
        b"rXYZ": _xyz(0.43607, 0.22249, 0.01392),
        b"gXYZ": _xyz(0.38515, 0.71687, 0.09708),
        b"bXYZ": _xyz(0.14307, 0.06061, 0.71410),
    }
    curve = b"curv\0\0\0\0" + struct.pack(">I", 256) + b"".join(map(_srgb_level, range(256)))
    return _profile(b"RGB ", b"XYZ ", b"mntr", primaries | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def linear_grey_profile() -> bytes:
    """Grey whose numbers are amounts of light."""
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": _gamma(1.0)})


def ink_profile() -> bytes:
    """CMYK whose inks are those of a printing press: a table of the 16 ways to lay them over each other."""
    ramp = bytes(range(256))
    corners = b"".join(_ink_corner(number) for number in range(16))
    matrix = b"".join(_fixed(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + corners + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": table})


def _ink_corner(number: int) -> bytes:
    cyan, magenta, yellow, black = (number >> 3) & 1, (number >> 2) & 1, (number >> 1) & 1, number & 1
    if black:
        return bytes((40, 128, 128))
    lightness, a, b = 100.0, 0.0, 0.0
    for inked, name in ((cyan, "C"), (magenta, "M"), (yellow, "Y")):
        if inked:
            lightness *= _INK_LAB[name][0] / 100
            a, b = a + _INK_LAB[name][1], b + _INK_LAB[name][2]
    return bytes((round(lightness * 2.55), _byte(128 + a), _byte(128 + b)))


def _byte(value: float) -> int:
    return max(0, min(255, round(value)))


def _srgb_level(level: int) -> bytes:
    value = level / 255
    light = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    return struct.pack(">H", round(light * 65_535))


def _profile(space: bytes, between: bytes, kind: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    tags = {b"desc": _description(space), b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(*_WHITE), **tags}
    start, table, content = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(content), len(padded))
        content += padded
    header = struct.pack(">I4sI4s4s4s", start + len(content), b"none", 0x02400000, kind, space, between)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += b"".join(_fixed(value) for value in _WHITE)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + content


def _description(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65_536))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _gamma(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))

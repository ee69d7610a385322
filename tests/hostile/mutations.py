"""Seeded damage to bytes and texts: the same case number gives the same case on every machine."""

import random

from tests.hostile.texts import ALPHABETS, PIECES


def damaged(data: bytes, case: int) -> bytes:
    """Bytes with a few flipped, replaced, doubled, moved or cut away."""
    rng = random.Random(f"bytes {case}")
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        rng.choice((_flip, _replace, _cut, _double, _blank))(damaged, rng)
    return bytes(damaged)


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _replace(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    extreme = rng.choice(
        (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", rng.randbytes(4))
    )
    data[start : start + len(extreme)] = extreme


def _cut(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    del data[start : start + rng.choice((1, 4, 16, len(data)))]


def _double(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    data[start:start] = data[start : start + rng.randint(1, 64)]


def _blank(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    length = min(rng.randint(1, 32), len(data) - start)
    data[start : start + length] = bytes(length)


def mutated(sound: str, case: int) -> str:
    """A text in a form, damaged where parsers look: every third case is no form at all."""
    rng = random.Random(f"text {case}")
    if case % 3 == 0:
        return _random_text(rng)
    text = sound
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        text = rng.choice((_insert, _delete, _repeat, _swap_lines, _drop_line, _replace_char))(text, rng)
    return text


def _random_text(rng: random.Random) -> str:
    alphabet = rng.choice(ALPHABETS)
    return "".join(rng.choices(alphabet, k=rng.choice((0, 1, 3, 30, 300))))


def _insert(text: str, rng: random.Random) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + rng.choice(PIECES) * rng.choice((1, 1, 2, 50)) + text[start:]


def _delete(text: str, rng: random.Random) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + text[start + rng.randint(1, 12) :]


def _repeat(text: str, rng: random.Random) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + text[start : start + rng.randint(1, 40)] * rng.choice((2, 3, 20)) + text[start:]


def _swap_lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def _drop_line(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def _replace_char(text: str, rng: random.Random) -> str:
    if not text:
        return text
    start = rng.randrange(len(text))
    return text[:start] + rng.choice(rng.choice(ALPHABETS)) + text[start + 1 :]

"""Ratios that are quoted are the lowest that the benchmarks wrote, of all kinds of processor."""

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.processors import ENTRIES, lowest

ROOT = Path(__file__).parents[2]


def entries(name: str) -> Any:
    return json.loads((ROOT / "docs" / "benchmarks" / name).read_text(encoding="utf-8"))[ENTRIES]


PAGE = (ROOT / "docs" / "benchmarks" / "README.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def quoted_rows() -> list[str]:
    return [line for line in PAGE.splitlines() if line[:1] == "|"]


def rounded(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.1f}"


def test_the_ratio_of_tuning_is_the_measured_one() -> None:
    measured = entries("finetune.json")
    headline, published = (
        rounded(lowest(measured, name)) for name in ("ratio_cpu", "ratio_cpu_published_shares")
    )

    assert f"Tuning is {headline} times as fast" in README
    assert f"{published} in the\nproportions of flan-t5-xl" in README
    (row,) = [line for line in quoted_rows() if "`make bench-finetune`" in line and "8 M" in line]

    assert f"| {headline} ({published} in the proportions of flan-t5-xl) |" in row


def test_the_ratios_of_answering_are_the_measured_ones() -> None:
    measured = entries("inference.json")
    least = {
        case: rounded(lowest(measured, "ratio_cpu", case)) for case in ("8M_1q", "8M_4q", "55M_1q", "55M_4q")
    }
    quoted = [f"| {size} M | {least[f'{size}M_1q']} and {least[f'{size}M_4q']} |" for size in (8, 55)]

    (place,) = [
        number
        for number, line in enumerate(quoted_rows())
        if "`make bench-inference`" in line and "8 M" in line
    ]

    assert all(quote in row for quote, row in zip(quoted, quoted_rows()[place : place + 2], strict=True))


def test_the_page_tells_the_ratio_of_tuning_on_each_kind_of_processor() -> None:
    for one in entries("finetune.json"):
        assert f"{one['machine']['cpu']} ({rounded(one['ratio_cpu'])})" in PAGE

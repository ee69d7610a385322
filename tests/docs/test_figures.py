"""Ratios that the README quotes are those that the benchmarks wrote."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def results(name: str) -> Any:
    return json.loads((ROOT / "docs" / "benchmarks" / name).read_text(encoding="utf-8"))


def rows_of_readme() -> list[str]:
    return [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]


def rounded(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.1f}"


def test_the_ratio_of_tuning_is_the_measured_one() -> None:
    measured = results("finetune.json")
    headline, published = rounded(measured["ratio_cpu"]), rounded(measured["ratio_cpu_published_shares"])

    (row,) = [line for line in rows_of_readme() if "`make bench-finetune`" in line]

    assert f"| {headline} ({published} in the proportions of flan-t5-xl) |" in row


def test_the_ratios_of_answering_are_the_measured_ones() -> None:
    measured = results("inference.json")["ratio_cpu"]
    quoted = [
        f"| {size[:-1]} M | {rounded(measured[f'{size}_1q'])} and {rounded(measured[f'{size}_4q'])} |"
        for size in ("8M", "55M")
    ]

    (place,) = [number for number, line in enumerate(rows_of_readme()) if "`make bench-inference`" in line]

    assert all(quote in row for quote, row in zip(quoted, rows_of_readme()[place : place + 2], strict=True))

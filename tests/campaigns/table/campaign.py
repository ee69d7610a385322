"""Somebody with 300 questions of a kind the pocket world never saw learns from 200 and is judged on 100.

Run by `make campaign-table`, which prints the figures. The settings in `signs.toml` were chosen on tables of
other seeds. Everything goes through the command line, as that person would do it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.campaigns.table.signs import split_table, write_table

SEED = 2026
ROWS = 300
LEARNT = 200
RECIPE = Path(__file__).with_name("signs.toml")
COLUMNS = ["--column", "id=sign_no", "--column", "image=photo_file"]  # the other names are guessed

pytestmark = pytest.mark.timeout(3600)  # a busy machine takes its time

Foundry = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """The folder somebody works in: `signs.csv`, its parts `learn.csv` and `judge.csv`, `photos`, recipe."""
    folder = tmp_path_factory.mktemp("desk") / "signs"
    split_table(write_table(folder, ROWS, SEED), LEARNT)
    shutil.copy(RECIPE, folder)
    return folder


@pytest.fixture(scope="module")
def foundry(desk: Path, tmp_path_factory) -> Foundry:
    """Run a command of `foundry` at that desk, in a home of its own, and give the object it prints."""
    environment = os.environ | {"FOUNDRY_HOME": str(tmp_path_factory.mktemp("home"))}

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "flows.cli.app", *arguments, "--json"]
        ended = subprocess.run(
            command, cwd=desk, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        result: dict[str, Any] = json.loads(ended.stdout)
        return result

    return run


def predict(foundry: Foundry, table: str, variant: str) -> dict[str, Any]:
    given = ["--images", "photos", *COLUMNS, "--recipe", RECIPE.name, "--variant", variant]
    return foundry("predict", table, *given, "--out", f"{variant} {table}")


@pytest.fixture(scope="module")
def untuned(foundry: Foundry) -> dict[str, Any]:
    """What the untuned model answers to all 300 questions."""
    return predict(foundry, "signs.csv", "flan-t5")


@pytest.fixture(scope="module")
def ladder(foundry: Foundry) -> dict[str, Any]:
    """Tuning on the first 200 and judging on the last 100."""
    return foundry("run", RECIPE.name)


@pytest.fixture(scope="module")
def tuned(foundry: Foundry, ladder: dict[str, Any]) -> dict[str, Any]:
    """What the tuned model answers to the last 100 questions."""
    return predict(foundry, "judge.csv", "finetuned")


def test_every_question_of_a_strange_table_is_answered(untuned):
    assert (untuned["rows"], untuned["answered"], untuned["refused"]) == (ROWS, ROWS, {})
    assert untuned["scores"]["accuracy"]["n"] == ROWS


def test_tuning_on_two_thirds_lifts_the_last_third_significantly(ladder, untuned, capsys):
    (comparison,) = ladder["comparisons"]
    with capsys.disabled():
        sys.stdout.write(figures(ladder, untuned))
    assert comparison["a"] == "flan-t5"
    assert comparison["p_value"] < 0.05
    assert comparison["ci95"][0] > 0
    assert ladder["variants"]["finetuned"]["n"] == ROWS - LEARNT


def test_predict_finds_the_adapter_and_gives_the_answers_that_were_judged(tuned, ladder):
    assert tuned["scores"]["accuracy"]["value"] == ladder["variants"]["finetuned"]["accuracy"]
    rows = pq.read_table(tuned["files"]["predictions"]).to_pylist()
    assert [row["id"] for row in rows] == [f"S-{number:03}" for number in range(LEARNT, ROWS)]


def figures(ladder: dict[str, Any], untuned: dict[str, Any]) -> str:
    found = untuned["scores"]["accuracy"]
    lines = [f"flan-t5 on all {found['n']}: {told(found['value'], [found['low'], found['high']])}"]
    for name, one in ladder["variants"].items():
        lines.append(f"{name} on the last {one['n']}: {told(one['accuracy'], one['ci95'])}")
    (pair,) = ladder["comparisons"]
    lines.append(f"difference {told(pair['difference'], pair['ci95'])}, McNemar p {pair['p_value']:.2g}")
    return "\n" + "\n".join(lines) + "\n"


def told(value: float, interval: list[float]) -> str:
    return f"{100 * value:.1f} % ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"

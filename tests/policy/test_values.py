"""What travels between stages does not change on the way."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TALLIES = {
    "answers.Answers", "answers._Tally", "apply.Applied", "counted.Opened", "counting.InferenceCounts",
    "curate.Curated", "cursor.Cursor", "dialect.Dialect", "fetching.Web", "gather._Crawl",
    "labelling._LabelRow", "pool._Place", "progress.Progress", "requests._Said", "robots.Robots",
    "scenes._Collected", "stages.StageSizes",
}  # fmt: skip
"""They are filled while a stage works, and belong to it."""


def frozen_by_class() -> dict[str, bool]:
    found: dict[str, bool] = {}
    for file in sorted((ROOT / "blip_core").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                decorators = " ".join(ast.unparse(one) for one in node.decorator_list)
                if "dataclass" in decorators:
                    found[f"{file.stem}.{node.name}"] = "frozen=True" in decorators
    return found


def test_every_value_is_frozen_but_what_is_filled_while_a_stage_works():
    frozen = frozen_by_class()
    assert {name for name, holds in frozen.items() if not holds} == TALLIES
    assert frozen["rows.Example"]

"""Bytes of pictures are opened with the formats that are wanted and by no other of Pillow's readers."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "blip_core"
BUNDLED = PACKAGE / "pocket"  # opens what is shipped with it


def openings(path: Path) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open"]


def test_every_opening_of_a_picture_names_its_formats():
    modules = [path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(BUNDLED)]
    found = [(path.name, call) for path in modules for call in openings(path)]

    assert {name for name, _ in found} >= {"decoding.py", "labelling.py", "sheets.py"}
    assert [name for name, call in found if "formats" not in {word.arg for word in call.keywords}] == []

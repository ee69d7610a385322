"""The rooms that documents name are the rooms that there are, in the order that the contract holds."""

import re
import tomllib

from tests.docs.documents import ROOT

PACKAGE = ROOT / "blip_core"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DECISION = (ROOT / "docs" / "decisions" / "0001-layers-and-stack.md").read_text(encoding="utf-8")

_ROW = re.compile(r"^\| `blip_core\.(\w+)` \|", re.MULTILINE)
_ABOVE = re.compile(r"^\| `((?:flows|deployments)\.\w+)` \|", re.MULTILINE)
_LISTED = re.compile(r"```text\n(.*?)```", re.DOTALL)


def contract():
    """The layers of the library, from the top down, as import-linter reads them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one.get("containers") == ["blip_core"])
    return [layer.split(" | ") for layer in layers]


def rooms():
    """Modules and packages at the top of the library."""
    paths = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    return {path.stem for path in paths} - {"__init__"}


def test_the_page_describes_every_room_and_no_other():
    named = _ROW.findall(ARCHITECTURE)

    assert sorted(named) == sorted(rooms())


def test_the_page_describes_the_rooms_within_flows_and_deployments():
    found = (ROOT.glob("flows/*/__init__.py"), ROOT.glob("deployments/*/__init__.py"))
    inner = {f"{path.parts[-3]}.{path.parts[-2]}" for paths in found for path in paths}

    assert set(_ABOVE.findall(ARCHITECTURE)) == inner


def test_the_page_lists_rooms_from_the_top_down():
    heights = {room: height for height, layer in enumerate(contract()) for room in layer}
    named = [heights[room] for room in _ROW.findall(ARCHITECTURE)]

    assert named == sorted(named)


def test_the_decision_has_the_order_of_the_contract():
    (listed,) = _LISTED.findall(DECISION)

    assert [line.split(" | ") for line in listed.strip().splitlines()] == contract()


def test_the_decision_calls_no_room_empty():
    assert "no code yet" not in DECISION

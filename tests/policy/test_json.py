"""JSON is written in one place, where every number is one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("blip_core", "tasks", "flows", "deployments", "docs")
WRITER = ROOT / "blip_core" / "strict_json.py"
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path != WRITER)
TEMPLATES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.j2"))
FOREIGN = {  # what they read was written by other programs, which may have an Infinity in a config
    "blip_core/backends/chat/client.py",
    "blip_core/backends/chat/dialect.py",
    "blip_core/backends/chat/refusing.py",
    "blip_core/backends/chat/reply.py",
    "blip_core/backends/chat/structure.py",
    "blip_core/modeling/checkpoints.py",
    "blip_core/planning/architectures.py",
    "blip_core/pocket/painter/assembling.py",
    "blip_core/pocket/painter/text.py",
    "blip_core/pocket/tokenizers.py",
    "blip_core/prefetching/completeness.py",
    "blip_core/prefetching/converting.py",
    "blip_core/prefetching/image_token.py",
    "blip_core/prefetching/remote_code.py",
    "blip_core/prefetching/selecting.py",
    "blip_core/wiring/readiness.py",
}

DATA = {"report.html.j2": "{{ gallery_data | safe }}", "review.html.j2": "{{ data | safe }}"}
_DATA = re.compile(r'<script type="application/json"[^>]*>(.*?)</script>', re.DOTALL)


READERS_OF_TABLES = "blip_core/sources/"  # all that they read comes from outside


def _name(path):
    return str(path.relative_to(ROOT))


@cache
def _used_of_json(path):
    """Names of Python's own `json` that a module uses, however it imports them."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "json":
            used.add(node.attr)
        if isinstance(node, ast.ImportFrom) and node.module == "json":
            used |= {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            used |= {f"as {alias.asname}" for alias in node.names if alias.name == "json" and alias.asname}
    return used


def test_modules_and_templates_were_found():
    assert len(MODULES) > 200
    assert {path.name for path in TEMPLATES} == DATA.keys()


def test_no_other_module_writes_json():
    assert {_name(path) for path in MODULES if not _used_of_json(path) <= {"loads"}} == set()


def test_json_that_we_wrote_is_read_strictly():
    found = {_name(path) for path in MODULES if _used_of_json(path)}
    assert {name for name in found if not name.startswith(READERS_OF_TABLES)} <= FOREIGN


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_a_page_holds_json_that_was_written_here(path):
    text = path.read_text(encoding="utf-8")
    assert "tojson" not in text  # jinja's own writer knows NaN
    assert [data.strip() for data in _DATA.findall(text)] == [DATA[path.name]]

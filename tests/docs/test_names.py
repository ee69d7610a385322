"""What documents name by the way is there: variables, extras, files of ours, modules that are run."""

import re
import tomllib

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, blocks, name_of, spans

EVERY = sorted(
    {*DOCUMENTS, *ROOT.glob("*.md"), *(ROOT / "deployments").rglob("*.md")} - {ROOT / "CHANGELOG.md"}
)
SOURCES = ("blip_core", "tasks", "flows", "deployments", "tests", "Makefile")
TEXTS = {".py", ".toml", ".yaml", ".yml", ".env", ".example", ".service", ".sh", ""}

_VARIABLE = re.compile(r"\bFOUNDRY_[A-Z_]*[A-Z]\b")
_EXTRAS = re.compile(r"(?:blip-foundry|'\.)\[([a-z0-9,-]+)\]")
_FILE = re.compile(r"(?:blip_core|tasks|flows|tests|docs|deployments)/[\w./-]+")
_RUN = re.compile(r"python3? -m ([\w.]+)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s#]+)[^)]*\)")


@pytest.fixture(scope="module")
def known_variables():
    files = [path for name in SOURCES for path in [ROOT / name, *(ROOT / name).rglob("*")]]
    texts = (path.read_text(errors="ignore") for path in files if path.is_file() and path.suffix in TEXTS)
    return {name for text in texts for name in _VARIABLE.findall(text)}


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_variables_of_ours_are_read_somewhere(path, known_variables):
    assert set(_VARIABLE.findall(path.read_text(encoding="utf-8"))) <= known_variables


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_extras_can_be_installed(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {name for found in _EXTRAS.findall(path.read_text(encoding="utf-8")) for name in found.split(",")}
    assert named <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_files_of_ours_are_where_they_are_said_to_be(path):
    named = {text for text in spans(path) if _FILE.fullmatch(text) and "NAME" not in text}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_modules_that_are_run_are_there(path):
    for block in [*blocks(path, "bash"), *spans(path)]:
        for module in _RUN.findall(block):
            place = ROOT / module.replace(".", "/")
            is_ours = (ROOT / module.partition(".")[0]).is_dir()
            assert not is_ours or place.is_dir() or place.with_suffix(".py").is_file(), module


@pytest.mark.parametrize("path", [one for one in EVERY if one not in DOCUMENTS], ids=name_of)
def test_links_of_other_pages_lead_somewhere(path):
    links = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []

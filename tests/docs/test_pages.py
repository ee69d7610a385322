"""The pages say what the code says: generated ones are up to date, what they show can be loaded."""

import ast
import importlib
import re
import tomllib

import pytest

from blip_core.recipes import Recipe, load_recipe
from blip_core.recipes.explaining import field_at
from docs import walk
from docs.command_page import summary_paths
from docs.generate import PAGES
from tests.docs.documents import DOCUMENTS, ROOT, blocks, commands, name_of, spans

PICTURES_LIMIT_BYTES = 400_000  # they stay in the history for ever

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_FIELD = re.compile(r"[a-z_]+(\.[a-z_0-9]+)+")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_FILE_ENDINGS = (
    "md",
    "py",
    "csv",
    "json",
    "jsonl",
    "parquet",
    "toml",
    "yaml",
    "html",
    "png",
    "db",
    "log",
    "txt",
)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_generated_page_is_what_would_be_generated(path):
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run `make docs` and commit what it writes"


def anchors(path):
    headings = _HEADING.findall(path.read_text(encoding="utf-8"))
    return {_NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(path):
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_picture_is_there_and_described(path):
    for description, name in _PICTURE.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / name).is_file()
        assert description


def test_every_page_stands_in_the_index():
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(index.read_text())}
    pages = {
        path for path in (ROOT / "docs").rglob("*.md") if path != index and "decisions" not in path.parts
    }
    assert pages <= linked


def test_pictures_are_few_and_small_and_all_in_use():
    pictures = [
        path for path in (ROOT / "docs").rglob("*") if path.suffix in {".png", ".svg", ".jpg", ".webp"}
    ]
    used = {
        (path.parent / name).resolve() for path in DOCUMENTS for _, name in _PICTURE.findall(path.read_text())
    }
    assert set(pictures) <= used
    assert sum(path.stat().st_size for path in pictures) <= PICTURES_LIMIT_BYTES


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_fields_named_in_the_text_exist(path):
    for text in spans(path):
        name = text.partition("=")[0]
        if not _FIELD.fullmatch(name) or name.split(".")[-1] in _FILE_ENDINGS:
            continue
        if name.split(".")[0] in Recipe.model_fields:
            assert field_at(tuple(name.split(".")), Recipe) or name in summary_paths(), text


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name != "extend.md"], ids=name_of)
def test_recipes_and_profiles_that_are_shown_can_be_loaded(path, tmp_path):
    # extend.md shows parts of a package, which test_extend installs first
    for number, content in enumerate(blocks(path, "toml")):
        file = tmp_path / f"shown-{number}.toml"
        file.write_text(content, encoding="utf-8")
        is_recipe = "task" in tomllib.loads(content)
        load_recipe(str(file)) if is_recipe else load_recipe("gallery-vqa", str(file))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_python_that_is_shown_is_python_and_imports_what_there_is(path):
    for content in blocks(path, "python"):
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_tutorial_walks_the_row_and_the_question_that_it_quotes():
    tutorial = ROOT / "docs/tutorial.md"
    traced = [one.words[1] for one in commands(tutorial) if one.is_whole and one.words[:1] == ("trace",)]
    assert traced == [walk.ROW, walk.QUESTION]
    text = tutorial.read_text(encoding="utf-8")
    assert text.count(walk.ROW) > 1
    assert "<!-- end -->" not in re.sub(
        r"<!-- quoted: [a-z-]+ -->\n(?!<!-- end).+?<!-- end -->", "", text, flags=re.DOTALL
    )

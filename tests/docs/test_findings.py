"""The findings that the page declares can be declared, and its object and its lines are what one gets."""

import json
import runpy

from blip_core.recipes import load_recipe
from blip_core.scoring.findings import Finding, check_measures
from tests.docs.documents import ROOT, blocks

PAGE = ROOT / "docs/how-to/declare-a-finding.md"


def test_the_findings_shown_fit_the_gallery(tmp_path):
    (text,) = blocks(PAGE, "toml")
    file = tmp_path / "expected.toml"
    file.write_text(text, encoding="utf-8")
    recipe = load_recipe("gallery-vqa", str(file))
    check_measures(recipe)
    assert [one.expect for one in recipe.findings] == ["more", "at_least", "no_worse"]


def test_the_object_shown_has_the_fields_of_a_finding():
    (text,) = blocks(PAGE, "json")
    told = json.loads(text)
    assert Finding(**told).holds
    assert list(told) == list(Finding.__slots__)


def test_the_lines_shown_print_what_they_say(capsys, tmp_path):
    (code,) = blocks(PAGE, "python")
    file = tmp_path / "shown.py"
    file.write_text(code, encoding="utf-8")
    runpy.run_path(str(file))
    assert capsys.readouterr().out.split() == code.rpartition("# ")[2].split()

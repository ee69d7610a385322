"""The Python lines of the page on notebooks run as they stand, on what a run left."""

import runpy

import pytest

from blip_core import load_recipe
from blip_core.modeling import attach_adapter, save_adapter
from blip_core.wiring import load_base
from tests.docs.documents import ROOT, blocks
from tests.unit.grown_store import GrownStore


@pytest.fixture
def left_by_a_run(tmp_path):
    """Folders of a dataset and an adapter, by the words that stand for them."""
    recipe = load_recipe("gallery-vqa")
    adapter = tmp_path / "adapter"
    bundle = attach_adapter(load_base(recipe), recipe.finetune.adapter, seed=0)
    save_adapter(bundle, adapter, recipe.finetune.base)
    return {"DATASET": GrownStore(tmp_path / "store").dataset.path, "ADAPTER": adapter}


def test_the_lines_of_the_page_run(left_by_a_run, monkeypatch, tmp_path, capsys):
    (lines,) = blocks(ROOT / "docs/how-to/notebook.md", "python")
    for word, folder in left_by_a_run.items():
        assert word in lines
        lines = lines.replace(word, str(folder))
    monkeypatch.chdir(tmp_path)

    (tmp_path / "lines.py").write_text(lines)
    runpy.run_path(str(tmp_path / "lines.py"))

    assert capsys.readouterr().out.strip().endswith(")")

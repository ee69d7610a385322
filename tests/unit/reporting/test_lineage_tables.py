import io

import pytest
from rich.console import Console

from blip_core.reporting.catalogue import adapter_entry, dataset_entry, family_tree
from blip_core.reporting.lineage_tables import (
    score_words,
    show_adapters,
    show_datasets,
    show_entry,
    size_words,
)
from blip_core.store.lineage import Lineage
from tests.unit.grown_store import GrownStore


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=80)


@pytest.fixture
def grown(tmp_path):
    grown = GrownStore(tmp_path)
    grown.score("finetuned", grown.predict("finetuned", grown.examples), 0.75)
    return grown


def said(console):
    return console.file.getvalue()


def test_datasets_are_rows_with_their_folders_below_in_one_piece(grown, console):
    family = Lineage(grown.store.artifacts())
    show_datasets(console, [dataset_entry(family, grown.dataset)])
    assert f"{grown.dataset.digest[:12]}  gallery-vqa" in said(console)
    assert str(grown.dataset.path) in said(console)
    assert f"tuned on it: {grown.adapter.digest[:12]}" in said(console)
    assert "…" not in said(console)


def test_adapters_show_base_dataset_and_newest_accuracy(grown, console):
    family = Lineage(grown.store.artifacts())
    show_adapters(console, [adapter_entry(family, grown.adapter)])
    for shown in ("pocket/blip2-t5", grown.dataset.digest[:12], "1,234", "0.250", "75.0 %"):
        assert shown in said(console)


def test_one_adapter_is_shown_between_what_it_came_from_and_what_it_became(grown, console):
    family = Lineage(grown.store.artifacts())
    above = family_tree(grown.adapter, family.parents, family)
    below = family_tree(grown.adapter, family.children, family)
    show_entry(console, adapter_entry(family, grown.adapter), above, below)
    positions = [said(console).index(f"── {kind} ") for kind in ("dataset", "labels", "pictures", "scenes")]
    assert positions == sorted(positions)
    assert said(console).index("became") < said(console).index("── scores ")
    assert "finetuned 75.0 %" in said(console)


def test_a_branch_that_two_lead_to_is_told_once(grown, console):
    family = Lineage(grown.store.artifacts())
    branch = {**family_tree(grown.adapter, family.parents, family)[0]}
    show_entry(console, adapter_entry(family, grown.adapter), [branch, branch], [])
    assert said(console).count("── scenes ") == 1
    assert "see above" in said(console)


def test_what_was_made_before_lineage_was_kept_says_so(tmp_path, console):
    old = GrownStore(tmp_path, says=False)
    entry = dataset_entry(Lineage(old.store.artifacts()), old.dataset)
    show_datasets(console, [entry])
    show_entry(console, entry, [], [])
    assert f"{old.dataset.digest[:12]}  unknown" in said(console)
    assert "made from: unknown, it was made before lineage was kept" in said(console)


def test_a_parent_that_is_gone_is_named_by_its_key(grown, console):
    entry = dataset_entry(Lineage([grown.dataset]), grown.dataset)
    show_entry(console, entry, [], [])
    assert grown.labels.key in said(console).replace("\n", "")
    assert "no longer holds" in said(console)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (3_340_000, "3.3 MB"), (153_700, "154 kB"), (2 * 10**15, "2000 TB")],
)
def test_sizes_have_a_decimal_unit(size, words):
    assert size_words(size) == words


def test_a_score_without_an_accuracy_is_unknown():
    assert score_words({"variant": "finetuned", "accuracy": None}) == "finetuned unknown"

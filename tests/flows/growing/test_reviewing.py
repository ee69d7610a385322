"""People and a dataset that gates made: what these refused can be looked at again."""

import json
import re

import pytest

from blip_core.dataset.growth import Target
from blip_core.dataset.reading import read_split
from blip_core.errors import StoreError, UnknownArtifact
from blip_core.recipes import load_recipe
from blip_core.records import SPLITS
from flows.growing.growing import grow, line_of
from flows.rows.named_dataset import named_dataset
from flows.rows.refused import RefusedRows
from tasks.read_table import read_table
from tasks.stage import path_of
from tests.commands import foundry
from tests.flows.growing.small import make, small
from tests.unit.examples import png, world_pixels


@pytest.fixture
def one_sided(home, tmp_path):
    """The letters of doubles are uneven: a gate refuses some."""
    gate = ("curation.letter_balance.enabled=true", "curation.letter_balance.max_share=0.26")
    return small(tmp_path, *gate)


def rows_of(ref):
    return {row.id: row for split in SPLITS for row in read_split(path_of(ref), split)}


def shown(path):
    found = re.search(r'id="review-data">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(found[1])["rows"]


def decide(path, ref, *lines):
    path.write_text("".join(json.dumps(one) + "\n" for one in ({"rows": ref.digest}, *lines)))
    return str(path)


def page_of_refused(ref, tmp_path, *typed):
    page = tmp_path / "refused.html"
    done = foundry("review", ref.digest, "--of", "refused", "--out", str(page), "--json", *typed)
    assert done.code == 0, done.err
    return shown(page)


def test_a_row_that_a_gate_refused_is_shown_with_its_reason_and_a_decision_to_keep_brings_it_back(
    one_sided, tmp_path
):
    made = make(one_sided.with_scenes(8))
    refused = page_of_refused(made, tmp_path)
    first = refused[0]
    assert first["refused"].startswith("letter-surplus: ")
    assert first["id"] not in rows_of(made)

    file = decide(tmp_path / "ada.jsonl", made, {"id": first["id"], "decision": "keep"})
    done = foundry("review", "apply", file, "--json")

    assert (done.code, done.told["back"]) == (0, 1), done.err
    left = foundry("datasets", done.told["digest"], "--json").told
    assert left["rows"] == made.rows + 1
    new = rows_of(named_dataset(done.told["digest"]).artifact.ref())
    assert new.keys() - rows_of(made).keys() == {first["id"]}
    again = page_of_refused(named_dataset(done.told["digest"]), tmp_path)  # of the version people left
    assert {row["id"] for row in again} == {row["id"] for row in refused} - {first["id"]}


@pytest.fixture
def table(tmp_path):
    (tmp_path / "a.png").write_bytes(png(world_pixels(0)))
    lines = [f"a.png,What is it number {number // 2}?,dog,cat,cup,boat,dog" for number in range(12)]
    path = tmp_path / "own.csv"
    path.write_text("image,question,a,b,c,d,answer\n" + "\n".join(lines) + "\n")
    return path


def test_refused_rows_of_a_table_are_read_from_it_as_long_as_it_is_the_same(home, table, tmp_path):
    fields = ["source.kind=table", f"source.path={table}", "curation.letter_balance.enabled=false"]
    made = read_table.task.fn(recipe=load_recipe("gallery-vqa", "pocket", fields))
    refused = page_of_refused(made, tmp_path)
    assert len(refused) == 6
    file = decide(tmp_path / "ada.jsonl", made, {"id": refused[0]["id"], "decision": "keep"})
    assert foundry("review", "apply", file, "--json").told["back"] == 1
    table.write_text(table.read_text() + "a.png,Where is it?,dog,cat,cup,boat,dog\n")
    done = foundry("review", made.digest, "--of", "refused", "--out", str(tmp_path / "no.html"))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "the table that the rows were read from has changed since" in done.err


def test_refused_rows_of_a_dataset_whose_labels_were_pruned_are_one_sentence(one_sided, tmp_path):
    made = make(one_sided.with_scenes(8))
    found = named_dataset(made.digest)
    (tmp_path / "home" / "store" / "artifacts" / found.artifact.metadata["made_from"]["labels"]).rename(
        tmp_path / "gone"
    )
    with pytest.raises(UnknownArtifact, match="is no longer in the store"):
        list(RefusedRows(found).rows())
    assert RefusedRows(found).why


def reviewed(ref, tmp_path, *lines):
    done = foundry("review", "apply", decide(tmp_path / "ada.jsonl", ref, *lines), "--json")
    assert done.code == 0, done.err
    return done.told


def test_a_dataset_that_grows_keeps_what_people_decided_about_its_rows(recipe, tmp_path):
    first = grow(recipe, Target(rows=16), make)
    dropped, mended, kept = sorted(rows_of(first.dataset))[:3]
    told = reviewed(
        first.dataset,
        tmp_path,
        {"id": dropped, "decision": "drop", "reason": "blurred"},
        {"id": mended, "decision": "keep", "question": "Who is it?"},
        {"id": kept, "decision": "keep"},
    )
    assert told["grows"] == "gallery-vqa pocket"

    second = grow(recipe, Target(more=8), make)

    rows = rows_of(second.dataset)
    assert (dropped in rows, rows[mended].question) == (False, "Who is it?")
    assert len(rows) >= told["rows"] + 8
    assert second.difference.extends  # but for what people changed on purpose
    card = (path_of(second.dataset) / "README.md").read_text()
    assert "Decisions of people about earlier versions were carried over" in card
    assert "| mended | 1 |" in card
    assert grow(recipe, Target(rows=16), make).version == second.version  # obeyed once, not twice


def test_a_second_review_adds_to_the_first_and_gates_are_overruled_in_later_versions_too(one_sided, tmp_path):
    first = grow(one_sided, Target(rows=8), make)
    refused = page_of_refused(first.dataset, tmp_path)[0]["id"]
    one, other = sorted(rows_of(first.dataset))[:2]
    told = reviewed(
        first.dataset,
        tmp_path,
        {"id": one, "decision": "keep", "question": "Who is it?"},
        {"id": refused, "decision": "keep"},
    )
    left = named_dataset(told["digest"])
    reviewed(
        left,
        tmp_path,
        {"id": one, "decision": "keep", "description": "Something large stands on the sand."},
        {"id": other, "decision": "drop"},
    )
    rows = rows_of(grow(one_sided, Target(more=4), make).dataset)
    assert (rows[one].question, rows[one].description) == (
        "Who is it?",
        "Something large stands on the sand.",
    )
    assert (refused in rows, other in rows) == (True, False)


def test_a_version_that_obeys_people_and_was_pruned_comes_out_the_same(recipe, tmp_path):
    first = grow(recipe, Target(rows=16), make)
    reviewed(first.dataset, tmp_path, {"id": sorted(rows_of(first.dataset))[0], "decision": "drop"})
    second = grow(recipe, Target(more=8), make)
    (path_of(second.dataset) / "manifest.json").unlink()
    third = grow(recipe, Target(more=8), make)
    assert third.version.parent == second.version.digest
    assert third.difference.extends


def test_decisions_that_are_kept_beside_a_line_and_damaged_are_one_sentence(recipe, tmp_path):
    first = grow(recipe, Target(rows=16), make)
    reviewed(first.dataset, tmp_path, {"id": sorted(rows_of(first.dataset))[0], "decision": "drop"})
    (kept,) = (tmp_path / "home" / "store" / "decisions").glob("*.json")
    kept.write_text("{")
    with pytest.raises(StoreError, match="does not tell what people decided"):
        grow(recipe, Target(more=8), make)


def test_nobody_reviews_while_a_dataset_is_extended(recipe, tmp_path):
    first = grow(recipe, Target(rows=16), make)
    file = decide(
        tmp_path / "a.jsonl", first.dataset, {"id": min(rows_of(first.dataset)), "decision": "drop"}
    )
    with line_of(recipe).alone():
        done = foundry("review", "apply", file)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "is being extended by another run" in done.err

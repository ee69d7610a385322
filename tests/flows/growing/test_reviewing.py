"""People and a dataset that gates made: what these refused can be looked at again."""

import json
import re

import pytest

from blip_core.dataset.reading import read_split
from blip_core.errors import UnknownArtifact
from blip_core.recipes import load_recipe
from blip_core.records import SPLITS
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

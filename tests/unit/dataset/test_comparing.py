"""Two datasets held against each other, row by row and share by share."""

from dataclasses import replace

import pytest

from blip_core.dataset import assign_splits, write_dataset
from blip_core.dataset.comparing import compare_datasets, drift, text_distance
from blip_core.errors import TableError
from blip_core.recipes import load_recipe
from blip_core.reporting.difference import difference_entry, difference_lines, write_difference
from tests.unit.examples import example, png, world_pixels

RECIPE = load_recipe("gallery-vqa", overrides=["dataset.test_share=0.2"])
PICTURE = png(world_pixels(1))
ROWS = [example(number, image=PICTURE) for number in range(40)]


def written(folder, rows, **moved):
    splits = assign_splits(rows, 0.1, 0.2, {}) | moved
    write_dataset(folder, rows, [], splits, RECIPE, {})
    return folder


@pytest.fixture
def before(tmp_path):
    return written(tmp_path / "before", ROWS[:20])


def test_a_dataset_that_extends_another_has_rows_added_alone(before, tmp_path):
    found = compare_datasets(before, written(tmp_path / "after", ROWS))
    assert found.extends
    assert (found.before, found.after, len(found.added)) == (20, 40, 20)
    assert all(sum(one.after.values()) in (0, 20) for one in found.drifts)


@pytest.mark.parametrize("field", ["description", "question", "a", "target"])
def test_a_row_that_says_something_else_is_changed(before, tmp_path, field):
    other = replace(ROWS[3], **{field: "something else"})
    found = compare_datasets(before, written(tmp_path / "after", [*ROWS[:3], other, *ROWS[4:20]]))
    assert (found.changed, found.added, found.removed, found.extends) == ((other.id,), (), (), False)


def test_another_picture_is_a_change_too(before, tmp_path):
    other = replace(ROWS[3], image=png(world_pixels(2)))
    found = compare_datasets(before, written(tmp_path / "after", [*ROWS[:3], other, *ROWS[4:20]]))
    assert found.changed == (other.id,)


def test_rows_that_are_gone_and_rows_that_moved_are_told(before, tmp_path):
    splits = assign_splits(ROWS, 0.1, 0.2, {})
    moved = next(row.id for row in ROWS[1:20] if splits[row.id] == "train")
    found = compare_datasets(before, written(tmp_path / "after", ROWS[1:20], **{moved: "validation"}))
    assert (found.removed, found.moved) == ((ROWS[0].id,), (moved,))
    assert any(line == f"moved: {moved}" for line in difference_lines(found))


@pytest.mark.parametrize(
    ("before", "after", "distance", "is_clear"),
    [
        ("AB" * 50, "AB" * 50, 0.0, False),
        ("A" * 50, "B" * 50, 1.0, True),
        ("AAB" * 20, "ABB" * 20, 1 / 3, True),
        ("AB", "AA", 0.5, False),
        ("", "AB", 0.0, False),
        ("AAAA", "AA", 0.0, False),
    ],
)
def test_drift_is_the_distance_of_shares_and_chance_is_told_from_it(before, after, distance, is_clear):
    found = drift("letters", before, after)
    assert found.distance == pytest.approx(distance)
    assert (found.p < 0.01) == is_clear


def test_texts_are_held_against_each_other_by_an_embedder(before, tmp_path):
    class ByLength:
        def embed(self, texts):
            return [[1.0, 0.0] if "else" in text else [0.0, 1.0] for text in texts]

    same = compare_datasets(before, before)
    assert text_distance(before, before, same, ByLength()) == 0.0
    new = [replace(row, description="something else") for row in ROWS[20:]]
    after = written(tmp_path / "after", [*ROWS[:20], *new])
    found = compare_datasets(before, after)
    assert text_distance(before, after, found, ByLength()) == pytest.approx(2**0.5)


def test_the_page_stands_alone_and_quotes_nothing_as_markup(before, tmp_path):
    new = replace(ROWS[20], description="<script>alert(1)</script>", category="<b>")
    found = compare_datasets(before, written(tmp_path / "after", [*ROWS[:20], new]))
    write_difference(tmp_path / "diff.html", ("one", "two"), found, [new], 0.5)
    page = (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert "data:image/png" in page
    assert "http" not in page.replace("http-equiv", "")
    assert difference_entry(found, 0.5)["embedding_distance"] == 0.5


@pytest.mark.parametrize("damage", ["empty", "cut"])
def test_what_is_no_dataset_is_one_sentence(before, tmp_path, damage):
    other = tmp_path / "other"
    if damage == "cut":
        written(other, ROWS)
        path = next((other / "data").glob("train-*"))
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TableError):
        compare_datasets(before, other)

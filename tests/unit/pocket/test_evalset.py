import io
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from blip_core.pocket.evalset import BUNDLED, SCHEMA, EvaluationSet, build, load_bundled
from blip_core.pocket.language import LETTERS, Kind, question_kind
from blip_core.pocket.world import OBJECT_NAMES, Style, is_held_out

SMALL = EvaluationSet("small", Style.SHIFTED, pictures=12, questions=4, seed=3)


def test_a_set_is_named_by_its_seed() -> None:
    assert build(SMALL).equals(build(SMALL))


@pytest.mark.parametrize("name", list(BUNDLED))
def test_letters_are_balanced_and_every_kind_is_asked(name: str) -> None:
    table = load_bundled(name)
    counts = Counter(table["answer"].to_pylist())
    assert set(counts) == set(LETTERS)
    assert len(set(counts.values())) == 1
    assert set(table["kind"].to_pylist()) == {kind.value for kind in Kind}


def test_the_shipped_file_is_what_the_code_builds(tmp_path: Path) -> None:
    table = load_bundled("shifted")
    assert table.schema.equals(SCHEMA)
    assert table.num_rows == BUNDLED["shifted"].pictures * BUNDLED["shifted"].questions
    rebuilt = build(BUNDLED["shifted"])
    columns = [name for name in SCHEMA.names if name != "image"]
    assert table.select(columns).equals(rebuilt.select(columns))


def test_pictures_open_and_questions_are_the_worlds_own() -> None:
    for row in load_bundled("generic").slice(0, 20).to_pylist():
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (64, 64)
        assert question_kind(row["question"]) == row["kind"]


def test_every_object_question_is_about_a_pair_that_could_be_unseen() -> None:
    places = {row["place"] for row in load_bundled("shifted").to_pylist()}
    assert all(any(is_held_out(name, place) for name in OBJECT_NAMES) for place in places)


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(KeyError, match="there are shifted, generic"):
        load_bundled("other")


def test_row_groups_stay_small(tmp_path: Path) -> None:
    path = tmp_path / "small.parquet"
    pq.write_table(build(SMALL), path, row_group_size=100)
    assert pq.ParquetFile(path).num_row_groups == 1

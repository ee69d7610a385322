"""Somebody's own pictures and questions: learnt from one table, judged on another, or asked about anew."""

from pathlib import Path

import pytest

from blip_core.dataset import read_split
from blip_core.errors import TableError
from blip_core.records import SPLITS
from tests.campaigns.table.signs import split_table, write_table
from tests.unit.examples import png, world_pixels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

ROWS = 24
LEARNT = 16
PICTURES = 12
TWO_VARIANTS = "variants=[{name='flan-t5', role='base'}, {name='finetuned', role='base', adapter=true}]"


@pytest.fixture
def tables(tmp_path) -> tuple[Path, Path]:
    return split_table(write_table(tmp_path / "signs", ROWS, seed=3), LEARNT)


@pytest.fixture
def models(doubles) -> list[str]:
    """The doubles' overrides that name models and sizes, not rows."""
    rows = ("scenes.count", "source.", "evaluation.")
    return [override for override in doubles if not override.startswith(rows)]


def own(section: str, table: Path) -> list[str]:
    return [
        f"{section}.kind=table",
        f"{section}.path={table}",
        f"{section}.images={table.parent / 'photos'}",
        f"{section}.columns.id=sign_no",
    ]


def redone(summary) -> list[str]:
    return [name for name, stage in summary["stages"].items() if not stage["cached"]]


def test_one_table_is_learnt_and_another_judges(home, models, tables):
    from flows.pipeline import pipeline

    learn, judge = tables
    overrides = [*models, *own("source", learn), *own("evaluation", judge), TWO_VARIANTS]
    first = pipeline(overrides=overrides)
    again = pipeline(overrides=overrides)
    (judge.parent / "photos" / f"sign_{LEARNT:03}.png").write_bytes(png(world_pixels(0)))
    judged_anew = pipeline(overrides=overrides)

    answering = [name for name in first["stages"] if name.startswith("predict")]
    assert redone(first) == ["dataset", "finetune", *answering, "compare"]
    assert sum(first["dataset"]["rows"].values()) <= LEARNT
    assert first["variants"]["finetuned"]["n"] == ROWS - LEARNT
    assert redone(again) == []
    assert redone(judged_anew) == [*answering, "compare"]


def test_a_labeller_asks_about_the_pictures_of_a_folder_or_a_table(home, models, tmp_path):
    from flows.regenerate_dataset import regenerate_dataset

    album = tmp_path / "album"
    album.mkdir()
    for number in range(PICTURES):
        (album / f"{number}.png").write_bytes(png(world_pixels(number)))
    names = "".join(f"{number}.png\n" for number in range(PICTURES))
    (album / "t.csv").write_text(f"photo\n{names}")
    everything = [
        *models,
        *(f"curation.{gate}.enabled=false" for gate in ("near_duplicates", "letter_balance")),
    ]
    for source in (
        ["source.kind=folder", f"source.path={album}"],
        ["source.kind=table", f"source.path={album / 't.csv'}", "source.questions=labeller"],
    ):
        made = regenerate_dataset(overrides=[*everything, *source])
        assert redone(made) == ["pictures", "labels", "dataset"]
        rows = [row for split in SPLITS for row in read_split(Path(made["dataset"]["path"]), split)]
        assert {row.image for row in rows} == {path.read_bytes() for path in album.glob("*.png")}


def test_a_table_that_cannot_judge_costs_no_work(home, models, tables):
    from flows.pipeline import pipeline

    learn, judge = tables
    judge.write_text(judge.read_text().replace("sign_020.png", "absent.png"))
    with pytest.raises(TableError, match=r"judge\.csv: row 5: 'absent\.png' is no file"):
        pipeline(overrides=[*models, *own("source", learn), *own("evaluation", judge)])
    assert not (home / "store").exists()

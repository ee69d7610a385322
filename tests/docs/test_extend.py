"""The page on parts of one's own builds a package that works, with one part of each group."""

import tomllib
import zipfile

import pytest

from blip_core.annotating import Context, annotate, step_of
from blip_core.curation import curate
from blip_core.kinds import kind_of
from blip_core.planning.counting import count_rows
from blip_core.planning.timing import time_plugged
from blip_core.plugins import GROUPS
from blip_core.recipes import Curation, NativeEvaluation, load_recipe
from blip_core.recipes.overrides import parse_override
from blip_core.records import Example, Picture, Prediction
from blip_core.scoring.judging import asked_measures
from blip_core.scoring.measurement import measure_run
from blip_core.sources import read_native
from blip_core.store import iter_rows, read_rows
from blip_core.wiring import check_can_run
from tasks import build_dataset, compare, label_pictures, paint_pictures, read_pictures, write_scenes
from tasks.stage import metadata_of, path_of
from tests.docs.documents import ROOT, blocks
from tests.packages import install_by_pip
from tests.unit.examples import example, png, world_pixels

PAGE = ROOT / "docs/how-to/extend.md"
SCENES = 30


@pytest.fixture(scope="module")
def page():
    """The package's file, its entry points, and what recipes take of it, by its first table."""
    package, *snippets = (tomllib.loads(block) for block in blocks(PAGE, "toml"))
    groups = package["project"]["entry-points"]
    parts = {group.removeprefix("blip_foundry."): named for group, named in groups.items()}
    return "\n\n".join(blocks(PAGE, "python")), parts, {next(iter(taken)): taken for taken in snippets}


@pytest.fixture(scope="module")
def site(page, tmp_path_factory):
    """Where pip has installed the package."""
    code, parts, _ = page
    folder = tmp_path_factory.mktemp("installed") / "site"
    install_by_pip(folder, "blip-shadows", {"blip_shadows.py": code}, parts)
    return folder


@pytest.fixture(autouse=True)
def package(site, monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(site)
    yield
    kind_cache_clear()


def kind_cache_clear():
    from blip_core.kinds.plugged import plugged_kind

    plugged_kind.cache_clear()


def recipe_file(tmp_path, page, *tables, **changes):
    """A recipe that takes what the page shows, as a file of a user's own."""
    import tomli_w

    from blip_core.recipes.merging import merge

    content = tomllib.loads(load_recipe("gallery-vqa", "pocket").to_toml())
    for table in tables:
        content = merge(content, page[2][table])
    path = tmp_path / "my.toml"
    path.write_text(tomli_w.dumps(merge(content, changes)))
    return load_recipe(str(path))


def test_the_page_shows_one_part_of_each_group(page):
    assert set(page[1]) == set(GROUPS)
    assert all(len(named) == 1 for named in page[1].values())


def test_a_dataset_grows_without_one_part_of_ours(page, tmp_path):
    recipe = recipe_file(tmp_path, page, "scenes", "curation", scenes={"count": SCENES})
    check_can_run(recipe)

    scenes = write_scenes.write_scenes.task.fn(recipe)
    pictures = paint_pictures.paint_pictures.task.fn(recipe, scenes)
    labels = label_pictures.label_pictures.task.fn(recipe, pictures)
    dataset = build_dataset.build_dataset.task.fn(recipe, pictures, labels)

    made = metadata_of(dataset)
    rows = [row for file in sorted((path_of(dataset) / "data").iterdir()) for row in iter_rows(file, Example)]
    assert len(rows) == made["rows"] > 0
    assert "dark" in [gate["gate"] for gate in made["gates"]]
    assert {row.question for row in rows} == {"How bright is it?"}
    assert all("owl" in row.scene or "bear" in row.scene for row in rows)
    assert metadata_of(labels)["model"] == "the labeller brightness of blip-shadows 1.0"
    told = list(time_plugged(recipe, count_rows(recipe)))
    assert {one.stage: one.device.partition(",")[0] for one in told} == {
        "scenes": "drawn",
        "pictures": "plain",
        "labels": "brightness",
    }
    assert not any(one.is_known for one in told)  # a plan cannot know what they take


def test_its_gate_refuses_and_is_counted(page, tmp_path):
    recipe = recipe_file(tmp_path, page, "curation")
    off = {name: {"enabled": False} for name in Curation.model_fields if name not in ("plugins", "alarm")}
    only = Curation.model_validate(off | {"plugins": recipe.curation.plugins})
    rows = [example(0, image=png(world_pixels(0))), example(1, image=png(world_pixels(1) // 20))]

    curated = curate(rows, only)

    assert curated.kept == rows[:1]
    assert [(one.id, one.reason) for one in curated.rejections] == [(rows[1].id, "too-dark")]
    assert [gate.gate for gate in curated.gates] == ["dark"]


def test_its_layout_is_read_like_those_that_ship(page, tmp_path):
    given = page[2]["evaluation"]["evaluation"]
    root = tmp_path / given["path"]
    root.mkdir()
    (root / "a.png").write_bytes(png(world_pixels(0)))
    (root / "b.png").write_bytes(png(world_pixels(1)))
    (root / "captions.txt").write_text("a.png\ta boat\nwithout\na.png\ta kite\nb.png\ta cup\n")
    rows, refused = read_native(NativeEvaluation(**given | {"path": str(root)}), "caption")
    assert [(row.id, row.target) for row in rows] == [("a.png", "a boat"), ("b.png", "a cup")]
    assert [one.reason for one in refused] == ["no-tab", "repeated-id"]


def test_its_step_stores_what_it_finds_beside_each_row(page, tmp_path):
    recipe = recipe_file(tmp_path, page, "annotations")
    check_can_run(recipe)
    step, settings = step_of(recipe.steps["brightest"])
    rows = [example(0, image=png(world_pixels(0))), example(1, image=png(world_pixels(1) // 4))]

    kept, refused = annotate(step, rows, settings, Context(models=None))

    assert (refused, step.origin) == ([], "blip-shadows 1.0")
    assert [row.attributes["light"] for row in kept] == ["bright", "dark"]
    assert kept[0].scores["brightest"] > kept[1].scores["brightest"]


def test_its_source_is_read_and_keyed_by_its_content(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive = tmp_path / "album.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", png(world_pixels(0)))
        file.writestr("b.png", b"no picture")
    recipe = recipe_file(tmp_path, page, "source")
    check_can_run(recipe)

    pictures = read_pictures.read_pictures.task.fn(recipe)

    rows = read_rows(path_of(pictures) / paint_pictures.FILE, Picture)
    assert [row.id for row in rows] == ["a.png"]
    assert metadata_of(pictures)["refused"] == {"unreadable-picture": 1}
    before = read_pictures.key(recipe)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("c.png", png(world_pixels(1)))
    assert read_pictures.key(recipe) != before


def test_its_measure_is_taken_where_a_finding_names_it(page, tmp_path):
    plain, asking = load_recipe("gallery-vqa", "pocket"), recipe_file(tmp_path, page, "findings")
    check_can_run(asking)
    answer = dict.fromkeys(("category", "kind", "description", "generated_letter"), "")
    answer |= dict.fromkeys(("p_a", "p_b", "p_c", "p_d"), 0.25)
    said = [
        Prediction(id=f"q{n}", picture_id="p", variant="v", ranked="A", truth="A", generated=text, **answer)
        for n, text in enumerate(["A.", "Why?"])
    ]

    measured = measure_run({"v": said}, {}, "bundled", asked_measures(asking))

    assert [one.value for one in measured if one.measure == "question-mark"] == [0.0, 1.0]
    assert compare.key(asking, []) != compare.key(plain, [])


def test_its_kind_is_a_task_of_recipes(page):
    recipe = load_recipe("gallery-vqa", "pocket")
    counting = kind_of("counting")

    assert counting.answer(example(0, target="03")) == "3"
    assert counting.answer(example(0, target="three")) == ""
    counted = recipe.model_copy(update={"task": "counting"})
    assert counted.kind is counting
    assert counted.digest("task") != recipe.digest("task")
    assert parse_override("task=counting") == {"task": "counting"}

"""Wiring: places from the environment, identities of weights, and what stands in for what."""

import numpy as np
import pytest

from blip_core import wiring
from blip_core.errors import CheckpointError, PlaceError, RecipeError, TableError
from blip_core.pocket.composer import Composer
from blip_core.recipes import Checkpoint, load_recipe
from tests.unit.examples import png, world_pixels

SCENE = "A dog on the beach."


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_home_is_made_where_the_environment_says(home):
    place = wiring.workplace()
    assert place.home == home
    assert home.is_dir()
    assert place.models == home / "models"


def test_a_file_where_the_home_should_be_is_named(monkeypatch, tmp_path):
    (tmp_path / "taken").touch()
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "taken" / "home"))
    with pytest.raises(PlaceError, match="taken"):
        wiring.workplace()


def test_what_somebody_has_set_stays(monkeypatch, home):
    monkeypatch.setenv("PREFECT_HOME", "/mine")
    monkeypatch.setattr("os.environ", dict(wiring.os.environ))
    wiring.prepare_environment(wiring.workplace())
    assert wiring.os.environ["PREFECT_HOME"] == "/mine"
    assert wiring.os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_the_identity_of_a_folder_follows_its_files(tmp_path):
    model = Checkpoint(id=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    first = wiring.checkpoint_identity(model)
    assert wiring.checkpoint_identity(model) == first
    (tmp_path / "config.json").write_text("[ ]")
    assert wiring.checkpoint_identity(model) != first


def test_a_hub_checkpoint_is_known_by_name_and_revision(home):
    assert wiring.checkpoint_identity(Checkpoint(id="owner/name", revision="abc")) == "owner/name@abc"


def test_a_missing_checkpoint_is_named_before_any_work(home):
    recipe = load_recipe("gallery-vqa", "pocket", ["labels.model=/nowhere/llava"])
    with pytest.raises(CheckpointError, match="/nowhere/llava"):
        wiring.check_checkpoints(recipe)


def test_bundled_evaluation_rows_are_limited_and_name_their_answers():
    recipe = load_recipe("gallery-vqa", "pocket", ["evaluation.limit=6"])
    rows = wiring.evaluation_examples(recipe, dataset=None)
    assert len(rows) == 6
    assert all(row.target == row.options["ABCD".index(row.answer)] for row in rows)


@pytest.fixture
def album(tmp_path):
    """A table with two questions about two pictures, and a folder with the pictures."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.png").write_bytes(png(world_pixels(number)))
    write_table(folder / "t.csv", "What stands here?")
    write_table(folder / "other.csv", "What lies behind it?")
    return folder


def write_table(path, question, name="image", answer="B"):
    rows = "".join(f"{number}.png,{question},one,two,three,four,{answer}\n" for number in range(2))
    path.write_text(f"{name},question,a,b,c,d,answer\n{rows}")


def with_tables(source=None, evaluation=None, *more):
    overrides = list(more)
    if source:
        overrides += ["source.kind=table", f"source.path={source}"]
    if evaluation:
        overrides += ["evaluation.kind=table", f"evaluation.path={evaluation}"]
    return load_recipe("gallery-vqa", "pocket", overrides)


@pytest.mark.parametrize("kind", ["prompts", "world"])
def test_pictures_that_are_made_can_be_run(kind):
    wiring.check_can_run(load_recipe("gallery-vqa", "pocket", [f"source.kind={kind}"]))


def test_pictures_that_are_handed_in_can_be_run(album):
    wiring.check_can_run(with_tables(album / "t.csv", album / "other.csv"))
    wiring.check_can_run(load_recipe("gallery-vqa", "pocket", ["source.kind=folder", f"source.path={album}"]))


def test_another_task_than_four_options_cannot_be_run_yet():
    with pytest.raises(RecipeError, match=r"task is 'vqa'.*allowed today: mcq"):
        wiring.check_can_run(with_tables().model_copy(update={"task": "vqa"}))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["source.kind=folder", "source.path=/nowhere"], "/nowhere is no folder"),
        (["source.kind=table", "source.path=/nowhere.csv"], "/nowhere.csv cannot be read"),
        (["evaluation.kind=table", "evaluation.path=/nowhere.csv"], "/nowhere.csv cannot be read"),
    ],
)
def test_what_is_not_there_is_named_before_any_work(overrides, told):
    with pytest.raises(TableError, match=told):
        wiring.check_can_run(load_recipe("gallery-vqa", "pocket", overrides))


def test_a_table_that_cannot_judge_is_refused_before_any_work(album):
    write_table(album / "other.csv", "What?", answer="E")
    with pytest.raises(TableError, match=r"other\.csv"):
        wiring.check_can_run(with_tables(None, album / "other.csv"))


def test_a_table_without_questions_can_be_asked_about_but_not_learnt(album):
    (album / "t.csv").write_text("photo\n0.png\n")
    wiring.check_can_run(with_tables(album / "t.csv", None, "source.questions=labeller"))
    with pytest.raises(TableError, match="no column for question"):
        wiring.check_can_run(with_tables(album / "t.csv"))


def test_what_is_learnt_cannot_judge(album):
    write_table(album / "other.csv", "what  STANDS here?", name="picture")
    with pytest.raises(TableError, match="2 questions about the same pictures"):
        wiring.check_can_run(with_tables(album / "t.csv", album / "other.csv"))
    wiring.check_can_run(with_tables(album / "t.csv", album / "other.csv", "source.questions=labeller"))


def test_a_table_is_judged_on_with_the_columns_it_is_said_to_have(album):
    write_table(album / "other.csv", "What?", name="photo 1")
    recipe = with_tables(None, album / "other.csv", "evaluation.columns.image=photo 1")
    assert [row.answer for row in wiring.evaluation_examples(recipe, dataset=None)] == ["B", "B"]


def test_the_evaluation_identity_follows_every_picture_file_of_a_table(album):
    recipe = with_tables(None, album / "t.csv")
    first = wiring.evaluation_identity(recipe, "x")
    assert wiring.evaluation_identity(recipe, "y") == first
    (album / "1.png").write_bytes(png(world_pixels(9)))
    assert wiring.evaluation_identity(recipe, "x") != first


def test_what_is_handed_in_needs_no_checkpoint_that_would_make_it(home, album):
    absent = [f"{name}.model=/nowhere/{name}" for name in ("scenes", "pictures", "labels")]
    wiring.check_checkpoints(with_tables(album / "t.csv", None, *absent))
    with pytest.raises(CheckpointError, match="/nowhere/labels"):
        wiring.check_checkpoints(with_tables(album / "t.csv", None, "source.questions=labeller", *absent))


def test_both_bundled_sets_can_be_judged_on():
    counts = {}
    for style in ("shifted", "generic"):
        recipe = load_recipe("gallery-vqa", "pocket", [f"evaluation.style={style}"])
        counts[style] = len(wiring.evaluation_examples(recipe, dataset=None))
    assert counts == {"shifted": 2080, "generic": 600}


def test_the_evaluation_identity_follows_the_limit_and_the_dataset():
    bundled = [load_recipe("gallery-vqa", "pocket", [f"evaluation.limit={limit}"]) for limit in (5, 6)]
    assert wiring.evaluation_identity(bundled[0], "x") != wiring.evaluation_identity(bundled[1], "x")
    assert wiring.evaluation_identity(bundled[0], "x") == wiring.evaluation_identity(bundled[0], "y")


def test_one_stage_answers_without_a_description():
    two = load_recipe("gallery-vqa", "pocket")
    assert wiring.inference_settings(two).describe_prompt
    one = two.model_copy(update={"stages": 1})
    assert wiring.inference_settings(one).describe_prompt == ""


def test_composed_pictures_stand_in_for_painted_ones(home):
    recipe = load_recipe("gallery-vqa", "pocket", ["source.kind=world"])
    painter = wiring.build_painter(recipe)
    assert isinstance(painter, Composer)
    first, again, other = painter.paint([SCENE, SCENE, SCENE], [1, 1, 2])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_device_that_is_not_there_is_refused(monkeypatch, home, tmp_path):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    recipe = load_recipe("gallery-vqa", "pocket", ["device.kind=cuda", f"labels.model={tmp_path}"])
    with pytest.raises(RecipeError, match=r"device\.kind"):
        wiring.build_labeller(recipe)

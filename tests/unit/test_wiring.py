"""Wiring: places from the environment, identities of weights, and what stands in for what."""

import numpy as np
import pytest

from blip_core import wiring
from blip_core.errors import CheckpointError, PlaceError, RecipeError
from blip_core.pocket.composer import Composer
from blip_core.recipes import Checkpoint, load_recipe

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


def test_a_source_that_no_flow_takes_is_refused_before_any_work():
    recipe = load_recipe("gallery-vqa", "pocket", ["source.kind=folder", "source.path=pictures"])
    with pytest.raises(RecipeError, match=r"source\.kind is 'folder'.*allowed today: prompts, world"):
        wiring.check_can_run(recipe)
    wiring.check_can_run(load_recipe("gallery-vqa", "pocket", ["source.kind=world"]))


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

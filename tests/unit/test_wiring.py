"""Wiring: places from the environment, identities of weights, and what stands in for what."""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy

from blip_core import wiring
from blip_core.errors import CheckpointError, PlaceError, RecipeError, TableError
from blip_core.inference.prompting import answer_prompt
from blip_core.kinds import KINDS
from blip_core.pocket.composer import Composer
from blip_core.prefetching import LockedCheckpoint
from blip_core.recipes import Checkpoint, load_recipe
from blip_core.tracking.sqlite import sqlite_address, sqlite_path
from blip_core.wiring.servers import page_of, pages_elsewhere
from tests.unit.examples import png, world_pixels

HERE = Path(__file__).parent
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


def test_a_store_may_be_a_folder_elsewhere(monkeypatch, home, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_STORE", "elsewhere")
    place = wiring.workplace()
    assert place.store.root == tmp_path / "elsewhere"
    assert not place.is_shared
    assert place.store.place.shelf is None


@pytest.mark.parametrize("named", ["gs://user:secret@bucket", "https://host/bucket", "S3://bucket"])
def test_what_is_no_address_of_a_store_is_refused_without_telling_a_secret(monkeypatch, home, named):
    monkeypatch.setenv("FOUNDRY_STORE", named)
    with pytest.raises(PlaceError, match="s3://BUCKET/PREFIX in FOUNDRY_STORE") as refused:
        wiring.workplace()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("size", ["0", "-1", "much", "nan", "inf"])
def test_a_size_of_the_cache_that_is_none_is_refused(monkeypatch, home, size):
    monkeypatch.setenv("FOUNDRY_STORE", "s3://bucket")
    monkeypatch.setenv("FOUNDRY_STORE_CACHE_GB", size)
    with pytest.raises(PlaceError, match="FOUNDRY_STORE_CACHE_GB"):
        wiring.workplace()


def test_what_somebody_has_set_stays(monkeypatch, home):
    monkeypatch.setenv("PREFECT_HOME", "/mine")
    monkeypatch.setattr("os.environ", dict(os.environ))
    wiring.prepare_environment(wiring.workplace())
    assert os.environ["PREFECT_HOME"] == "/mine"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_the_identity_of_a_folder_follows_its_files(tmp_path):
    model = Checkpoint(id=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    first = wiring.checkpoint_identity(model)
    assert wiring.checkpoint_identity(model) == first
    (tmp_path / "config.json").write_text("[ ]")
    assert wiring.checkpoint_identity(model) != first


def test_a_hub_checkpoint_is_known_by_name_and_revision(home):
    assert wiring.checkpoint_identity(Checkpoint(id="owner/name", revision="abc")) == "owner/name@abc"


@pytest.mark.parametrize(
    "name", ["model.safetensors", "unet/model.safetensors", "weights.gguf", "spiece.model"]
)
def test_a_clone_without_its_weights_is_told_before_any_work(name, tmp_path, home):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 900\n"
    (tmp_path / "clone" / name).parent.mkdir(parents=True)
    (tmp_path / "clone" / name).write_text(pointer)
    recipe = load_recipe("gallery-vqa", "pocket", [f"labels.model={tmp_path / 'clone'}"])

    with pytest.raises(CheckpointError, match=rf"{name} is a git-lfs pointer.*git lfs pull"):
        wiring.check_checkpoints(recipe)


def test_a_missing_checkpoint_is_named_before_any_work(home):
    recipe = load_recipe("gallery-vqa", "pocket", ["labels.model=/nowhere/llava"])
    with pytest.raises(CheckpointError, match="/nowhere/llava"):
        wiring.check_checkpoints(recipe)


@pytest.mark.parametrize(
    ("adapter", "features", "reason"),
    [
        ('{pattern="qformer.*[.]nothing"}', "cached", "matches no module"),
        ('{pattern="vision_model.*fc1"}', "cached", "set finetune[.]features to fresh"),
        ('{pattern="vision_model.*fc1"}', "fresh", None),
        ('{preset="projection-queries"}', "cached", None),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_before_any_work(
    home, monkeypatch, adapter, features, reason
):
    monkeypatch.setattr("os.environ", dict(os.environ))
    monkeypatch.setattr("blip_core.modeling.load_blip2", lambda *_: pytest.fail("weights were loaded"))
    overrides = [f"finetune.adapter={adapter}", f"finetune.features={features}"]
    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    if reason is None:
        wiring.check_ready(recipe)
        return
    for refuse in (wiring.check_ready, wiring.load_base):
        with pytest.raises(RecipeError, match=reason):
            refuse(recipe)


def test_a_base_that_is_no_blip2_is_refused_before_any_work(home, monkeypatch):
    monkeypatch.setattr("os.environ", dict(os.environ))
    recipe = load_recipe("gallery-vqa", "pocket", ["finetune.base=pocket/llava"])
    with pytest.raises(CheckpointError, match=r"allowed here: BLIP-2 \(Blip2ForConditionalGeneration\)"):
        wiring.check_ready(recipe)


def test_a_locked_checkpoint_is_pinned_to_its_commit(home, monkeypatch):
    checkpoint = Checkpoint(id="owner/name", dtype="bfloat16")
    assert wiring.pinned(checkpoint) == checkpoint
    locked = LockedCheckpoint(commit="abc", revision="", files={})
    monkeypatch.setattr(wiring.checkpoints, "read_lock", lambda _: {"owner/name": locked})
    assert wiring.pinned(checkpoint) == checkpoint.model_copy(update={"revision": "abc"})


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


def free_table(path, head, *rows):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def with_task(task, table, *more):
    prompt = {"caption": "a photo of", "vqa": "Question: {question} Answer:"}[task]
    given = [f"task={task}", "stages=1", f"inference.answer_prompt='{prompt}'", "findings=[]"]
    given += ["inference.circular=false", "inference.ablations=[]", "finetune.describe_share=0.0"]
    given += ["evaluation.kind=split", "source.kind=table", f"source.path={table}", *more]
    return load_recipe("gallery-vqa", "pocket", given)


@pytest.mark.parametrize(
    ("task", "head", "row"),
    [
        ("caption", "image,caption", "0.png,a bus"),
        ("caption", "file_name,text", "0.png,a bus"),
        ("vqa", "image,question,answer", "0.png,What is this?,a bus"),
        ("vqa", "image,question,answers", "0.png,What is this?,a bus"),
    ],
)
def test_tables_without_options_can_be_run(album, task, head, row):
    wiring.check_can_run(with_task(task, free_table(album / "free.csv", head, row)))


@pytest.mark.parametrize(
    ("task", "head", "row", "words"),
    [
        ("caption", "image,place", "0.png,a park", "there is no column for caption"),
        ("caption", "image,caption", "0.png,", "the column 'caption' is empty in every row"),
        ("vqa", "image,question", "0.png,What is this?", "there is no column for answer"),
        (
            "vqa",
            "image,question,answer",
            "0.png,What is this?, ",
            "the column 'answer' is empty in every row",
        ),
        ("vqa", "image,answer", "0.png,a bus", "there is no column for question"),
    ],
)
def test_a_table_without_what_is_to_be_learnt_is_refused_before_any_work(album, task, head, row, words):
    with pytest.raises(TableError, match=words):
        wiring.check_can_run(with_task(task, free_table(album / "free.csv", head, row)))


@pytest.mark.parametrize(("kind", "prompt"), [("mcq", "{question} Quick:"), ("caption", ""), ("vqa", "")])
def test_a_prompt_of_a_variants_own_is_for_rows_of_the_recipes_kind_alone(kind, prompt):
    recipe = load_recipe("gallery-vqa", "pocket")
    quick = recipe.variants[-1].model_copy(update={"answer_prompt": "{question} Quick:"})

    answering = wiring.as_answering(quick, recipe, wiring.asked_as(recipe, KINDS[kind]))

    assert (answering.name, answering.answer_prompt) == (quick.name, prompt)


def test_bundled_questions_to_which_one_answer_is_right_judge_free_answers_too():
    asked = ["inference.answer_prompt='{question}{description}'", "inference.circular=false", "findings=[]"]
    free = load_recipe(
        "gallery-vqa", "pocket", ["task=vqa", "inference.ablations=[]", "evaluation.limit=40", *asked]
    )
    rows = wiring.evaluation_examples(free)
    lettered = {row.id: row for row in wiring.evaluation_examples(load_recipe("gallery-vqa", "pocket"))}
    assert {row.kind for row in rows} == {"place", "time", "count"}
    assert {(row.task, row.answer, row.options) for row in rows} == {("vqa", "", ("",) * 4)}
    assert all(row.target == lettered[row.id].target for row in rows)


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_a_row_without_its_text_cannot_judge(album, task):
    heads = {"caption": "image,caption", "vqa": "image,question,answer"}
    rows = {"caption": ["0.png,a bus", "1.png,"], "vqa": ["0.png,What?,a bus", "1.png,What?,"]}
    table = free_table(album / "free.csv", heads[task], *rows[task])
    judged = [f"evaluation={{kind='table', path='{table}'}}"]
    with pytest.raises(TableError, match=r"row 2: (caption|answer) is empty; mend or remove it"):
        wiring.evaluation_examples(with_task(task, table, *judged))


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_rows_that_judge_bear_the_task_of_their_recipe(album, task):
    heads = {"caption": "image,caption", "vqa": "image,question,answer"}
    rows = {"caption": "0.png,a bus", "vqa": "0.png,What?,a bus"}
    table = free_table(album / "free.csv", heads[task], rows[task])
    (row,) = wiring.evaluation_examples(
        with_task(task, table, f"evaluation={{kind='table', path='{table}'}}")
    )
    assert (row.task, row.target, row.answer, set(row.options)) == (task, "a bus", "", {""})


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


PROBE = "name='old',task='vqa',rows={kind='bundled'}"


@pytest.mark.parametrize("measure", ["cider", "letter-right", "words", "circular-right"])
def test_a_probe_is_judged_by_what_says_how_much_is_right(measure):
    recipe = load_recipe("gallery-vqa", "pocket", [f"probes=[{{{PROBE},measure='{measure}'}}]"])
    with pytest.raises(
        RecipeError, match=f"probe old: {measure} does not say how much .* allowed: exact-answer"
    ):
        wiring.check_can_run(recipe)


def test_a_probe_shows_no_pictures_that_are_learnt():
    shown = "{kind='pocket',world='gallery',count=9,seed=3}"
    probe = f"probes=[{{name='old',task='vqa',rows={shown}}}]"
    asking = ["task=vqa", "stages=1", "inference.answer_prompt='{question}'", "finetune.describe_share=0"]
    plain = ["inference.circular=false", "inference.ablations=[]", "evaluation.kind=bundled", "findings=[]"]
    recipe = load_recipe("gallery-vqa", "pocket", [probe, f"source={shown}", *asking, *plain])
    with pytest.raises(RecipeError, match="show the same pictures"):
        wiring.check_can_run(recipe)


def test_probes_ask_the_same_rows_in_the_same_way_in_all_phases():
    recipe = load_recipe("gallery-vqa", "pocket", [f"probes=[{{{PROBE},limit=7}}]"])
    (probe,) = wiring.probed_rows(recipe)
    assert len(probe.examples) == 7
    assert {row.task for row in probe.examples} == {"vqa"}
    assert (probe.asking.answer_prompt, probe.measure) == ("Question: {question} Answer:", "vqa-accuracy")
    other = recipe.model_copy(update={"phase": "later", "task": "caption", "stages": 1})
    assert wiring.probes_identity(other) == wiring.probes_identity(recipe)


def test_a_phase_that_goes_on_is_held_against_the_base():
    told = {"probe": "old", "measure": "vqa-accuracy", "rows": 9}
    (first,) = wiring.since_the_base([told | {"before": 0.8, "after": 0.7}], [])
    (second,) = wiring.since_the_base([told | {"before": 0.7, "after": 0.6}], [first])
    (other,) = wiring.since_the_base([told | {"rows": 8, "before": 0.7, "after": 0.6}], [first])
    assert (first["base"], second["base"], other["base"]) == (0.8, 0.8, 0.7)


@pytest.mark.parametrize(
    ("learnt", "chosen"), [(["red", "Red", "blue"], ("Red", "blue")), (["b", "a", "a"], ("a", "b"))]
)
def test_a_variant_chooses_among_what_its_adapter_learnt_unless_the_recipe_names_answers(learnt, chosen):
    variants = "variants=[{name='a',role='base',adapter=true,answers='ranked'}]"
    recipe = load_recipe("fashion-vqa", "pocket", [variants, "findings=[]"])
    (variant,) = recipe.variants
    assert wiring.asking(recipe, variant, learnt).closed_answers == chosen
    named = load_recipe(
        "fashion-vqa", "pocket", [variants, "findings=[]", "inference.closed_answers=['x','y']"]
    )
    assert wiring.asking(named, variant, learnt).closed_answers == ("x", "y")
    assert wiring.asking(named, variant.model_copy(update={"answers": "written"})).closed_answers == ()
    for too_few in ([], ["red"]):
        with pytest.raises(RecipeError, match="variant a ranks"):
            wiring.asking(recipe, variant, too_few)


def test_a_sheet_asks_every_prompt_of_the_first_pictures_that_are_judged():
    few = ["evaluation.count=4", "evaluation.questions_each=2", "sheet.pictures=3"]
    prompts = "sheet.prompts=['this is a photo of','What {is} it?']"
    recipe = load_recipe("fashion-vqa", "pocket", [*few, prompts])
    rows = wiring.sheet_rows(recipe, None)
    judged = dict.fromkeys(row.picture_id for row in wiring.evaluation_examples(recipe))
    assert [*dict.fromkeys(row.picture_id for row in rows)] == [*judged][:3]
    assert [row.question for row in rows] == ["this is a photo of", "What {is} it?"] * 3
    assert len({row.id for row in rows}) == 6
    assert {(row.task, row.target, *row.options) for row in rows} == {("vqa", "", "", "", "", "")}
    assert answer_prompt(wiring.asking_sheet(recipe), rows[1], "") == "What {is} it?"


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
    write_table(album / "other.csv", "What stands here?", name="picture")
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


@pytest.fixture
def pocket_t5(home):
    """A fresh home, the pocket recipe, and its BLIP-2."""
    from blip_core.modeling import load_blip2
    from blip_core.pocket import models_dir

    return load_recipe("gallery-vqa", "pocket", []), load_blip2(models_dir() / "blip2-t5")


def test_tuning_and_its_variants_share_one_picture_s_features(pocket_t5):
    recipe, bundle = pocket_t5
    rows = wiring.evaluation_examples(recipe, dataset=None)[:1]
    tuning = wiring.vision_states(recipe, bundle)
    tuning.add(rows)
    untuned, tuned = (wiring.variant_states(recipe, variant, bundle) for variant in recipe.variants[1:])
    for states in (untuned, tuned):
        states.add(rows)

    assert [states.forwards for states in (tuning, untuned, tuned)] == [1, 0, 0]
    (block,) = wiring.workplace().store.artifacts("features")
    assert block.metadata["model"] == wiring.checkpoint_identity(recipe.finetune.base)


def test_fresh_features_are_not_kept(pocket_t5):
    recipe, bundle = pocket_t5
    settings = recipe.finetune.model_copy(update={"features": "fresh", "augmentation": "colour"})
    states = wiring.vision_states(recipe.model_copy(update={"finetune": settings}), bundle)
    states.add(wiring.evaluation_examples(recipe, dataset=None)[:1])

    assert wiring.workplace().store.artifacts("features") == []


def test_a_variant_encodes_for_itself_where_its_tower_is_tuned_or_tiny(pocket_t5, tiny_blip2):
    from blip_core.modeling import attach_adapter, load_blip2
    from blip_core.recipes.finetune import Adapter

    recipe, bundle = pocket_t5
    tuned = attach_adapter(bundle, Adapter(pattern=r"vision_model\..*\.qkv", r=2), seed=0)

    assert wiring.variant_states(recipe, recipe.variants[2], tuned) is None
    assert wiring.variant_states(recipe, recipe.variants[1], load_blip2(tiny_blip2("t5"))) is None


def test_each_process_that_tunes_needs_a_gpu_of_its_own(monkeypatch, home, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    recipe = load_recipe("gallery-vqa", "pocket", ["device.kind=cuda", "device.processes=4"])
    with pytest.raises(RecipeError, match=r"device\.processes is 4 and torch sees 2"):
        wiring.tuning_job(recipe, tmp_path, tmp_path, tmp_path)


def test_the_commit_of_the_running_code_is_told():
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE)
    assert wiring.git_commit() == head.stdout.strip()


def test_a_release_tells_the_commit_that_it_was_built_from(monkeypatch, tmp_path):
    environment = tmp_path / "blip_core" / "wiring" / "environment.py"
    environment.parent.mkdir(parents=True)
    monkeypatch.setattr("blip_core.wiring.environment.__file__", str(environment))
    assert wiring.git_commit() == ""
    (tmp_path / "blip_core" / "COMMIT").write_text("0123abc\n")
    assert wiring.git_commit() == "0123abc"


@pytest.mark.parametrize(
    "odd", ["what? & more;x=1", "100%25 #1 [v2]", "홈 dir", 'it\'s "mine"', "a$b", "%3F"]
)
def test_databases_lie_below_a_home_of_any_name(monkeypatch, tmp_path, odd):
    monkeypatch.setattr("os.environ", dict(os.environ))
    for settled in ("PREFECT_HOME", "PREFECT_API_DATABASE_CONNECTION_URL"):
        monkeypatch.delenv(settled, raising=False)
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / odd))
    place = wiring.workplace()
    wiring.prepare_environment(place)
    named = os.environ["PREFECT_API_DATABASE_CONNECTION_URL"]
    assert sqlalchemy.make_url(named).database == str(tmp_path / odd / "prefect" / "prefect.db")
    assert sqlite_path(sqlite_address(place.mlflow)) == place.mlflow


@pytest.mark.parametrize("named", ["relative/home", "~/home", "there/../home/", "link"])
def test_a_home_is_made_absolute_for_processes_that_stand_elsewhere(monkeypatch, tmp_path, named):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.environ", {**os.environ, "HOME": str(tmp_path), "FOUNDRY_HOME": named})
    wiring.prepare_environment(wiring.workplace())
    home = Path(os.environ["FOUNDRY_HOME"])
    assert home.is_absolute()
    assert home.is_dir()
    assert str(home).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("~nobody-of-that-name/home", "whole path"),
        ("/dev/null/home", "Not a directory"),
        ("/proc/home", "cannot be written"),
        ("taken", "File exists"),
        ("a\nb", "no text"),
        ("a\udcffb", "no text"),
        ("x" * 300, "too long"),
        ("/".join(["x" * 200] * 19), "too long"),
    ],
)
def test_a_home_that_cannot_be_used_is_refused_in_one_sentence(monkeypatch, tmp_path, named, reason):
    (tmp_path / "taken").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_HOME", named)
    with pytest.raises(PlaceError, match=reason) as refusal:
        wiring.workplace()
    assert "FOUNDRY_HOME" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("home", [None, "/somewhere"])
def test_a_user_without_an_entry_gets_what_libraries_ask_for(monkeypatch, tmp_path, home):
    environment = {"FOUNDRY_HOME": str(tmp_path)} | ({"HOME": home} if home else {})
    monkeypatch.setattr("os.environ", environment)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_001)
    wiring.prepare_environment(wiring.workplace())
    assert getpass.getuser() == "uid-4000000001"
    assert Path.home() == Path(home or tmp_path)


def test_a_user_without_a_home_is_told_what_to_name(monkeypatch):
    monkeypatch.setattr("os.environ", {})
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_001)
    with pytest.raises(PlaceError, match=r"~/\.blip-foundry means nothing.*FOUNDRY_HOME"):
        wiring.workplace()


@pytest.fixture
def usual_folder(monkeypatch):
    monkeypatch.setattr("os.environ", dict(os.environ))
    before, tempfile.tempdir = tempfile.tempdir, None
    yield Path(tempfile.gettempdir())
    tempfile.tempdir = before


def full(path):
    return shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)


def no_folder():
    raise FileNotFoundError("no usable temporary directory")


@pytest.mark.parametrize(
    ("what", "instead"),
    [("shutil.disk_usage", full), ("tempfile.gettempdir", no_folder), ("tempfile.gettempdir", os.getcwd)],
)
def test_temporary_files_lie_below_the_home_where_the_usual_folder_has_no_room(
    monkeypatch, home, usual_folder, what, instead
):
    with monkeypatch.context() as patch:
        patch.setattr(what, instead)
        wiring.prepare_environment(wiring.workplace())
    assert Path(tempfile.gettempdir()) == home / "tmp"


def test_temporary_files_stay_where_there_is_room(home, usual_folder):
    wiring.prepare_environment(wiring.workplace())
    assert Path(tempfile.gettempdir()) == usual_folder


def test_logins_in_addresses_of_servers_go_to_the_variables_made_for_them(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:c%40nary@mlflow:5000")
    monkeypatch.setenv("PREFECT_API_URL", "http://bob:canary@prefect:4200/api")

    assert wiring.workplace().tracking_uri == "http://mlflow:5000"
    assert wiring.prefect_api_url() == "http://prefect:4200/api"
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "ann"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "c@nary"  # noqa: S105
    assert os.environ["PREFECT_API_AUTH_STRING"] == "bob:canary"


def test_a_home_of_a_newer_version_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / "home.json").write_text('{"format": 2}')
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    with pytest.raises(PlaceError, match=r"has format 2.*install the version that made it"):
        wiring.workplace()


@pytest.mark.parametrize(
    "named", ["mysql://db/prefect", "postgresql://db", "postgresql://u:s3cret@db:x/prefect"]
)
def test_an_address_that_names_no_database_is_refused_with_an_example(named, monkeypatch, home):
    monkeypatch.setenv("FOUNDRY_PREFECT_DATABASE", named)
    with pytest.raises(PlaceError, match=r"FOUNDRY_PREFECT_DATABASE.*postgresql://USER") as told:
        wiring.workplace()
    assert "s3cret" not in str(told.value)


def test_what_the_library_says_goes_to_the_log_of_the_run(home):
    probe = (
        "import logging; from blip_core.wiring import prepare_environment, workplace; "
        "prepare_environment(workplace()); from prefect.logging.configuration import setup_logging; "
        "setup_logging(); print(*(type(one).__name__ for one in logging.getLogger('blip_core').handlers))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["APILogHandler"]


def test_pages_of_servers_on_other_machines_are_named_by_their_addresses(monkeypatch, home):
    monkeypatch.setenv("PREFECT_API_URL", "http://servers.example:4200/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://servers.example:5000")
    assert page_of(wiring.workplace(), "prefect") == "http://servers.example:4200"
    assert page_of(wiring.workplace(), "mlflow") == "http://servers.example:5000"
    assert pages_elsewhere(wiring.workplace()) == (
        "http://servers.example:4200 (Prefect), http://servers.example:5000 (MLflow)"
    )


def test_a_server_of_this_machine_may_end_with_its_run_and_is_no_lasting_page(monkeypatch, home):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:8123/api")
    assert page_of(wiring.workplace(), "prefect") == "http://127.0.0.1:4200"
    assert pages_elsewhere(wiring.workplace()) == ""

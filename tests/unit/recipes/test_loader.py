import tomllib

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe, profile_names

RECIPE = """
name = "mine"
title = "A recipe of one's own"
task = "mcq"
source = { kind = "folder", path = "pictures" }
labels = { prompt = "<image> ask" }
inference = { answer_prompt = "{question} {a} {b} {c} {d}", batch_size = 3 }
variants = [{ name = "base", role = "base" }]
"""


@pytest.fixture
def write(tmp_path):
    def _write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return _write


def test_later_layers_win_over_earlier_ones(write):
    path = write(RECIPE + "[profiles.pocket.finetune]\nepochs = 7\n")
    profile = write("labels = { batch_size = 5 }\n[finetune]\nepochs = 6\nbatch_size = 9\n", "pocket.toml")

    recipe = load_recipe(path, profile, ["finetune.batch_size=11"])

    assert recipe.scenes.batch_size == 8, "schema default"
    assert recipe.inference.batch_size == 3, "recipe"
    assert recipe.labels.batch_size == 5, "profile"
    assert recipe.finetune.epochs == 7, "the recipe's own word on the profile"
    assert recipe.finetune.batch_size == 11, "override"


def test_another_profiles_patch_is_left_out(write):
    recipe = load_recipe(write(RECIPE + "[profiles.datacenter]\nseed = 5\n"))
    assert recipe.seed == 0


def test_a_bare_string_names_a_checkpoint_and_keeps_of_the_former_one_its_dtype_alone(write):
    former = "model = { id = 'Qwen/one', revision = 'abc', dtype = 'bfloat16' }"
    profile = write(f"[scenes]\n{former}", "own.toml")
    recipe = load_recipe("gallery-vqa", profile, ["scenes.model=Qwen/other"])
    assert recipe.scenes.model.model_dump() == {
        "id": "Qwen/other",
        "revision": None,
        "file": None,
        "dtype": "bfloat16",
    }


def test_a_gguf_path_is_split_into_folder_and_file():
    model = load_recipe("gallery-vqa", overrides=["scenes.model=models/small.Q4_1.gguf"]).scenes.model
    assert (model.id, model.file, model.is_local) == ("./models", "small.Q4_1.gguf", True)


def test_a_pattern_drives_out_the_preset_and_keeps_the_rank():
    recipe = load_recipe("gallery-vqa", overrides=["finetune.adapter.pattern=qformer.*query"])
    adapter = recipe.finetune.adapter
    assert (adapter.preset, adapter.pattern, adapter.r) == (None, "qformer.*query", 32)


@pytest.mark.parametrize("order", [1, -1])
def test_overrides_may_come_in_any_order(order):
    overrides = ["source.kind=folder", "source.path=/pictures"][::order]
    assert load_recipe("gallery-vqa", overrides=overrides).source.path == "/pictures"


def test_variants_follow_an_overridden_base():
    recipe = load_recipe("gallery-vqa", "workstation", ["finetune.base=Salesforce/blip2-flan-t5-xxl"])
    assert {variant.model.id for variant in recipe.variants if variant.role == "base"} == {
        "Salesforce/blip2-flan-t5-xxl"
    }


@pytest.mark.parametrize("profile", ["pocket", "workstation"])
def test_a_resolved_recipe_reproduces_itself(write, profile):
    recipe = load_recipe("gallery-vqa", profile, ["seed=7", "scenes.count=12"])
    again = load_recipe(write(recipe.to_toml()))
    assert again == recipe
    assert again.digest() == recipe.digest()


def test_a_resolved_recipe_is_not_resolved_for_another_profile(write):
    path = write(load_recipe("gallery-vqa", "workstation").to_toml())
    with pytest.raises(RecipeError, match=r"was resolved for 'workstation'.*complete"):
        load_recipe(path, "pocket")


def test_a_resolved_recipe_is_toml_that_keeps_the_prompts():
    recipe = load_recipe("gallery-vqa")
    assert tomllib.loads(recipe.to_toml())["labels"]["prompt"] == recipe.labels.prompt


def test_a_digest_depends_on_the_named_sections_alone():
    plain = load_recipe("gallery-vqa")
    changed = load_recipe("gallery-vqa", overrides=["finetune.epochs=9"])
    assert plain.digest("scenes", "pictures") == changed.digest("scenes", "pictures")
    assert plain.digest("finetune") != changed.digest("finetune")


def test_a_digest_does_not_depend_on_the_order_of_sections():
    recipe = load_recipe("gallery-vqa")
    assert recipe.digest("scenes", "labels") == recipe.digest("labels", "scenes") != recipe.digest("labels")


def test_a_recipe_cannot_be_changed_after_it_was_loaded():
    with pytest.raises(ValueError, match="frozen"):
        load_recipe("gallery-vqa").scenes.count = 3


@pytest.mark.parametrize(
    ("name", "profile", "text"),
    [
        ("galery-vqa", "pocket", "no recipe 'galery-vqa'; did you mean gallery-vqa?"),
        ("gallery-vqa", "poket", "no profile 'poket'; did you mean pocket?"),
        (
            "gallery-vqa",
            "laptop-gpu",
            f"there is {', '.join(profile_names())}",
        ),
        ("./nowhere.toml", "pocket", "nowhere.toml: cannot be read (No such file or directory)"),
    ],
)
def test_an_unknown_name_gets_what_there_is(name, profile, text):
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, profile)
    assert text in str(caught.value)


def test_a_file_that_is_no_toml_names_the_line(write):
    with pytest.raises(RecipeError, match=r"mine\.toml: is not valid TOML: .*line 2"):
        load_recipe(write('name = "x"\ntitle = \n'))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(RecipeError, match="is not UTF-8 text"):
        load_recipe(str(path))


def test_a_patch_for_an_unknown_profile_is_refused(write):
    with pytest.raises(RecipeError, match=r"profiles\.pockt .*did you mean pocket"):
        load_recipe(write(RECIPE + "[profiles.pockt]\nseed = 5\n"))

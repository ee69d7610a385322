"""How a checkpoint is written, and what each way of writing it says."""

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import Checkpoint, load_recipe


@pytest.mark.parametrize(
    ("written", "folder", "file"),
    [
        ("./m/x.gguf", "./m", "x.gguf"),
        ("../m/x.gguf", "../m", "x.gguf"),
        ("m/deep/x.GGUF", "./m/deep", "x.GGUF"),
        ("/models/x.q4.gguf", "/models", "x.q4.gguf"),
        ("~/x.gguf", "~", "x.gguf"),
    ],
)
def test_a_path_to_a_gguf_file_is_its_folder_and_its_name(written: str, folder: str, file: str):
    for given in (written, {"id": written}):
        found = Checkpoint.model_validate(given)
        assert (found.id, found.file, found.is_local) == (folder, file, True)


@pytest.mark.parametrize(
    "given", [{"id": "owner/name", "file": "x.gguf"}, {"id": "./x.gguf", "file": "x.gguf"}, {"id": "./m"}]
)
def test_what_names_its_file_or_has_none_stays_as_it_is(given: dict):
    found = Checkpoint.model_validate(given)
    assert (found.id, found.file) == (given["id"], given.get("file"))


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        *(("pocket/writer", "pocket"), ("gpt2", "hub"), ("owner/name", "hub"), ("a", "hub")),
        *((".", "local"), ("./m", "local"), ("../m", "local"), ("/m", "local"), ("~/m", "local")),
    ],
)
def test_an_id_is_of_the_pocket_family_of_the_hub_or_a_path(written: str, kind: str):
    found = Checkpoint(id=written)
    assert [found.is_pocket, found.is_of_hub, found.is_local] == [
        kind == one for one in ("pocket", "hub", "local")
    ]


@pytest.mark.parametrize("value", ["''", "[]", "3", "{id=3}", "'a/b/c'", "'.hidden'"])
def test_what_is_no_checkpoint_is_refused_by_its_field(value: str):
    with pytest.raises(RecipeError, match=r"scenes\.model"):
        load_recipe("gallery-vqa", "pocket", [f"scenes.model={value}"])

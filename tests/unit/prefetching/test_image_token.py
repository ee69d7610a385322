"""A BLIP-2 whose config or tokenizer does not say which token stands for a picture: found before any work."""

import json
import shutil

import pytest
import torch

from blip_core import wiring
from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2
from blip_core.prefetching import check_image_token
from blip_core.recipes import load_recipe
from tests.layouts import blip2, blip2_flan_t5, blip2_opt


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folders = {}
    for name, layout in (("t5", blip2_flan_t5), ("opt", blip2_opt)):
        folders[name] = tmp_path_factory.mktemp(name)
        layout.build(folders[name])
    return folders


@pytest.fixture
def copy(built, tmp_path):
    return lambda family: shutil.copytree(built[family], tmp_path / "model")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def without(*names):
    return lambda content: [content.pop(name, None) for name in names]


def of_rows(rows):
    """Changes a config alone: no weights have to be read to see that a token has no row."""
    return lambda content: content["text_config"].update(vocab_size=rows)


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize("age", ["new", "no index", "no tokens of the processor", "before 2024 ended"])
def test_a_copy_of_any_age_sees_its_pictures(copy, family, age):
    folder = copy(family)
    if age == "no index":
        edit(folder / "config.json", without("image_token_index"))
    if age == "no tokens of the processor":
        (folder / "processor_config.json").unlink()
    if age == "before 2024 ended":
        blip2.as_before_2024_ended(folder)

    check_image_token(folder)
    bundle = load_blip2(folder)

    ids = torch.tensor(
        [[bundle.image_token_id] * bundle.query_count + bundle.tokenizer("Question:")["input_ids"]]
    )
    start = {"decoder_input_ids": torch.zeros(1, 1, dtype=torch.long)} if family == "t5" else {}
    pictures = torch.randn(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (
            bundle.blip2(pixel_values=picture, input_ids=ids, **start).logits for picture in pictures
        )
    assert bundle.blip2.config.image_token_index == bundle.tokenizer.convert_tokens_to_ids("<image>")
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config.update(image_token_index=7), "image_token_index is 7"),
        (lambda config: config.update(image_token_index=0), "image_token_index is 0"),
        (lambda config: config.update(num_query_tokens=0), "num_query_tokens in config.json must be"),
        (of_rows(100), "vocab_size in config.json is 100"),
    ],
)
def test_a_model_that_would_ignore_pictures_is_refused_by_its_texts_alone(copy, family, change, said):
    folder = copy(family)
    edit(folder / "config.json", change)
    for path in folder.glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=said):
        check_image_token(folder)


def test_an_older_copy_without_room_for_the_token_is_refused(copy):
    folder = copy("opt")
    blip2.as_before_2024_ended(folder)
    edit(folder / "config.json", of_rows(360))
    with pytest.raises(CheckpointError, match=r"would be token 360.*choose a copy of the checkpoint"):
        check_image_token(folder)


@pytest.mark.parametrize("content", ["{}", '{"model": {}}', '{"model": {"vocab": [3]}}'])
def test_a_tokenizer_that_does_not_tell_is_left_to_the_loader(copy, content):
    folder = copy("opt")
    (folder / "tokenizer.json").write_text(content)
    check_image_token(folder)


@pytest.mark.parametrize("field", ["baseline", "finetune.base"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config.update(image_token_index=3), "pictures are ignored"),
        (lambda config: config.update(architectures=["LlavaForConditionalGeneration"]), "allowed here"),
        (lambda config: config["text_config"].update(model_type="bloom"), "language model; allowed"),
    ],
)
def test_a_run_asks_of_every_variant_before_any_work(copy, field, change, said, monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    folder = copy("opt")
    edit(folder / "config.json", change)
    recipe = load_recipe("gallery-vqa", "pocket", [f'{field}={{id="{folder}"}}'])
    with pytest.raises(CheckpointError, match=said):
        wiring.check_ready(recipe)

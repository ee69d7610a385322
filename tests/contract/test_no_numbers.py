"""Writers, labellers and painters whose models give no numbers: refused where that arises, row by row."""

import json
import shutil
from math import inf, nan

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from blip_core.backends.diffusers_painter import DiffusersPainter
from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.openai_compatible import ChatClient
from blip_core.backends.sampling import Sampling
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.errors import CheckpointError, NotANumber
from blip_core.inference.served import letter_chances
from blip_core.labelling import label_pictures
from blip_core.painting import encode_png, paint_pictures
from blip_core.ports import NoPicture
from blip_core.recipes.labels import Labels
from blip_core.recipes.pictures import Pictures
from blip_core.recipes.scenes import Category, Scenes
from blip_core.records import NO_PROBABILITIES, Picture, Scene
from blip_core.scenes import write_scenes

GREEDY, DRAWN = (Sampling(temperature=heat, top_p=0.9, max_new_tokens=4) for heat in (0.0, 1.0))
PAINTED = Pictures(width_px=32, height_px=32, steps=2, guidance_scale=4.0)
PROMPTS = ["a dog", "a cat on a mat", "a bird"]
MARK = "~"


def break_at_the_mark(backend, tokenizer, value):
    """The model's states are NaN or infinite wherever it reads the mark."""
    mark = tokenizer.convert_tokens_to_ids(MARK)

    def change(_, inputs, output):
        return output.masked_fill((inputs[0] == mark)[..., None], value)

    backend._model.get_input_embeddings().register_forward_hook(change)


@pytest.mark.parametrize("value", [nan, inf])
@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_a_writer_names_the_place_of_a_prompt_and_the_stage_its_call(writer_folder, sampling, value):
    writer = TransformersWriter(writer_folder, sampling)
    break_at_the_mark(writer, writer._tokenizer, value)
    assert len(writer.write(["Write.", "Write on."], [1, 2])) == 2
    with pytest.raises(
        NotANumber, match="the model gave NaN or infinity for row 2 of 3 in a batch"
    ) as refused:
        writer.write(["Write.", f"Write {MARK}.", "Write on."], [1, 2, 3])
    assert refused.value.place == 1

    categories = (Category(name="food", hint=MARK),)
    asked = Scenes(
        count=4, per_call=2, batch_size=2, prompt="{per_call} {category} {numbers}", categories=categories
    )
    with pytest.raises(NotANumber, match=r"^call 0 for food: the model gave NaN"):
        write_scenes(writer, asked, seed=0)
    writer.close()


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_a_labeller_is_refused_with_the_label_it_owed(llava_folder, sampling):
    labeller = ImageTextLabeller(llava_folder, sampling)
    broken = labeller._model.model.multi_modal_projector
    broken.register_forward_hook(lambda _, inputs, output: spoil_last(output))
    png = encode_png(Image.new("RGB", (16, 16), "red"))
    pictures = [Picture(f"n-{i:05d}-p0", f"n-{i:05d}", "n", "A dog.", 0, png, "", 8, 8) for i in range(3)]
    with pytest.raises(NotANumber, match=r"^n-00002-p0-q0: the model gave NaN"):
        label_pictures(labeller, pictures, Labels(prompt="<image> Label this.", batch_size=3), seed=0)
    labeller.close()


def spoil_last(states):
    states[-1] = nan  # of the batch's last picture, whether pictures are parted or flattened
    return states


def test_pixels_that_are_no_numbers_are_no_picture_and_the_others_are_unchanged(painter_folder):
    painter = DiffusersPainter(painter_folder, PAINTED)
    whole = painter.paint(PROMPTS, [1, 2, 3])

    def change(_, inputs, output):
        output[1, 0, 5, 5] = nan
        return output

    handle = painter._pipe.vae.decoder.register_forward_hook(change)
    first, second, third = painter.paint(PROMPTS, [1, 2, 3])
    assert second is NoPicture.NO_NUMBERS
    assert [first.tobytes(), third.tobytes()] == [whole[0].tobytes(), whole[2].tobytes()]

    scenes = [Scene(f"n-{i:05d}", "n", text, 0, i) for i, text in enumerate(PROMPTS)]
    painted, rejected = paint_pictures(painter, scenes, PAINTED, seed=0)
    assert [picture.id for picture in painted] == ["n-00000-p0", "n-00002-p0"]
    assert [(one.id, one.reason) for one in rejected] == [("n-00001-p0", "no-numbers")]
    handle.remove()
    painter.close()


def test_a_safety_check_that_sees_no_numbers_prints_nothing(flagging_painter_folder):
    painter = DiffusersPainter(flagging_painter_folder, PAINTED)
    painter._pipe.vae.decoder.register_forward_hook(lambda _, inputs, output: output * nan)
    assert set(painter.paint(PROMPTS, [1, 2, 3])) <= set(NoPicture)
    painter.close()


LOADERS = {
    "writer_folder": ("", lambda folder: TransformersWriter(folder, GREEDY)),
    "llava_folder": ("", lambda folder: ImageTextLabeller(folder, GREEDY)),
    "painter_folder": ("vae", lambda folder: DiffusersPainter(folder, PAINTED)),
    "flagging_painter_folder": ("unet", lambda folder: DiffusersPainter(folder, PAINTED)),
}


@pytest.mark.parametrize("name", LOADERS)
def test_a_checkpoint_with_one_weight_that_is_none_is_refused_at_load(name, request, tmp_path):
    part, load = LOADERS[name]
    folder = shutil.copytree(request.getfixturevalue(name), tmp_path / "copy")
    (path,) = (folder / part).glob("*.safetensors")
    tensors = load_file(path)
    spoilt = sorted(tensors)[len(tensors) // 2]
    tensors[spoilt].view(-1)[0] = -inf
    save_file(tensors, path, metadata={"format": "pt"})

    with pytest.raises(CheckpointError, match=f"in {spoilt} of {path.name}; fetch it again"):
        load(folder)


def probabilities_of(chat_server, asked, *logprobs):
    """What comes of a server that puts letters where its answer C stands, with these written as they are."""
    listed = zip("ABCD", logprobs, strict=False)
    alternatives = ", ".join(f'{{"token": "{letter}", "logprob": {one}}}' for letter, one in listed)
    token = {"token": "C", "logprob": 0.0, "top_logprobs": ["HERE"]}
    choice = {"message": {"content": "C"}, "logprobs": {"content": [token]}}
    body = json.dumps({"choices": [choice]}).replace('"HERE"', alternatives)
    chat_server.reply = lambda _: (200, body)
    with ChatClient(chat_server.url, "m", 0.0, 1.0, 8) as chat:
        (reply,) = chat.reply(["Which?"], [0], with_chances=True)
    return letter_chances(reply, asked)


@pytest.mark.parametrize("logprob", ["NaN", "Infinity", "1e400", '"nan"', "null"])
def test_probabilities_of_a_server_that_are_none_are_as_good_as_untold(chat_server, make_examples, logprob):
    (asked,) = make_examples(1)
    chances, odd = probabilities_of(chat_server, asked, "-0.1", logprob, "-3", "-4")
    assert (chances, odd) == ([0.0, 0.0, 1.0, 0.0], [NO_PROBABILITIES])


@pytest.mark.parametrize("logprob", ["-200", "-9999"])
def test_a_letter_that_a_server_all_but_rules_out_has_no_chance(chat_server, make_examples, logprob):
    (asked,) = make_examples(1)
    chances, odd = probabilities_of(chat_server, asked, "-0.7", logprob, "-0.7", "-200")
    assert chances == pytest.approx([0.5, 0.0, 0.5, 0.0])
    assert odd == []


def test_torch_is_not_told_to_stop_at_numbers_that_are_none():
    assert torch.tensor([1.0, nan]).argmax() == 1  # what the checks of logits rest on

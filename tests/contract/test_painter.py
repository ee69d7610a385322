"""What every `Painter` owes, and what those with real models owe besides, whatever their family."""

from importlib import import_module
from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image

from blip_core.backends.diffusers_painter import DiffusersPainter, call_arguments
from blip_core.backends.scripted import ScriptedPainter
from blip_core.errors import RecipeError, StageFailure
from blip_core.ports import NoPicture, Painter
from blip_core.recipes.pictures import Pictures

PROMPTS = ["a dog", "a cat on a mat", "a bird"]
SETTINGS = Pictures(width_px=32, height_px=32, steps=2, guidance_scale=4.0)
FAMILIES = ["sd1", "sd1_checked", "sdxl", "sd3", "flux", "flux-schnell", "pixart", "sana"]
KINDS = ["scripted", *FAMILIES]


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Where a family's repository lies; written when it is first asked for."""
    folders = {}

    def get(family):
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(family)
            module, _, variant = family.partition("-")
            builder = f"build_{variant}" if variant else "build"
            with torch.random.fork_rng():
                torch.manual_seed(0)  # by which libraries draw what a layout leaves to them
                getattr(import_module(f"tests.layouts.{module}"), builder)(folders[family])
        return folders[family]

    return get


@pytest.fixture(scope="module")
def painter(request, folder_of):
    if request.param == "scripted":
        made = ScriptedPainter(Image.new("RGB", (32, 32), (index, 0, 0)) for index in count())
    else:
        made = DiffusersPainter(folder_of(request.param), SETTINGS)
    yield made
    made.close()


every_painter = pytest.mark.parametrize("painter", KINDS, indirect=True, scope="module")
every_model = pytest.mark.parametrize("painter", FAMILIES, indirect=True, scope="module")


def pixels(picture):
    return np.asarray(picture).astype(int)


@every_painter
def test_it_paints_one_rgb_picture_a_prompt(painter):
    assert isinstance(painter, Painter)
    pictures = painter.paint(PROMPTS, [1, 2, 3])
    assert [(picture.mode, picture.size) for picture in pictures] == [("RGB", (32, 32))] * 3
    assert len({picture.tobytes() for picture in pictures}) == 3


@every_painter
def test_no_prompts_give_no_pictures(painter):
    assert painter.paint([], []) == []


@every_painter
def test_a_seed_too_few_is_refused(painter):
    with pytest.raises(ValueError, match="shorter"):
        painter.paint(PROMPTS, [1, 2])


@pytest.mark.parametrize("family", ["scripted", "sd1"])
def test_a_closed_painter_refuses_work(family, folder_of):
    if family == "scripted":
        painter = ScriptedPainter([])
    else:
        painter = DiffusersPainter(folder_of(family), SETTINGS)
    painter.close()
    painter.close()
    with pytest.raises(StageFailure, match="closed"):
        painter.paint(PROMPTS, [1, 2, 3])


@every_model
def test_equal_seeds_paint_equal_bytes(painter):
    first, second = (painter.paint(PROMPTS, [1, 2, 3]) for _ in range(2))
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in second]


@every_model
def test_a_picture_follows_its_seed_and_not_its_neighbours(painter):
    first = painter.paint(PROMPTS, [1, 2, 3])
    second = painter.paint(["a house", PROMPTS[1], "a tree"], [7, 2, 3])
    (alone,) = painter.paint(PROMPTS[1:2], [2])
    assert np.abs(pixels(first[1]) - pixels(second[1])).max() <= 1
    assert np.abs(pixels(first[1]) - pixels(alone)).max() <= 1
    assert first[0].tobytes() != second[0].tobytes()


@every_model
def test_the_prompt_matters(painter):
    first, second = painter.paint(["a dog", "many green trees in a valley"], [1, 1])
    assert np.abs(pixels(first) - pixels(second)).max() > 10


def test_what_the_safety_check_flags_comes_back_as_refused(flagging_painter_folder):
    painter = DiffusersPainter(flagging_painter_folder, SETTINGS)
    assert painter.paint(PROMPTS, [1, 2, 3]) == [NoPicture.REFUSED] * 3


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("sd1", {"scheduler": "euler-ancestral"}),
        ("sd1_checked", {"scheduler": "lcm", "steps": 1}),
        ("sdxl", {"scheduler": "ddpm", "timestep_spacing": "trailing"}),
        ("pixart", {"scheduler": "unipc", "prompt_tokens": 8}),
        ("flux", {"prompt_tokens": 8}),
    ],
)
def test_settings_change_the_picture_and_leave_a_row_to_itself(family, changes, folder_of):
    plain = DiffusersPainter(folder_of(family), SETTINGS)
    painter = DiffusersPainter(folder_of(family), SETTINGS.model_copy(update=changes))
    texts = [f"{prompt} in a long sentence" for prompt in PROMPTS]
    first, second = painter.paint(texts, [1, 2, 3]), painter.paint(texts[::-1], [9, 2, 1])
    assert np.abs(pixels(first[1]) - pixels(second[1])).max() <= 1
    assert np.abs(pixels(first[1]) - pixels(plain.paint(texts, [1, 2, 3])[1])).max() > 1


def test_a_flow_that_draws_noise_at_every_step_draws_a_row_from_its_own_seed(folder_of):
    painter = DiffusersPainter(folder_of("flux"), SETTINGS)
    painter._pipe.scheduler.register_to_config(stochastic_sampling=True)
    first, second = (painter.paint(PROMPTS, [seed, 2, seed]) for seed in (1, 9))
    assert np.abs(pixels(first[1]) - pixels(second[1])).max() <= 1
    assert first[0].tobytes() != second[0].tobytes()


@pytest.mark.parametrize(
    ("family", "changes", "told"),
    [
        ("flux", {"scheduler": "ddim"}, "pictures.scheduler is ddim, which cannot .* FlowMatchEuler.* Flux"),
        ("sd3", {"scheduler": "lcm"}, "FlowMatchEulerDiscreteScheduler of this StableDiffusion3Pipeline"),
        ("flux", {"timestep_spacing": "trailing"}, "FluxPipeline spreads its steps in one way only"),
        ("flux", {"negative_prompt": "fog"}, "this FluxPipeline is guided away from nothing"),
        (
            "sdxl",
            {"prompt_tokens": 200},
            "StableDiffusionXLPipeline reads as many tokens as its text encoder",
        ),
        ("flux", {"prompt_tokens": 600}, r"FluxPipeline cannot paint with these settings.*512"),
        ("sd3", {"width_px": 40, "height_px": 42}, "StableDiffusion3Pipeline cannot paint with these"),
        (
            "flux",
            {"width_px": 40, "height_px": 34},
            "asks for 40 x 34 pixels, and FluxPipeline makes 40 x 32",
        ),
    ],
)
def test_what_a_pipeline_cannot_do_is_said_by_its_name(family, changes, told, folder_of):
    settings = SETTINGS.model_copy(update=changes)
    with pytest.raises(RecipeError, match=told):
        DiffusersPainter(folder_of(family), settings).paint(PROMPTS[:1], [1])


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux", "sana"])
@pytest.mark.parametrize("quantisation", ["int8", "nf4"])
def test_a_denoiser_in_few_bits_paints_nearly_the_same(family, quantisation, folder_of):
    whole = DiffusersPainter(folder_of(family), SETTINGS)
    painter = DiffusersPainter(folder_of(family), SETTINGS.model_copy(update={"quantisation": quantisation}))
    plain, coarse = (pixels(one.paint(PROMPTS[:1], [1])[0]).ravel() for one in (whole, painter))
    assert np.corrcoef(plain, coarse)[0, 1] > 0.8
    assert (plain != coarse).any()


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux", "sana"])
def test_ways_to_save_memory_change_pictures_by_last_bits_alone(family, folder_of):
    saving = {"attention_slicing": True, "vae_slicing": True, "offload": "model"}
    painter = DiffusersPainter(folder_of(family), SETTINGS.model_copy(update=saving))
    plain = DiffusersPainter(folder_of(family), SETTINGS)
    first, second = painter.paint(PROMPTS, [1, 2, 3]), plain.paint(PROMPTS, [1, 2, 3])
    assert (
        max(np.abs(pixels(one) - pixels(other)).max() for one, other in zip(first, second, strict=True)) <= 1
    )


def test_large_pictures_are_decoded_tile_by_tile(folder_of):
    painter = DiffusersPainter(folder_of("sd1"), SETTINGS.model_copy(update={"vae_tiling": True}))
    assert painter._pipe.vae.use_tiling
    assert painter.paint(PROMPTS[:1], [1])[0].size == (32, 32)


def test_memory_that_a_pipeline_only_warns_of_is_told(folder_of, monkeypatch):
    painter = DiffusersPainter(folder_of("sana"), SETTINGS)

    def decode(latents, **_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(painter._pipe.vae, "decode", decode)
    with pytest.warns(UserWarning, match="VAE tiling"), pytest.raises(StageFailure, match="vae_tiling"):
        painter.paint(PROMPTS, [1, 2, 3])


@pytest.mark.parametrize(
    ("family", "guided"),
    [
        ("sd1", {"guidance_scale": 4.0}),
        ("flux", {"guidance_scale": 4.0}),
        ("flux-schnell", {"true_cfg_scale": 4.0, "negative_prompt": " "}),
        ("sana", {"guidance_scale": 4.0}),
    ],
)
def test_guidance_goes_where_a_pipeline_takes_it(family, guided, folder_of):
    painter = DiffusersPainter(folder_of(family), SETTINGS)
    names = ("guidance_scale", "true_cfg_scale", "negative_prompt")
    arguments = call_arguments(painter._pipe, SETTINGS)
    assert {name: value for name, value in arguments.items() if name in names} == guided

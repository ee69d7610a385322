"""The pocket painter: parts that resume, texts that are read, and a folder that plain diffusers loads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file
from torch import Tensor, nn

from blip_core.errors import CheckpointError
from blip_core.pocket.painter import latents as latents_module
from blip_core.pocket.painter.assembling import assemble_pipeline, publish_pipeline
from blip_core.pocket.painter.denoiser import Denoiser, DenoiserPart, build_unet
from blip_core.pocket.painter.evaluation import commission, paint, reconstruct
from blip_core.pocket.painter.latents import Latents, make_latents, open_latents
from blip_core.pocket.painter.parts import Course, load_trained, torch_generator, train_part
from blip_core.pocket.painter.text import (
    TEXT_TOKENS,
    build_text_encoder,
    build_tokenizer,
    encode_texts,
    picture_prompt,
)
from blip_core.pocket.painter.training import PainterPlan, load_painter, train_painter
from blip_core.pocket.painter.vae import VaePart, build_vae
from blip_core.pocket.readers import Reader, ReaderPart, read_pictures
from blip_core.pocket.world import Split, is_held_out

TINY = Course(steps=4, learning_rate=1e-3, warmup=2, ema_decay=0.9, log_every=2, save_every=1)


class _KilledError(Exception):
    """Stands for a process that is killed."""


class _Line:
    """The smallest part there is: fits random targets by a line."""

    batch = 2

    def __init__(self, kill_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.module = nn.Linear(3, 1)
        self._steps_to_live = kill_at

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        if self._steps_to_live == 0:
            raise _KilledError
        if self._steps_to_live is not None:
            self._steps_to_live -= 1
        noise = torch_generator(rng)
        inputs = torch.randn(2, 3, generator=noise)
        return (self.module(inputs) - float(rng.normal())).square().mean(), {}


def _checkpoint(folder: Path, name: str) -> dict[str, Tensor]:
    return load_file(folder / "checkpoint" / f"{name}.safetensors")


def _assert_equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


@pytest.mark.parametrize("kill_at", [1, 3])
def test_killed_part_ends_with_the_weights_of_an_undisturbed_one(tmp_path: Path, kill_at: int) -> None:
    assert train_part(_Line(), TINY, tmp_path / "whole")
    with pytest.raises(_KilledError):
        train_part(_Line(kill_at), TINY, tmp_path / "killed")
    assert train_part(_Line(), TINY, tmp_path / "killed")
    for name in ("weights", "average", "optimizer"):
        _assert_equal(_checkpoint(tmp_path / "whole", name), _checkpoint(tmp_path / "killed", name))


def test_stopped_part_keeps_what_it_learnt(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    assert not train_part(_Line(), TINY, tmp_path, stop=lambda: next(asked))
    assert load_trained(tmp_path, nn.Linear(3, 1)) == 2


def test_kill_between_the_renames_of_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    train_part(_Line(), TINY, tmp_path)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    assert load_trained(tmp_path, nn.Linear(3, 1)) == 4


def test_checkpoint_of_another_seed_is_refused(tmp_path: Path) -> None:
    train_part(_Line(), TINY, tmp_path)
    with pytest.raises(CheckpointError, match="another configuration or seed"):
        train_part(_Line(), replace(TINY, seed=1), tmp_path)


def test_loading_before_training_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="train this part"):
        load_trained(tmp_path, nn.Linear(3, 1))


def test_longest_painter_text_fits_the_text_encoder() -> None:
    tokenizer = build_tokenizer(texts=500)
    longest = "Three teddy bears, an elephant and a butterfly in the mountains in the morning."
    ids = tokenizer(picture_prompt().replace("{scene}", longest)).input_ids
    assert len(ids) <= TEXT_TOKENS
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id


def test_tokenizer_knows_every_byte() -> None:
    tokenizer = build_tokenizer(texts=200)
    ids = tokenizer("Zürich, 42 € ☂").input_ids
    assert tokenizer.eos_token_id not in ids[:-1]  # the unknown token would be this one


def test_texts_are_padded_to_the_positions_of_the_encoder() -> None:
    tokenizer = build_tokenizer(texts=200)
    assert encode_texts(tokenizer, ["a frog", ""]).shape == (2, TEXT_TOKENS)


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> Latents:
    folder = tmp_path_factory.mktemp("latents")
    torch.manual_seed(0)
    patch = pytest.MonkeyPatch()
    patch.setattr(latents_module, "_SHARD", 50)
    make_latents(build_vae(), 50, folder, seed=0)
    patch.undo()
    return open_latents(folder)


def test_latents_show_training_pairs_only(latents: Latents) -> None:
    assert len(latents.scenes) == len(latents.values) == 50
    assert not any(is_held_out(group.name, scene.place) for scene in latents.scenes for group in scene.groups)


def test_every_part_learns_something(tmp_path: Path, latents: Latents) -> None:
    tokenizer = build_tokenizer(texts=200)
    denoiser = Denoiser(build_unet(), build_text_encoder(tokenizer))
    parts = {
        "vae": VaePart(build_vae(), batch=1),
        "reader": ReaderPart(Reader(), batch=1),
        "denoiser": DenoiserPart(denoiser, tokenizer, picture_prompt(), latents, batch=2),
    }
    for name, part in parts.items():
        before = {key: tensor.clone() for key, tensor in part.module.state_dict().items()}
        train_part(part, Course(steps=2, learning_rate=1e-3, warmup=1), tmp_path / name)
        after = _checkpoint(tmp_path / name, "weights")
        unmoved = [key for key, tensor in before.items() if torch.equal(tensor, after[key])]
        assert all("position_ids" in key for key in unmoved), (name, unmoved)


@pytest.mark.slow
def test_painter_trained_in_two_goes_can_be_assembled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents_module, "_SHARD", 50)
    short = Course(steps=1, learning_rate=1e-3, warmup=1)
    plan = PainterPlan(vae=short, text=short, denoiser=short, scenes=50, batch=2)
    asked = iter([False, True])
    assert not train_painter(plan, tmp_path, stop=lambda: next(asked))  # the second part is stopped
    assert train_painter(plan, tmp_path)
    pipeline = load_painter(tmp_path)
    assert paint(pipeline, ["A frog"], steps=1, guidance=2.0, seed=0).shape == (1, 64, 64, 3)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, latents: Latents) -> Path:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(texts=500)
    mean, deviation = latents.statistics()
    denoiser = Denoiser(build_unet(), build_text_encoder(tokenizer))
    folder = tmp_path_factory.mktemp("painter") / "final"
    publish_pipeline(assemble_pipeline(build_vae(), denoiser, tokenizer, mean, deviation), folder)
    return folder


def test_published_folder_paints_the_same_picture_from_the_same_seed(published: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(published, use_safetensors=True)
    texts = ["A frog in the park at noon."]
    first, again = (paint(pipeline, texts, steps=2, guidance=2.0, seed=3) for _ in range(2))
    other = paint(pipeline, texts, steps=2, guidance=2.0, seed=4)
    assert first.shape == (1, 64, 64, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_text_changes_the_picture(published: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(published, use_safetensors=True)
    frog = paint(pipeline, ["A frog in the park at noon."], steps=2, guidance=2.0, seed=3)
    bus = paint(pipeline, ["Two buses in the city at night."], steps=2, guidance=2.0, seed=3)
    assert not np.array_equal(frog, bus)


def test_published_folder_is_small_and_rests_in_half_precision(published: Path) -> None:
    weights = sorted(published.rglob("*.safetensors"))
    assert [path.parent.name for path in weights] == ["text_encoder", "unet", "vae"]
    assert sum(path.stat().st_size for path in published.rglob("*")) < 12e6
    for path in weights:
        assert {tensor.dtype for tensor in load_file(path).values()} <= {torch.float16, torch.int64}


def test_centring_latents_leaves_reconstructions_alone(latents: Latents) -> None:
    torch.manual_seed(0)
    vae = build_vae()
    pixels = commission(2, seed=0).pixels
    before = reconstruct(vae, pixels)
    tokenizer = build_tokenizer(texts=200)
    mean, deviation = latents.statistics()
    denoiser = Denoiser(build_unet(), build_text_encoder(tokenizer))
    assemble_pipeline(vae, denoiser, tokenizer, mean, deviation)
    after = reconstruct(vae, pixels)
    assert np.abs(before.astype(int) - after).max() <= 1


def test_commission_of_the_test_split_holds_unseen_pairs() -> None:
    scenes = commission(5, seed=0, split=Split.TEST).scenes
    assert all(any(is_held_out(group.name, scene.place) for group in scene.groups) for scene in scenes)


def test_reading_of_blank_pictures_finds_no_asked_object() -> None:
    torch.manual_seed(0)
    scenes = commission(3, seed=0).scenes
    reader = Reader()
    nn.init.zeros_(reader.cells[-1].weight)
    nn.init.constant_(reader.cells[-1].bias, -1.0)
    nn.init.constant_(reader.cells[-1].bias[:1], 1.0)  # background everywhere
    reading = read_pictures(reader, np.zeros((3, 64, 64, 3), dtype=np.uint8), scenes)
    assert (reading.object, reading.asked, reading.stray) == (0.0, 0.0, 0.0)

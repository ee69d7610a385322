"""Training of the members that serve attributes, captions, descriptions, instructions and reading.

They start from the shipped members where a card says so, and from fixed seeds; every part resumes.
"""

from collections.abc import Callable
from pathlib import Path

from transformers import Blip2ForConditionalGeneration, PreTrainedTokenizerFast

from blip_core.pocket.blip2 import publish_blip2
from blip_core.pocket.captioner import (
    captioner_config,
    join_blip2,
    measure_captioner,
    measure_llama,
    told_llama,
    train_captioner,
    train_llama,
)
from blip_core.pocket.clip import TEXT_POSITIONS, measure_clip, new_clip, publish_clip, train_clip
from blip_core.pocket.gallery import (
    Gallery,
    Speaker,
    Teller,
    measure_speaker,
    measure_teller,
    shipped,
    shipped_blip2,
    stock_gallery,
    train_speaker,
    train_teller,
)
from blip_core.pocket.instruct import (
    measure_instructblip,
    new_instructblip,
    publish_instructblip,
    train_instructblip,
)
from blip_core.pocket.pretraining import Plan, paced, say
from blip_core.pocket.sentences import sentence_tokenizer
from blip_core.pocket.span_reader import (
    POSITIONS as READER_POSITIONS,
)
from blip_core.pocket.span_reader import (
    measure_reader,
    new_reader,
    publish_reader,
    train_reader,
)
from blip_core.pocket.tokenizers import framed_tokenizer, opt_tokenizer
from blip_core.pocket.world import Split

FINAL = "final"
SHOP_STOCK = 4000
GALLERY_STOCK = 4000
SPEAKER_STOCK = 16000
GALLERY_SEED, HELD_OUT_SEED = 50, 5000
HELD_OUT_PICTURES = 200

PLANS = {
    "clip": Plan(steps=450, peak_lr=2e-3, warmup=40, seed=41, save_every=50, log_every=25),
    "teller": Plan(steps=400, peak_lr=1.5e-3, warmup=30, seed=42, save_every=25, log_every=50),
    "speaker": Plan(steps=2000, peak_lr=1.5e-3, warmup=60, seed=48, save_every=100, log_every=100),
    "blip2-opt-captions": Plan(steps=700, peak_lr=2e-3, warmup=50, seed=43, save_every=25, log_every=50),
    "blip2-llama": Plan(steps=500, peak_lr=1.5e-3, warmup=30, seed=44, save_every=50, log_every=50),
    "instructblip": Plan(steps=150, peak_lr=8e-4, warmup=20, seed=46, save_every=25, log_every=50),
    "reader": Plan(steps=900, peak_lr=2e-3, warmup=60, seed=47, save_every=25, log_every=50),
}


def trained_teller(build: Path, pace: float) -> tuple[Blip2ForConditionalGeneration, Gallery]:
    """The shipped BLIP-2 with its Q-Former taught to tell words, and the pictures it was taught on."""
    model = shipped_blip2()
    stock = max(100, round(GALLERY_STOCK * pace))
    gallery = stock_gallery(build / "gallery", model, stock, GALLERY_SEED)
    teller = Teller(model)
    train_teller(build / "teller", teller, gallery, paced(PLANS["teller"], pace))
    say(f"teller: {measure_teller(teller, held_out(build, model))}")
    return model, gallery


def trained_speaker(build: Path, pace: float) -> tuple[Blip2ForConditionalGeneration, Gallery]:
    """The shipped BLIP-2 with its Q-Former taught to tell words to one linear layer, and its pictures."""
    model = shipped_blip2()
    stock = max(100, round(SPEAKER_STOCK * pace))
    gallery = stock_gallery(build / "gallery", model, stock, GALLERY_SEED)
    speaker = Speaker(model)
    train_speaker(build / "speaker", speaker, gallery, paced(PLANS["speaker"], pace))
    say(f"speaker: {measure_speaker(speaker, held_out(build, model))}")
    return model, gallery


def held_out(build: Path, model: Blip2ForConditionalGeneration) -> Gallery:
    return stock_gallery(build / "gallery", model, HELD_OUT_PICTURES, HELD_OUT_SEED, Split.TEST)


def train_captioner_member(build: Path, pace: float = 1.0) -> None:
    name = "blip2-opt-captions"
    tokenizer = opt_tokenizer(sentence_tokenizer())
    plan = paced(PLANS[name], pace)
    seeing, gallery = trained_teller(build, pace)
    model = join_blip2(captioner_config(tokenizer), tokenizer, seeing, plan.seed)
    train_captioner(build / name, model, tokenizer, gallery, plan)
    say(f"{name}: {measure_captioner(model, tokenizer, held_out(build, model), 43)}")
    publish_blip2(build / name / FINAL, model, tokenizer)


def train_llama_member(build: Path, pace: float = 1.0) -> None:
    name = "blip2-llama"
    tokenizer = opt_tokenizer(sentence_tokenizer())
    plan = paced(PLANS[name], pace)
    seeing, gallery = trained_speaker(build, pace)
    llama = told_llama(tokenizer)
    model = join_blip2(llama.config, tokenizer, seeing, plan.seed)
    model.language_model.load_state_dict(llama.state_dict())
    train_llama(build / name, model, tokenizer, gallery, plan)
    say(f"{name}: {measure_llama(model, tokenizer, held_out(build, seeing).scenes, 44)}")
    publish_blip2(build / name / FINAL, model, tokenizer)


def train_clip_member(build: Path, pace: float = 1.0) -> None:
    tokenizer = framed_tokenizer(sentence_tokenizer(), TEXT_POSITIONS)
    plan = paced(PLANS["clip"], pace)
    model = new_clip(tokenizer, plan.seed)
    train_clip(build / "clip", model, tokenizer, plan, max(100, round(SHOP_STOCK * pace)))
    say(f"clip: {measure_clip(model, tokenizer, 300, 4100, Split.TEST)}")
    publish_clip(build / "clip" / FINAL, model, tokenizer)


def train_instruct_member(build: Path, pace: float = 1.0) -> None:
    """Starts from the shipped BLIP-2 and speaks its vocabulary: its T5 need not learn to read again."""
    name = "instructblip"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(shipped("blip2-t5"))
    plan = paced(PLANS[name], pace)
    model = new_instructblip(tokenizer, shipped_blip2(), plan.seed)
    seeing, gallery = trained_teller(build, pace)
    train_instructblip(build / name, model, tokenizer, gallery, plan)
    say(f"{name}: {measure_instructblip(model, tokenizer, held_out(build, seeing), 46)}")
    publish_instructblip(build / name / FINAL, model, tokenizer)


def train_reader_member(build: Path, pace: float = 1.0) -> None:
    tokenizer = framed_tokenizer(sentence_tokenizer(), READER_POSITIONS)
    plan = paced(PLANS["reader"], pace)
    model = new_reader(tokenizer, plan.seed)
    train_reader(build / "reader", model, tokenizer, plan)
    say(f"reader: {measure_reader(model, tokenizer, 400, 4700)}")
    publish_reader(build / "reader" / FINAL, model, tokenizer)


TRAINERS: dict[str, Callable[[Path, float], None]] = {
    "clip": train_clip_member,
    "blip2-opt-captions": train_captioner_member,
    "blip2-llama": train_llama_member,
    "instructblip": train_instruct_member,
    "reader": train_reader_member,
}

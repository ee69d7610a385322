"""Tiny BLIP-2 checkpoints with random weights, saved once a session, and questions about tiny pictures."""

import io
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example
from tests.made_once import MadeOnce

DESCRIBE_PROMPT = "USER: Look and describe.\nQuestion: {question}\n\nDescription:\nASSISTANT:"
ANSWER_PROMPT = (
    "USER: Choose A, B, C or D.\nDescription: {description}\nQuestion: {question}\n"
    "A. {a}\nB. {b}\nC. {c}\nD. {d}\n\nAnswer:"
)
OBJECTS = ("dog", "boat", "tree", "cup", "bus", "cat")
PLACES = ("beach", "park", "city")
PICTURE_PX = 16
WIDTH = 32
QUERIES = 4

LAYOUTS = ("instructblip_t5", "instructblip_vicuna", "blip2_llama")

FolderOf = Callable[[str], Path]
MakeExamples = Callable[[int], list[Example]]


def train_tokenizer(family: str) -> Any:
    """Byte-level BPE of the tests' own sentences; T5 ends its texts with </s>, OPT begins them with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [
        ANSWER_PROMPT.format(description=o, question=p, a=o, b=o, c=o, d=o) for o in OBJECTS for p in PLACES
    ]
    texts += [DESCRIBE_PROMPT, *[f"Answer: {letter}" for letter in LETTERS * 4]]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<pad>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    template = "$A </s>" if family == "t5" else "</s> $A"
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("</s>", 1)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")
    wrapped.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return wrapped


def text_config(family: str, vocabulary: int) -> Any:
    from transformers import OPTConfig, T5Config

    if family == "t5":
        return T5Config(
            vocab_size=vocabulary,
            d_model=WIDTH,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_decoder_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            decoder_start_token_id=0,
            initializer_factor=2.0,  # with the default all rows would look alike
        )
    return OPTConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        word_embed_proj_dim=WIDTH,
        max_position_embeddings=512,
        init_std=0.2,  # with the default all rows would look alike
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )


def blip2_config(family: str, vocabulary: int, image_token: int) -> Any:
    from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig

    return Blip2Config(
        vision_config=Blip2VisionConfig(
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=PICTURE_PX,
            patch_size=8,
            initializer_range=0.2,
        ),
        qformer_config=Blip2QFormerConfig(
            hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
        ),
        text_config=text_config(family, vocabulary),
        num_query_tokens=QUERIES,
        image_token_index=image_token,
    )


def save_tiny_blip2(family: str, folder: Path) -> Path:
    """A BLIP-2 of some 100,000 random weights, saved as a real one would be."""
    import torch
    from transformers import Blip2ForConditionalGeneration, Blip2Processor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    tokenizer = train_tokenizer(family)
    config = blip2_config(family, len(tokenizer), tokenizer.convert_tokens_to_ids("<image>"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Blip2ForConditionalGeneration(config)
        torch.nn.init.normal_(model.query_tokens, std=0.5)
        torch.nn.init.normal_(model.language_projection.weight, std=0.5)
    model.save_pretrained(folder)
    image_processor = BlipImageProcessorPil(size={"height": PICTURE_PX, "width": PICTURE_PX})
    Blip2Processor(image_processor, tokenizer, num_query_tokens=QUERIES).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def layout(made_once: MadeOnce) -> FolderOf:
    """Folder of a layout of `tests.layouts` by the name of its file; read only."""
    return lambda name: _built(name, made_once)


def _built(name: str, made_once: MadeOnce) -> Path:
    return made_once(f"layout-{name}", import_module(f"tests.layouts.{name}").build)


@pytest.fixture(scope="session")
def tiny_blip2(made_once: MadeOnce) -> FolderOf:
    """Folder of a tiny BLIP-2 of the family `t5` or `opt`, or of a layout by its name; read only."""

    def folder_of(family: str) -> Path:
        if family in LAYOUTS:
            return _built(family, made_once)  # not by the fixture, whose name is a parameter of some tests
        return made_once(f"tiny-blip2-{family}", lambda folder: save_tiny_blip2(family, folder))

    return folder_of


def noise_png(rng: np.random.Generator) -> bytes:
    pixels = rng.integers(0, 256, size=(PICTURE_PX, PICTURE_PX, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def make_example(index: int, image: bytes, rng: np.random.Generator) -> Example:
    options = [str(option) for option in rng.choice(OBJECTS, size=4, replace=False)]
    answer = int(rng.integers(4))
    place = PLACES[index % len(PLACES)]
    return Example(
        id=f"park-{index // 2:05}-p0-q{index % 2}",
        picture_id=f"park-{index // 2:05}-p0",
        group=f"park-{index // 2:05}",
        category="park",
        task="mcq",
        image=image,
        description=f"A {options[answer]} in the {place}." + " It is big." * (index % 3),
        question=f"Which one is in the {place}?",
        a=options[0],
        b=options[1],
        c=options[2],
        d=options[3],
        answer=LETTERS[answer],
        target=options[answer],
        scene=f"A {options[answer]}.",
    )


@pytest.fixture(scope="session")
def make_examples() -> MakeExamples:
    """So many four-option questions, two to a picture of noise."""

    def make(count: int) -> list[Example]:
        rng = np.random.default_rng(5)
        pictures = [noise_png(rng) for _ in range((count + 1) // 2)]
        return [make_example(index, pictures[index // 2], rng) for index in range(count)]

    return make


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For bit equality: several threads share a batch out, and a row's place in it changes its sums."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def inference_settings() -> Inference:
    return Inference(
        describe_prompt=DESCRIBE_PROMPT,
        answer_prompt=ANSWER_PROMPT,
        max_new_tokens=6,
        batch_size=4,
        quantisation="none",
        free_generation=True,
    )


@pytest.fixture(scope="session")
def finetune_settings() -> Finetune:
    return Finetune(
        adapter=Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.0),
        quantisation="none",
        learning_rate=5e-3,
        epochs=2.0,
        batch_size=4,
        warmup_share=0.1,
        describe_share=0.25,
        eval_every_steps=3,
    )

"""Memory that runs out while a model makes rows: fewer at once, each row as if it had been alone."""

from contextlib import contextmanager

import pytest
import torch
from PIL import Image

from blip_core.backends.diffusers_painter import DiffusersPainter
from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.plugged import PluggedWriter
from blip_core.backends.sampling import Sampling
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.errors import StageFailure
from blip_core.plugins import Plugin
from blip_core.recipes.pictures import Pictures

SAMPLING = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=4)
PAINTED = Pictures(width_px=32, height_px=32, steps=2, guidance_scale=4.0)
PROMPTS = ["a dog", "a cat on a mat", "a bird"]
SEEDS = [1, 2, 3]
PICTURES = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]


class PlainWriter:
    """What a package of somebody else's may bring."""

    def __init__(self):
        self.layer = torch.nn.Identity()

    def write(self, prompts, seeds):
        return [f"{prompt} {seed}" for prompt, seed in zip(self.layer(prompts), seeds, strict=True)]

    def close(self):
        pass


class Case:
    """A model, what is asked of it, and how it is made to run out of memory."""

    def __init__(self, kind, request):
        self.kind = kind
        if kind == "writer":
            self.model = TransformersWriter(request.getfixturevalue("writer_folder"), SAMPLING)
        elif kind == "labeller":
            self.model = ImageTextLabeller(request.getfixturevalue("llava_folder"), SAMPLING)
        elif kind == "painter":
            self.model = DiffusersPainter(request.getfixturevalue("painter_folder"), PAINTED)
        else:
            self.plain = PlainWriter()
            self.model = PluggedWriter(Plugin("writers", "plain", "plain 1.0", None), self.plain)

    def ask(self, rows):
        prompts, seeds = PROMPTS[rows], SEEDS[rows]
        if self.kind == "painter":
            return [picture.tobytes() for picture in self.model.paint(prompts, seeds)]
        if self.kind == "labeller":
            framed = [f"<image> {prompt}" for prompt in prompts]
            return self.model.label(PICTURES[rows], framed, seeds)
        return self.model.write(prompts, seeds)

    @contextmanager
    def hold(self, room):
        """Have the model's own tensors find no memory for more rows at once; nothing of it stays."""

        def allocate(_, inputs):
            if len(inputs[0]) > room:
                torch.empty(2**60, dtype=torch.uint8)

        handle = self.part().register_forward_pre_hook(allocate)
        yield
        handle.remove()
        self.model._batches._limit = None

    def part(self):
        """A module that is called with all rows."""
        if self.kind == "plugged":
            return self.plain.layer
        if self.kind == "painter":
            return self.model._pipe.vae.decoder
        return self.model._model.get_input_embeddings()


@pytest.fixture(scope="module", params=["writer", "labeller", "painter", "plugged"])
def case(request):
    made = Case(request.param, request)
    yield made
    made.model.close()


def test_rows_are_made_in_halves_and_are_those_of_such_batches(case):
    alone = [case.ask(slice(place, place + 1))[0] for place in range(3)]
    with case.hold(room=1):
        assert case.ask(slice(0, 3)) == alone


def test_a_row_that_alone_is_too_large_ends_in_a_sentence(case):
    refused = pytest.raises(StageFailure, match=r"one at a time.*batch_size is of no help: \w+")
    with case.hold(room=0), refused:
        case.ask(slice(0, 3))


def test_weights_that_memory_does_not_suffice_for_end_in_a_sentence(writer_folder, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "to", lambda *_: torch.empty(2**60, dtype=torch.uint8))
    with pytest.raises(StageFailure, match=r"memory does not suffice for the weights in .*dtype"):
        TransformersWriter(writer_folder, SAMPLING)

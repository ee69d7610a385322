from dataclasses import replace

import pytest
import torch

from blip_core.errors import TableError
from blip_core.modeling import load_blip2
from blip_core.modeling.features import (
    VisionCache,
    decode_picture,
    image_features,
    picture_key,
    pixel_values,
    vision_states,
)
from tests.tiny_blip2 import FolderOf, MakeExamples


def test_both_halves_give_what_the_whole_gives(tiny_blip2: FolderOf, make_examples: MakeExamples) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    pictures = [decode_picture(example) for example in make_examples(3)]

    with torch.no_grad():
        whole = bundle.blip2.get_image_features(pixel_values(bundle, pictures)).pooler_output
        halves = image_features(bundle, vision_states(bundle, pictures))

    assert torch.equal(halves, whole)


def test_each_distinct_picture_is_kept_once(tiny_blip2: FolderOf, make_examples: MakeExamples) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    cache = VisionCache(bundle, batch_size=2)
    seen: list[int] = []
    bundle.blip2.vision_model.register_forward_hook(lambda module, args, output: seen.append(len(output[0])))
    examples = make_examples(6)

    cache.add(examples)
    cache.add(examples)

    assert len(cache) == sum(seen) == 3
    keys = [picture_key(example.image) for example in examples]
    assert cache.stack(keys).shape == (6, 5, 32)


def test_a_broken_picture_names_its_example(make_examples: MakeExamples) -> None:
    example = make_examples(1)[0]
    broken = replace(example, image=example.image[: len(example.image) // 2])

    with pytest.raises(TableError, match=example.id):
        decode_picture(broken)

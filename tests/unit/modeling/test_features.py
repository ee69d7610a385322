from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from blip_core.errors import TableError
from blip_core.modeling import load_blip2
from blip_core.modeling.features import (
    UNREADABLE,
    VisionCache,
    add_all,
    decode_picture,
    image_features,
    picture_key,
    pixel_values,
    vision_states,
)
from blip_core.records import Example
from tests.tiny_blip2 import FolderOf, MakeExamples


def with_broken_picture(examples: Sequence[Example], index: int) -> list[Example]:
    """The picture of one example is cut short; the next example asks about the same picture."""
    broken = examples[index].image[: len(examples[index].image) // 2]
    return [replace(one, image=broken) if one.image == examples[index].image else one for one in examples]


def test_both_halves_give_what_the_whole_gives(tiny_blip2: FolderOf, make_examples: MakeExamples) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    pictures = [decode_picture(example) for example in make_examples(3)]

    with torch.no_grad():
        whole = bundle.blip2.get_image_features(pixel_values(bundle, pictures)).pooler_output
        halves = image_features(bundle, vision_states(bundle, pictures))
        from_pixels = image_features(bundle, pixel_values(bundle, pictures))

    assert torch.equal(halves, whole)
    assert torch.equal(from_pixels, whole)


def test_each_distinct_picture_is_kept_once(tiny_blip2: FolderOf, make_examples: MakeExamples) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    cache = VisionCache(bundle, batch_size=2)
    seen: list[int] = []
    bundle.blip2.vision_model.register_forward_hook(lambda module, args, output: seen.append(len(output[0])))
    examples = make_examples(6)

    cache.add(examples)
    cache.add(examples)

    assert len(cache) == cache.forwards == sum(seen) == 3
    keys = [picture_key(example.image) for example in examples]
    assert cache.stack(keys).shape == (6, 5, 32)


def test_a_broken_picture_names_its_example(make_examples: MakeExamples) -> None:
    example = make_examples(1)[0]
    broken = replace(example, image=example.image[: len(example.image) // 2])

    with pytest.raises(TableError, match=example.id):
        decode_picture(broken)


@pytest.mark.parametrize("image", [b"", b"GIF89a", None])
def test_a_picture_that_cannot_be_read_is_rejected_once_and_the_others_are_kept(
    image: bytes | None, tiny_blip2: FolderOf, make_examples: MakeExamples
) -> None:
    cache = VisionCache(load_blip2(tiny_blip2("t5")), batch_size=2)
    examples = make_examples(6)
    examples = with_broken_picture(examples, 2) if image is None else examples
    if image is not None:
        examples[2:4] = [replace(one, image=image) for one in examples[2:4]]

    rejections = cache.add(examples)

    assert [(one.id, one.stage, one.reason) for one in rejections] == [
        (examples[2].id, "finetune", UNREADABLE)
    ]
    assert examples[2].id in rejections[0].detail
    assert len(cache) == 2
    with pytest.raises(KeyError):
        cache.stack([picture_key(examples[2].image)])


def test_where_none_may_be_missing_an_unreadable_picture_is_an_error(
    tiny_blip2: FolderOf, make_examples: MakeExamples
) -> None:
    cache = VisionCache(load_blip2(tiny_blip2("t5")), batch_size=2)
    examples = with_broken_picture(make_examples(4), 2)

    with pytest.raises(TableError, match=examples[2].id):
        add_all(cache, examples)

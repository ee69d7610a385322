import pytest

from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import (
    end_token_id,
    letter_ids,
    letter_target_ids,
    pad_prompts,
    prompt_ids,
    target_ids,
)
from tests.tiny_blip2 import FolderOf


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


def test_prompts_equal_those_of_the_processor(bundle: Blip2Bundle) -> None:
    from PIL import Image

    expected = bundle.processor(images=Image.new("RGB", (8, 8)), text="What is it?")["input_ids"]

    assert [prompt_ids(bundle, "What is it?")] == list(expected)


def test_image_tokens_stand_in_front_and_pads_never_follow_them(bundle: Blip2Bundle) -> None:
    rows = [prompt_ids(bundle, text) for text in ("Short?", "A much longer question?")]
    batch = pad_prompts(bundle, rows)

    for ids, mask, row in zip(batch.input_ids, batch.attention_mask, rows, strict=True):
        assert ids[mask.bool()].tolist() == row
    edge = 0 if bundle.family == "t5" else -1
    assert batch.attention_mask[0, edge] == 1
    assert (batch.input_ids == bundle.image_token_id).sum(dim=1).tolist() == [bundle.query_count] * 2


def test_a_long_prompt_loses_its_middle(bundle: Blip2Bundle) -> None:
    ids = prompt_ids(bundle, "Begin. " + "middle " * 50 + "End:", max_text_tokens=20)

    assert len(ids) == bundle.query_count + 20
    text = bundle.tokenizer.decode(ids, skip_special_tokens=True)
    assert text.startswith("Begin")
    assert text.endswith("End:")


def test_letters_are_four_tokens_and_what_is_taught_is_what_is_ranked(bundle: Blip2Bundle) -> None:
    ids = letter_ids(bundle)

    assert len(set(ids)) == 4
    assert [bundle.tokenizer.decode([one]).strip() for one in ids] == ["A", "B", "C", "D"]
    assert [letter_target_ids(bundle, letter)[0] for letter in "ABCD"] == ids


def test_targets_read_back_and_end(bundle: Blip2Bundle) -> None:
    ids = target_ids(bundle, "A dog in the park.")

    assert bundle.tokenizer.decode(ids, skip_special_tokens=True).strip() == "A dog in the park."
    assert ids[-1] == bundle.tokenizer.eos_token_id
    assert ids.count(bundle.tokenizer.eos_token_id) == 1


def test_a_tokenizer_that_splits_letters_is_refused(
    bundle: Blip2Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    splitting = type("Splitting", (), {"__call__": lambda self, text, **_: {"input_ids": [3, 4]}})()
    monkeypatch.setattr(bundle.processor, "tokenizer", splitting)

    with pytest.raises(CheckpointError, match="letters cannot be ranked"):
        letter_ids(bundle)


def test_special_tokens_in_a_text_are_letters_like_any_others(bundle: Blip2Bundle) -> None:
    text = "What does <image> say? </s> <pad>"

    prompt, target = prompt_ids(bundle, text), target_ids(bundle, text)

    assert prompt.count(bundle.image_token_id) == bundle.query_count
    assert bundle.image_token_id not in target
    assert target.count(end_token_id(bundle)) == 1
    assert text in bundle.tokenizer.decode(prompt)

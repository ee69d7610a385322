import pytest

from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import (
    PICTURE_PLACE,
    behind_picture,
    end_token_id,
    letter_ids,
    letter_target_ids,
    pad_prompts,
    prompt_ids,
    target_ids,
    tokenise_prompts,
)
from tests.tiny_blip2 import FolderOf


@pytest.fixture(scope="module", params=["t5", "opt", "blip2_llama"])
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


AROUND = f"Look at {PICTURE_PLACE} and say what it is:"


def test_a_picture_stands_between_two_texts_where_a_prompt_says_so(bundle: Blip2Bundle) -> None:
    (prompt,) = tokenise_prompts(bundle, [AROUND])
    (plain,) = tokenise_prompts(bundle, ["Look at and say what it is:"], with_picture=False)

    start = prompt.ids.index(bundle.image_token_id)
    end = behind_picture(bundle, prompt.ids)
    assert prompt.ids[start:end] == [bundle.image_token_id] * bundle.query_count
    before, after = (bundle.tokenizer.decode(ids).split() for ids in (prompt.ids[:start], prompt.ids[end:]))
    whole = bundle.tokenizer.decode(plain.ids).split()
    assert "".join(before + after) == "".join(whole)  # also what the tokenizer puts around a text, once
    assert before[-2:] == ["Look", "at"] or "".join(before).endswith("Lookat")


def test_without_a_picture_its_place_is_left_out(bundle: Blip2Bundle) -> None:
    one, other = tokenise_prompts(bundle, [AROUND, AROUND.replace(PICTURE_PLACE, "")], with_picture=False)

    assert one.ids == other.ids


@pytest.mark.parametrize("text", [f"{'middle ' * 60}{PICTURE_PLACE}End:", f"Begin{PICTURE_PLACE}{'a ' * 90}"])
def test_a_long_text_around_a_picture_keeps_it_whole(bundle: Blip2Bundle, text: str) -> None:
    (prompt,) = tokenise_prompts(bundle, [text], max_text_tokens=20)

    assert prompt.is_cut
    assert len(prompt.ids) == bundle.query_count + 20
    assert prompt.ids.count(bundle.image_token_id) == bundle.query_count


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

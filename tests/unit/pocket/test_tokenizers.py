import pytest
from tokenizers import Tokenizer

from blip_core.pocket.prompts import scenes_prompt, shipped_prompts
from blip_core.pocket.tokenizers import (
    build_tokenizer,
    chat_tokenizer,
    llava_tokenizer,
    opt_tokenizer,
    seq2seq_tokenizer,
)


@pytest.fixture(scope="module")
def vocabulary() -> Tokenizer:
    return build_tokenizer()


@pytest.mark.parametrize(
    "text", ["Zwei Bären\n\nauf dem Mond 🐻", " leading and trailing ", "A. noon\nB. sea\n\nAnswer: B"]
)
def test_any_text_comes_back_exactly(vocabulary: Tokenizer, text: str) -> None:
    tokenizer = seq2seq_tokenizer(vocabulary)
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_shipped_prompts_are_short(vocabulary: Tokenizer) -> None:
    tokenizer = chat_tokenizer(vocabulary)
    for prompt in (shipped_prompts().label, scenes_prompt("food")):
        assert len(tokenizer(prompt).input_ids) < 20


def test_each_architecture_gets_its_ends_and_its_side(vocabulary: Tokenizer) -> None:
    t5, opt, llava = seq2seq_tokenizer(vocabulary), opt_tokenizer(vocabulary), llava_tokenizer(vocabulary)
    assert t5("car").input_ids[-1] == t5.eos_token_id
    assert t5.padding_side == "right"
    assert opt("car").input_ids[0] == opt.bos_token_id
    assert opt.padding_side == "left"
    assert llava("car").input_ids[0] == llava.bos_token_id
    assert llava.padding_side == "left"


def test_a_letter_is_one_token_in_every_place(vocabulary: Tokenizer) -> None:
    tokenizer = chat_tokenizer(vocabulary)
    for letter in "ABCD":
        assert len(tokenizer(letter).input_ids) == len(tokenizer(f" {letter}").input_ids) == 1


def test_the_same_seed_gives_the_same_tokenizer(vocabulary: Tokenizer) -> None:
    assert build_tokenizer().to_str() == vocabulary.to_str()

"""A BLIP-2 whose language model was changed for a Llama, joined by a projection that is still to be tuned."""

from pathlib import Path

from tests.layouts.querying import llama_config, llama_tokenizer, parts, write


def build(folder: Path) -> None:
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    tokenizer = llama_tokenizer()
    config = Blip2Config(
        text_config=llama_config(len(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        **parts(),
    )
    write(folder, Blip2ForConditionalGeneration, config, "Blip2Processor", tokenizer=tokenizer)

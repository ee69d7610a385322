"""InstructBLIP as `Salesforce/instructblip-vicuna-7b` is laid out: a Llama that names no pad token."""

from pathlib import Path

from tests.layouts.querying import llama_config, llama_tokenizer, write_instructblip


def build(folder: Path) -> None:
    tokenizer = llama_tokenizer()
    write_instructblip(folder, tokenizer, llama_config(len(tokenizer)))

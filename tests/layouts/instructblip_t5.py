"""InstructBLIP as `Salesforce/instructblip-flan-t5-xl` is laid out, with a second tokenizer in a folder."""

from pathlib import Path

from tests.layouts.querying import WIDTH, t5_tokenizer, write_instructblip


def build(folder: Path) -> None:
    tokenizer = t5_tokenizer()
    text = {
        "model_type": "t5",
        "vocab_size": len(tokenizer),
        "d_model": WIDTH,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "decoder_start_token_id": 0,
        "initializer_factor": 2.0,
    }
    write_instructblip(folder, tokenizer, text)

"""A language model in one GGUF file behind the port."""

import gguf
import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from blip_core.backends.sampling import Sampling
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.errors import CheckpointError

FILE = "tiny.gguf"
WIDTH, INNER = 32, 64


@pytest.fixture(scope="module")
def gguf_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    tokens = ["<pad>", "<s>", "</s>", *sorted(ByteLevel.alphabet()), "th"]
    rng = np.random.default_rng(0)
    file = gguf.GGUFWriter(folder / FILE, "llama")
    file.add_context_length(128)
    file.add_embedding_length(WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(INNER)
    file.add_head_count(2)
    file.add_head_count_kv(2)
    file.add_rope_dimension_count(WIDTH // 2)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("gpt2")
    file.add_token_list(tokens)
    file.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    file.add_token_merges(["t h"])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_pad_token_id(0)
    file.add_chat_template("{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}")
    shapes = {
        "token_embd": (len(tokens), WIDTH),
        "output": (len(tokens), WIDTH),
        "output_norm": (WIDTH,),
        "blk.0.attn_norm": (WIDTH,),
        "blk.0.ffn_norm": (WIDTH,),
        "blk.0.attn_q": (WIDTH, WIDTH),
        "blk.0.attn_k": (WIDTH, WIDTH),
        "blk.0.attn_v": (WIDTH, WIDTH),
        "blk.0.attn_output": (WIDTH, WIDTH),
        "blk.0.ffn_gate": (INNER, WIDTH),
        "blk.0.ffn_up": (INNER, WIDTH),
        "blk.0.ffn_down": (WIDTH, INNER),
    }
    for name, shape in shapes.items():
        weights = rng.normal(0, 0.3, shape).astype(np.float32)
        if len(shape) == 1:
            file.add_tensor(f"{name}.weight", np.ones(shape, np.float32))
        else:
            quantised = gguf.quants.quantize(weights, gguf.GGMLQuantizationType.Q8_0)
            file.add_tensor(f"{name}.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return folder


def test_a_quantised_file_writes_under_seeds(gguf_folder):
    writer = TransformersWriter(gguf_folder, Sampling(1.0, 0.95, 8), gguf=FILE)
    first, again = (writer.write(["the cat", "a dog"], [1, 2]) for _ in range(2))
    other = writer.write(["the cat", "a dog"], [3, 2])
    writer.close()
    assert first == again
    assert other[0] != first[0]
    assert other[1] == first[1]


@pytest.mark.parametrize("kept_share", [0.001, 0.5, 0.98])
def test_a_truncated_file_is_refused(gguf_folder, tmp_path, kept_share):
    content = (gguf_folder / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: int(kept_share * len(content))])
    with pytest.raises(CheckpointError, match=FILE):
        TransformersWriter(tmp_path, Sampling(1.0, 0.95, 8), gguf=FILE)

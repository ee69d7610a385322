"""Language models of a few thousand weights that say what a stage can use, in the files of their layout."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.layouts.words import read_json, write_json, write_model

_STEPS, _RATE, _ENOUGH = 300, 0.02, 0.02


def speak(folder: Path, texts: list[str]) -> None:
    """Have the model in a folder answer with one of some texts, each as likely, whatever it is asked.

    Each text becomes one token. Attention is silenced, so that what follows depends on the last token alone:
    after any token of the layout a text, after a text the end.

    Args:
        folder: of a layout; its weights, tokenizer and sizes of the vocabulary are changed.
        texts: what it says.
    """
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(texts)
    tokenizer.save(str(folder / "tokenizer.json"))
    said = [tokenizer.token_to_id(text) for text in texts]
    end = AutoTokenizer.from_pretrained(folder).eos_token_id
    generation = folder / "generation_config.json"
    kept = read_json(generation) if generation.exists() else {}
    shards = len(list(folder.glob("*.safetensors")))
    model = _load(folder)
    model.resize_token_embeddings(tokenizer.get_vocab_size(), mean_resizing=False)
    _silence_attention(model)
    _learn(model, said, end)
    for old in folder.glob("*.safetensors*"):
        old.unlink()
    write_model(model, folder, shards)
    if kept:
        write_json(generation, kept)


def _load(folder: Path) -> Any:
    kind = AutoConfig.from_pretrained(folder).model_type
    is_text = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind != "gemma3"
    auto: Any = AutoModelForCausalLM if is_text else AutoModelForImageTextToText
    return auto.from_pretrained(folder)


def _silence_attention(model: Any) -> None:
    for name, weight in model.named_parameters():
        if name.endswith("self_attn.o_proj.weight"):
            weight.requires_grad_(False).zero_()


def _learn(model: Any, said: list[int], end: int) -> None:
    """Teach it what follows each token, as probabilities."""
    tokens = model.get_input_embeddings().num_embeddings
    asked = torch.arange(tokens)
    wanted = torch.zeros(tokens, tokens)
    wanted[:, said] = 1 / len(said)
    wanted[said] = torch.nn.functional.one_hot(torch.tensor(end), tokens).float()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(weights, lr=_RATE)
    least = -(wanted * wanted.clamp(min=1e-9).log()).sum(-1).mean()
    for _ in range(_STEPS):
        logits = model(input_ids=asked[:, None]).logits[:, -1]
        loss = torch.nn.functional.cross_entropy(logits, wanted) - least
        if loss < _ENOUGH:
            return
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    raise AssertionError(f"{type(model).__name__} did not learn to speak: {loss:.3f} above the least")

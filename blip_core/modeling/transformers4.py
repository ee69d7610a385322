"""Files of a checkpoint as transformers 4 and 5 both read them.

Version 5 writes some of them in a way that 4 misreads, partly without a word. It says of every T5 that its
head is tied, and beside it whether outputs are scaled, which 4 takes for one and the same. It nests the
picture's settings, lists special tokens and names tokenizer classes as 4 cannot read them.
"""

from pathlib import Path
from typing import Any

from torch import nn

from blip_core import strict_json
from blip_core.modeling.backbones import QFORMER_TOKENIZER
from blip_core.modeling.checkpoints import read_json

_CONFIG, _TOKENIZER = "config.json", "tokenizer_config.json"
_PROCESSOR, _PREPROCESSOR = "processor_config.json", "preprocessor_config.json"
_CLASSES = {
    "TokenizersBackend": "PreTrainedTokenizerFast"
}  # what 4 calls a tokenizer of tokenizer.json alone
_OF_THIS_MACHINE = ("is_local", "local_files_only")  # how it was loaded here


def part_head(blip2: Any) -> None:
    """Give a T5 that does not scale its outputs a head of its own; version 4 scales wherever it is tied."""
    language = blip2.language_model
    if getattr(language.config, "scale_decoder_outputs", True):
        return
    if language.lm_head.weight is language.shared.weight:
        language.lm_head.weight = nn.Parameter(language.shared.weight.detach().clone(), requires_grad=False)


def write_for_both(folder: Path) -> None:
    """Mend what version 5 wrote into a folder, so that 4 reads the same from it."""
    _mend(folder / _CONFIG, _config)
    for path in (folder / _TOKENIZER, folder / QFORMER_TOKENIZER / _TOKENIZER):
        if path.exists():
            _mend(path, _tokenizer)
    settings = read_json(folder / _PROCESSOR).get("image_processor")
    if isinstance(settings, dict) and not (folder / _PREPROCESSOR).exists():
        _write(folder / _PREPROCESSOR, settings)


def _config(content: dict[str, Any]) -> None:
    text = content.get("text_config", {})
    if text.get("scale_decoder_outputs") is False:
        text["tie_word_embeddings"] = False


def _tokenizer(content: dict[str, Any]) -> None:
    for name in _OF_THIS_MACHINE:
        content.pop(name, None)
    if isinstance(content.get("extra_special_tokens"), list):
        content["additional_special_tokens"] = content.pop("extra_special_tokens")
    named = content.get("tokenizer_class")
    content["tokenizer_class"] = _CLASSES.get(str(named), named)


def _mend(path: Path, change: Any) -> None:
    content = read_json(path)
    change(content)
    _write(path, content)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(strict_json.dumps(content, indent=2) + "\n", encoding="utf-8")

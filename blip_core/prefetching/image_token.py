"""Whether a BLIP-2 would see its pictures, told from its texts before any weight is read.

A picture stands in a prompt as a number of `<image>` tokens. Copies from before the end of 2024 do not say in
their config which token that is, and some have none in their tokenizer: the library's processor then adds it
behind the last one, where the embeddings mostly have unused rows.
"""

import json
from pathlib import Path
from typing import Any

from blip_core.errors import CheckpointError

IMAGE_TOKEN = "<image>"  # noqa: S105 - as Blip2Processor of transformers names it
_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"
_QUERIES = 32  # where a config does not say, as in Blip2Config of transformers


def check_image_token(folder: Path) -> None:
    """Refuse a BLIP-2 whose pictures would be ignored; silent where its texts do not tell.

    Raises:
        CheckpointError: Config and tokenizer name different tokens, there is no room for one, or there are
            none of it a picture.
    """
    config = _table(folder / _CONFIG)
    if config.get("num_query_tokens", _QUERIES) == 0:
        raise CheckpointError(
            f"{folder}: num_query_tokens in config.json must be at least 1, or pictures are ignored"
        )
    token = _token(folder)
    if token is None:
        return
    named = config.get("image_token_index", config.get("image_token_id"))
    if named is not None and named != token:
        raise CheckpointError(
            f"{folder}: {IMAGE_TOKEN} is token {token} of the tokenizer, but image_token_index is {named} in "
            "config.json; both must be the same, or pictures are ignored"
        )
    rows = config.get("text_config", {}).get("vocab_size")
    if isinstance(rows, int) and token >= rows:
        raise CheckpointError(
            f"{folder}: {IMAGE_TOKEN} would be token {token}, but vocab_size in config.json is {rows}: the "
            "model has no place for it, and pictures would be ignored; choose a copy of the checkpoint whose "
            "config.json has an image_token_index"
        )


def _token(folder: Path) -> int | None:
    """Number of the image token, which the processor adds behind the others if need be; None, unknown."""
    known = _tokens(folder)
    if not known:
        return None
    return known.get(IMAGE_TOKEN, max(known.values()) + 1)


def _tokens(folder: Path) -> dict[str, int]:
    """Tokens and their numbers; none where that would take the tokenizer itself to tell."""
    if not (folder / _TOKENIZER).is_file():
        return {}
    content = _table(folder / _TOKENIZER)
    try:
        vocabulary = content["model"]["vocab"]
        if isinstance(vocabulary, list):  # Unigram: pairs of token and score, in order
            vocabulary = {str(entry[0]): place for place, entry in enumerate(vocabulary)}
        added = {str(token["content"]): int(token["id"]) for token in content.get("added_tokens") or []}
        return {**vocabulary, **added}
    except (KeyError, TypeError, ValueError, IndexError):  # what the library makes of it shows when it loads
        return {}


def _table(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; fetch it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object; fetch it again")
    return content

"""Keys are content: the digest of all that decides what a stage makes."""

import hashlib
from collections.abc import Mapping
from typing import Any

from blip_core import strict_json
from blip_core.recipes import SectionsDigest

FIRST_VERSION = 1
_DIGEST_CHARS = 32  # 128 bits: ample against accidents, short enough to read in a path
CODE_VERSIONS: Mapping[str, int] = {}
"""Stages whose results changed since their first version; a stage that is absent is at the first."""


KEY_INPUTS = "key_inputs"
"""Under this name a manifest's metadata tells what its key is made of; that is not part of the digest."""


def told_at_length(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a key is made of, as JSON values, with the fields of each section in place of their digest."""
    told: dict[str, Any] = strict_json.loads(strict_json.dumps(_unfolded(inputs)))
    return told


def _unfolded(value: Any) -> Any:
    if isinstance(value, SectionsDigest):
        return value.sections
    if isinstance(value, Mapping):
        return {str(name): _unfolded(one) for name, one in value.items()}
    return [_unfolded(one) for one in value] if isinstance(value, list | tuple) else value


def canonical_json(value: Any) -> str:
    """Write JSON that is equal for equal values: sorted keys, no spaces, no NaN.

    Raises:
        TypeError: Something in it is no JSON; a digest of its `repr` would differ from run to run.
        ValueError: A number is not finite.
    """
    _check_keys(value)
    return strict_json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_key(stage: str, inputs: Mapping[str, Any], code_version: int) -> str:
    """A stage's name and the sha256 of it, its code version and its inputs as canonical JSON."""
    content = {"stage": stage, "code_version": code_version, "inputs": dict(inputs)}
    digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()
    return f"{stage}-{digest[:_DIGEST_CHARS]}"


def _check_keys(value: Any) -> None:
    """JSON would write the keys 1 and "1" alike: two different inputs must not share a key."""
    if isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if not isinstance(name, str):
            raise TypeError(f"{name!r} names a field of a key's input; only text can")
        _check_keys(item)

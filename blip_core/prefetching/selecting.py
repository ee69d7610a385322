"""Which files of a repository are needed: configs, tokenizers and one set of weights. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from blip_core.errors import CheckpointError
from blip_core.prefetching.needs import Need

PIPELINE_INDEX = "model_index.json"
CONFIG = "config.json"
POOLING = "1_Pooling/config.json"  # how a model of sentence vectors makes one of its tokens' states
_TOKENIZER = "tokenizer_config.json"

_TEXTS = (".json", ".txt", ".model", ".jinja")
INDEX = ".index.json"
# Weights under the names that the libraries load by default; others are variants, adapters or another format.
SAFETENSORS = re.compile(r"(?P<stem>model|diffusion_pytorch_model)(?P<shard>-\d{5}-of-\d{5})?\.safetensors")
PICKLED = re.compile(r"(?P<stem>pytorch_model|diffusion_pytorch_model)(?P<shard>-\d{5}-of-\d{5})?\.bin")
_SAFETENSORS_STEMS = {"pytorch_model": "model"}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the hub.

    Attributes:
        name: path in the repository.
        size: in bytes.
        sha256: in hex; empty where the hub keeps the file in git itself.
        git_oid: name of the file's blob in git, sha1 in hex; that of a mere pointer where `sha256` is known.
    """

    name: str
    size: int
    sha256: str = ""
    git_oid: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is needed of a repository.

    Attributes:
        files: to be there as they are on the hub.
        pickled: weights that exist only pickled, to be converted; an index that goes with them is among them.
    """

    files: tuple[RemoteFile, ...]
    pickled: tuple[RemoteFile, ...] = ()

    @property
    def all(self) -> tuple[RemoteFile, ...]:
        """Small files first: what is wrong with a checkpoint mostly shows in them."""
        return tuple(sorted(self.files + self.pickled, key=lambda file: (file.size, file.name)))


def select(need: Need, files: Sequence[RemoteFile], parts: Iterable[str] = ()) -> Selection:
    """Choose the files of a repository that a recipe needs; never code, never pickles beside safetensors.

    Args:
        need: what the recipe uses.
        files: all files of the repository.
        parts: folders of a diffusion pipeline's components; none, the repository is a model.

    Raises:
        CheckpointError: The repository lacks what is needed.
    """
    named = {file.name: file for file in files if _is_plain(file.name)}
    missing = [name for name in need.gguf if name not in named]
    if missing:
        raise CheckpointError(f"{need.id} has no file {missing[0]}; {_offered(named, '.gguf')}")
    chosen = [_gguf(need, named)] if need.gguf else []
    if need.safetensors and not parts:
        chosen.append(_model(need.id, named))
    if need.safetensors and parts:
        chosen += [_root_texts(named), *(_part(need.id, named, part) for part in sorted(parts))]
    kept = {file.name: file for selection in chosen for file in selection.files}
    pickled = {file.name: file for selection in chosen for file in selection.pickled}
    return Selection(tuple(kept.values()), tuple(pickled.values()))


def component_folders(index: bytes, repository: str) -> set[str]:
    """Folders of a diffusion pipeline's components, from its `model_index.json`.

    Raises:
        CheckpointError: It is no such index.
    """
    try:
        content: Any = json.loads(index)
        entries: Mapping[str, Any] = dict(content)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{repository}: {PIPELINE_INDEX} cannot be read: {error}") from error
    return {name for name, entry in entries.items() if isinstance(entry, list) and entry and entry[0]}


def is_pickled(name: str) -> bool:
    """Whether a file's name is that of pickled weights, or of the index of several."""
    return bool(PICKLED.fullmatch(PurePosixPath(name).name.removesuffix(INDEX)))


def converted_name(name: str) -> str:
    """Name that weights get by conversion: that under which the libraries look for safetensors."""
    path = PurePosixPath(name)
    if name.endswith(f".bin{INDEX}"):
        weights = converted_name(name.removesuffix(INDEX))
        return f"{weights}{INDEX}"
    found = PICKLED.fullmatch(path.name)
    if not found:
        raise ValueError(f"{name} is not a pickled weight file")
    stem = _SAFETENSORS_STEMS.get(found["stem"], found["stem"])
    return str(path.with_name(f"{stem}{found['shard'] or ''}.safetensors"))


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        not path.is_absolute() and "\\" not in name and not any(part.startswith(".") for part in path.parts)
    )


def _gguf(need: Need, named: Mapping[str, RemoteFile]) -> Selection:
    return Selection((*(named[name] for name in need.gguf), *_texts(named, "")))


def _model(repository: str, named: Mapping[str, RemoteFile]) -> Selection:
    if CONFIG not in named:
        raise CheckpointError(
            f"{repository} has neither {CONFIG} nor {PIPELINE_INDEX}: no model that can be loaded here; "
            f"{_offered(named, '.gguf')}"
        )
    model = _weights(repository, named, "")
    pooling = [named[POOLING]] if POOLING in named else []
    return replace(model, files=(*model.files, *_further_tokenizers(named), *pooling))


def _further_tokenizers(named: Mapping[str, RemoteFile]) -> list[RemoteFile]:
    """Texts of folders that hold a tokenizer and no model: a Q-Former that reads has one of its own."""
    folders = {name.removesuffix(f"/{_TOKENIZER}") for name in named if name.endswith(f"/{_TOKENIZER}")}
    plain = sorted(folder for folder in folders if f"{folder}/{CONFIG}" not in named)
    return [file for folder in plain for file in _texts(named, f"{folder}/")]


def _root_texts(named: Mapping[str, RemoteFile]) -> Selection:
    return Selection((named[PIPELINE_INDEX],))


def _part(repository: str, named: Mapping[str, RemoteFile], part: str) -> Selection:
    prefix = f"{part}/"
    if f"{prefix}{CONFIG}" in named:  # schedulers, tokenizers and image processors have none, and no weights
        return _weights(repository, named, prefix)
    return Selection(tuple(_texts(named, prefix)))


def _weights(repository: str, named: Mapping[str, RemoteFile], prefix: str) -> Selection:
    texts = _texts(named, prefix)
    safe = _one_set(named, prefix, SAFETENSORS)
    if safe:
        return Selection((*texts, *safe))
    pickled = _one_set(named, prefix, PICKLED)
    if pickled:
        return Selection(tuple(texts), tuple(pickled))
    where = f"{repository}/{prefix.rstrip('/')}".rstrip("/")
    raise CheckpointError(
        f"{where} has no weights under a name that is loaded (model.safetensors or pytorch_model.bin, whole "
        f"or in shards); {_offered(named, '.safetensors', '.bin', '.ckpt', '.pth')}"
    )


def _one_set(named: Mapping[str, RemoteFile], prefix: str, pattern: re.Pattern[str]) -> list[RemoteFile]:
    """The whole file where there is one, else the shards with their index."""
    found = {name: pattern.fullmatch(name) for name in _within(named, prefix)}
    whole = [name for name, match in found.items() if match and not match["shard"]]
    if whole:
        return [named[f"{prefix}{sorted(whole)[0]}"]]
    shards = sorted(name for name, match in found.items() if match)
    if not shards:
        return []
    stem, suffix = shards[0].split("-", 1)[0], PurePosixPath(shards[0]).suffix
    index = f"{prefix}{stem}{suffix}{INDEX}"
    indexes = [named[index]] if index in named else []
    return [*indexes, *(named[f"{prefix}{name}"] for name in shards)]


def _texts(named: Mapping[str, RemoteFile], prefix: str) -> list[RemoteFile]:
    names = [name for name in _within(named, prefix) if name.endswith(_TEXTS) and not name.endswith(INDEX)]
    return [named[f"{prefix}{name}"] for name in sorted(names)]


def _within(named: Mapping[str, RemoteFile], prefix: str) -> list[str]:
    """Names in one folder, none below it."""
    names = [name.removeprefix(prefix) for name in named if name.startswith(prefix)]
    return [name for name in names if "/" not in name]


def _offered(named: Mapping[str, RemoteFile], *suffixes: str) -> str:
    names = [name for name in named if name.endswith(suffixes)]
    return f"it has {', '.join(names[:5])}" if names else "it has no other weights either"

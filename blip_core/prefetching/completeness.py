"""Whether a checkpoint has all that a loader reads: config, weights with every shard, tokenizer, processor.

A loader finds out one file at a time, and hours into a run. The names of the files are enough to know it
before, with the indexes that say how many shards there are.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError, safe_open

from blip_core.errors import CheckpointError
from blip_core.prefetching.damage import model_files
from blip_core.prefetching.needs import Need
from blip_core.prefetching.selecting import (
    CONFIG,
    INDEX,
    PICKLED,
    PIPELINE_INDEX,
    SAFETENSORS,
    is_pickled,
)

PREPROCESSOR = "preprocessor_config.json"
_PROCESSOR = "processor_config.json"
_SCHEDULER = "scheduler_config.json"
# Any one of these sets of files is a vocabulary; `.model` stands for SentencePiece under whatever name.
_VOCABULARIES = ({"tokenizer.json"}, {"vocab.json", "merges.txt"}, {"vocab.txt"}, {"tekken.json"})
_SENTENCEPIECE = ".model"
_TOKENIZER_WORDS = "a tokenizer (tokenizer.json, or vocab.json with merges.txt, or a .model file)"
_PROCESSOR_WORDS = f"an image processor ({PREPROCESSOR}, or {_PROCESSOR} with image_processor)"
_WEIGHTS_WORDS = "weights (model.safetensors, or shards with their index)"
_INSTRUCTED = "qformer_tokenizer"  # of InstructBLIP, whose Q-Former reads the instruction
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Listing:
    """Files of a checkpoint, wherever it lies.

    Attributes:
        names: relative to its folder.
        read: gives the content of a small one as text.
        patterns: of weights that are taken for such: safetensors, and before a conversion pickled ones, too.
    """

    names: Collection[str]
    read: Callable[[str], str]
    patterns: Sequence[re.Pattern[str]] = (SAFETENSORS,)

    def within(self, part: str) -> set[str]:
        """Names in one folder of it, none below; empty, the folder of the checkpoint itself."""
        prefix = f"{part}/" if part else ""
        found = {name.removeprefix(prefix) for name in self.names if name.startswith(prefix)}
        return {name for name in found if "/" not in name}

    def table(self, name: str) -> dict[str, Any]:
        """A JSON object among the files.

        Raises:
            CheckpointError: It is none.
        """
        try:
            content = json.loads(self.read(name))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{name} cannot be read: {error}; fetch it again") from error
        if not isinstance(content, dict):
            raise CheckpointError(f"{name} must hold a JSON object; fetch it again")
        return content


def lacking(files: Listing) -> list[str]:
    """What a checkpoint lacks of what a loader reads, a file or kind of files each; empty, it is whole.

    Raises:
        CheckpointError: A file that says what there should be cannot be read.
    """
    if PIPELINE_INDEX in files.names:
        return _of_pipeline(files)
    if CONFIG not in files.names:
        return [CONFIG]
    config = files.table(CONFIG)
    missing = [*_weights(files, ""), *_tokenizer(files, "")]
    missing += _image_processor(files) if "vision_config" in config else []
    return missing + (_tokenizer(files, _INSTRUCTED) if config.get("model_type") == "instructblip" else [])


def check_needed(need: Need, folder: Path, pickled: bool = False, opened: bool = True) -> None:
    """Refuse a folder that lacks a file of what a recipe needs of it; see `check_complete`.

    Raises:
        CheckpointError: It does.
    """
    remedy = (
        f"copy all that the repository {need.id} has to {folder} and run `foundry prefetch` with --offline; "
        "or run it where there is a connection, and it fetches what is missing alone"
    )
    check_gguf(folder, need.gguf, remedy)
    if need.safetensors:
        check_complete(folder, remedy, pickled, opened)


def check_gguf(folder: Path, names: Sequence[str], remedy: str) -> None:
    """Refuse a folder that lacks a GGUF file.

    Raises:
        CheckpointError: It does; all that it lacks are named.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} lacks {in_words(missing)}; {remedy}")


def check_complete(folder: Path, remedy: str, pickled: bool = False, opened: bool = True) -> None:
    """Refuse a folder that lacks a file which a loader reads, or has part of one.

    Args:
        folder: of a checkpoint in safetensors.
        remedy: where what is missing is to be had.
        pickled: weights that can be converted count as well.
        opened: open every weight file, which shows whether it is whole; none is loaded.

    Raises:
        CheckpointError: It lacks something; all of it is named.
    """
    names = model_files(folder)
    patterns: tuple[re.Pattern[str], ...] = (SAFETENSORS,)
    if pickled:
        found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_pickled(path.name))
        names, patterns = [*names, *found], (SAFETENSORS, PICKLED)
    files = Listing(names, (lambda name: (folder / name).read_text(encoding="utf-8")), patterns)
    try:
        missing = lacking(files)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    if missing:
        raise CheckpointError(f"{folder} lacks {in_words(missing)}; {remedy}")
    if opened:
        _check_opens(
            folder, [name for name in names if SAFETENSORS.fullmatch(PurePosixPath(name).name)], remedy
        )


def in_words(missing: Sequence[str]) -> str:
    """What is missing, as part of a sentence."""
    shown = missing[:_SHOWN] if len(missing) <= _SHOWN else missing[: _SHOWN - 1]
    more = [f"{len(missing) - len(shown)} files more"] if len(missing) > len(shown) else []
    *first, last = [*shown, *more]
    return f"{', '.join(first)} and {last}" if first else last


def _of_pipeline(files: Listing) -> list[str]:
    missing: list[str] = []
    for part, entry in sorted(files.table(PIPELINE_INDEX).items()):
        if isinstance(entry, list) and len(entry) == 2 and entry[0]:  # library and class
            missing += _of_component(files, part, str(entry[1]))
    return missing


def _of_component(files: Listing, part: str, kind: str) -> list[str]:
    """What a component lacks; diffusers names its classes by what they are."""
    if kind.endswith("Scheduler"):
        return _one_of(files, part, _SCHEDULER)
    if "Tokenizer" in kind:
        return _tokenizer(files, part)
    if kind.endswith(("FeatureExtractor", "ImageProcessor", "ImageProcessorFast")):
        return _one_of(files, part, PREPROCESSOR)
    if kind.endswith("Processor"):
        return [*_one_of(files, part, PREPROCESSOR), *_tokenizer(files, part)]
    return [*_one_of(files, part, CONFIG), *_weights(files, part)]


def _one_of(files: Listing, part: str, name: str) -> list[str]:
    return [] if name in files.within(part) else [_path(part, name)]


def _weights(files: Listing, part: str) -> list[str]:
    """Shards that an index names and nobody has, or the index of shards, or all weights."""
    names = files.within(part)
    for pattern in files.patterns:
        found = [match for match in map(pattern.fullmatch, names) if match]
        if any(not match["shard"] for match in found):
            return []
        indexes = sorted(
            name for name in names if name.endswith(INDEX) and pattern.fullmatch(name.removesuffix(INDEX))
        )
        if indexes:
            return [
                _path(part, name) for name in _shards(files, _path(part, indexes[0])) if name not in names
            ]
        if found:
            suffix = PurePosixPath(found[0].string).suffix
            return [_path(part, f"{found[0]['stem']}{suffix}{INDEX}")]
    return [f"{part}: {_WEIGHTS_WORDS}" if part else _WEIGHTS_WORDS]


def _shards(files: Listing, index: str) -> list[str]:
    listed = files.table(index).get("weight_map")
    names = sorted(set(listed.values())) if isinstance(listed, dict) and listed else [""]
    if any(not isinstance(name, str) or PurePosixPath(name).name != name or not name for name in names):
        raise CheckpointError(f"{index} does not say which file beside it holds which weight; fetch it again")
    return names


def _tokenizer(files: Listing, part: str) -> list[str]:
    names = files.within(part)
    has_one = any(one <= names for one in _VOCABULARIES) or any(
        name.endswith(_SENTENCEPIECE) for name in names
    )
    return [] if has_one else [f"{part}: {_TOKENIZER_WORDS}" if part else _TOKENIZER_WORDS]


def _image_processor(files: Listing) -> list[str]:
    names = files.within("")
    if PREPROCESSOR in names or (_PROCESSOR in names and "image_processor" in files.table(_PROCESSOR)):
        return []
    return [_PROCESSOR_WORDS]


def _path(part: str, name: str) -> str:
    return f"{part}/{name}" if part else name


def _check_opens(folder: Path, names: Iterable[str], remedy: str) -> None:
    for name in names:
        try:
            with safe_open(folder / name, framework="np"):
                pass
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{folder / name} is damaged or cut short ({error}); {remedy}") from error

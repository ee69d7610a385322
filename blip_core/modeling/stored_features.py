"""Vision states that every run shares: blocks of pictures in the artefact store, mapped and not loaded.

A block is an artefact of the kind `features`: one tensor (N, P, V) in safetensors, and in its manifest the
keys of its N pictures. Its own key begins with that of its maker: checkpoint, image processor and type. So a
run lists the blocks of its own tower alone, and a grown dataset pays for its new pictures alone.
N: pictures of a block, P: patches + 1, V: vision width.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from blip_core.errors import NotANumber
from blip_core.modeling.features import (
    VISION_TOWER,
    distinct_pictures,
    parted,
    pixel_values,
    readable_pictures,
    untrained_states,
)
from blip_core.modeling.finite import finite_rows, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.vision_tower import refuse_tuned_tower
from blip_core.records import Example, Rejection
from blip_core.store import Artifact, Store
from blip_core.store.lineage import MADE_FROM

KIND = "features"
BLOCK_PICTURES = 256
"""Pictures of one block: of the real BLIP-2 185 MB, which is little to hold, to hash and to lose by a kill,
and 100,000 pictures are 400 files."""

TOWER_BATCH = 8
"""Pictures that the tower sees at once: 2,056 patches keep a GPU busy. A smaller batch is filled up, so that
a picture's states are the same bits whatever else had to be encoded: batches of another size may differ in
the last bits."""

WORTH_KEEPING_PARAMETERS = 500_000
"""Weights of the smallest tower whose states are kept for judging. Measured on one core and a local disk with
the pocket tower (0.83 million weights) and the 520 pictures of its evaluation set: the tower takes 0.9 s,
keeping its output 0.04 s more, reading it in the next run 0.02 s. Much smaller towers would win nothing, and
lose where the disk is slow."""

_FILE = "states.safetensors"
_STATES = "states"
_PICTURES = "pictures"
_DIGEST_CHARS = 32  # as in the store's own keys


class StoredVisionStates:
    """Vision states that are computed once per distinct picture, for all runs of a store.

    They are kept in the type in which the tower computes, bfloat16 in the real profiles and float32 for the
    pocket models: nothing is rounded, and losses are equal to the bit with and without it. They are taken
    before the Q-Former, which may be tuned and, in an InstructBLIP, reads the instruction.

    A block is compared with its digests once, when the first of its pictures is asked for; a damaged one is
    set aside and its pictures are encoded anew. Afterwards `stack` reads the rows that it gives, through the
    page cache, and nothing else. Runs that encode at the same time take turns, block by block, and encode no
    picture twice.

    Args:
        bundle: the model; its tower may leave memory once all pictures were added.
        store: where the blocks rest.
        identity: changes when the checkpoint's weights do.
        block_pictures: pictures of one block.
    """

    def __init__(
        self, bundle: Blip2Bundle, store: Store, identity: str, block_pictures: int = BLOCK_PICTURES
    ) -> None:
        self._bundle = bundle
        self._store = store
        self._about = _about(bundle, identity)
        self._maker = store.key(KIND, self._about)
        self._block_pictures = block_pictures
        self._blocks: dict[str, Tensor] = {}
        self._listed: set[str] = set()
        self._places: dict[str, tuple[str, int]] = {}
        self._forwards = 0

    @property
    def forwards(self) -> int:
        """See `VisionStates.forwards`."""
        return self._forwards

    def add(self, examples: Iterable[Example]) -> list[Rejection]:
        """Encode the pictures that no block holds; see `VisionStates.add`.

        Raises:
            PlaceError: The store cannot be written.
            StoreError: Its disk is full; finished blocks are kept.
        """
        refuse_tuned_tower(self._bundle)
        missing = self._missing(distinct_pictures(examples))
        rejections: list[Rejection] = []
        for part in parted(missing, self._block_pictures):
            with self._store.alone(self._maker):
                # Another run may have encoded some while we waited.
                rejections += self._encode(self._missing(part))
        return rejections

    def stack(self, keys: Sequence[str], turn: int = 0) -> Tensor:
        """(B, P, V) in main memory, read row by row; see `VisionStates.stack`."""
        del turn  # what is kept is the picture as it is
        places = [self._places[key] for key in keys]
        return torch.stack([self._blocks[block][row] for block, row in places])

    def _missing(self, wanted: Mapping[str, Example]) -> dict[str, Example]:
        """What no block holds that is whole; the blocks of all else are open afterwards."""
        self._list_new()
        for block in {self._places[key][0] for key in wanted if key in self._places}:
            if block not in self._blocks:
                self._open(block, wanted)
        return {key: example for key, example in wanted.items() if key not in self._places}

    def _list_new(self) -> None:
        for key in self._store.keys(f"{self._maker}-"):
            if key in self._listed:
                continue
            artifact = self._store.peek(key) or self._store.find(key)  # which sets aside what is damaged
            if artifact is not None:
                self._note(artifact)

    def _note(self, artifact: Artifact) -> None:
        self._listed.add(artifact.key)
        for row, picture in enumerate(artifact.metadata[_PICTURES]):
            self._places.setdefault(picture, (artifact.key, row))

    def _open(self, block: str, wanted: Mapping[str, Example]) -> None:
        artifact = self._store.find(block)
        if artifact is not None:
            self._refuse_no_numbers(artifact, wanted)
            self._blocks[block] = _mapped(artifact.path / _FILE)
            return
        self._listed.discard(block)  # it is listed again once it was made anew
        self._places = {key: place for key, place in self._places.items() if place[0] != block}

    def _refuse_no_numbers(self, block: Artifact, wanted: Mapping[str, Example]) -> None:
        """A block may be older than this check, whose own mapping ends with it: rows are read one by one."""
        are_finite = finite_rows(_mapped(block.path / _FILE)).tolist()
        bad = {key for key, fine in zip(block.metadata[_PICTURES], are_finite, strict=True) if not fine}
        for example in (example for key, example in wanted.items() if key in bad):
            raise NotANumber(
                f"the states that were kept of the picture of row {example.id} are NaN or infinite, in "
                f"{block.path}: forget kept states with `make clean-features`, and run again"
            )

    def _encode(self, missing: Mapping[str, Example]) -> list[Rejection]:
        """Make a block of those pictures that can be read."""
        kept: list[str] = []
        states: list[Tensor] = []
        rejections: list[Rejection] = []
        for batch in parted(missing, TOWER_BATCH):
            pictures, refused = readable_pictures(batch)
            rejections += refused
            if pictures:
                kept += pictures
                encoded = _states_of(self._bundle, list(pictures.values()))
                refuse_rows(finite_rows(encoded), [batch[key].id for key in pictures], VISION_TOWER)
                states.append(encoded)
        if kept:
            self._publish(kept, torch.cat(states))
        return rejections

    def _publish(self, pictures: Sequence[str], states: Tensor) -> None:
        self._forwards += len(pictures)
        digest = hashlib.sha256(" ".join(pictures).encode()).hexdigest()[:_DIGEST_CHARS]
        told = {**self._about, "rows": len(pictures), _PICTURES: list(pictures), MADE_FROM: {}}

        def build(folder: Path) -> dict[str, Any]:
            # Not save_file: its errors do not say that the disk is full.
            (folder / _FILE).write_bytes(save({_STATES: states}))
            return told

        artifact = self._store.publish(f"{self._maker}-{digest}", KIND, build)
        self._note(artifact)
        self._blocks[artifact.key] = _mapped(artifact.path / _FILE)


def _about(bundle: Blip2Bundle, identity: str) -> dict[str, Any]:
    """All that decides what the tower makes of a picture."""
    processor = bundle.processor.image_processor.to_dict()
    dtype = str(bundle.blip2.vision_model.dtype).removeprefix("torch.")
    about = {"model": identity, "processor": processor, "dtype": dtype, "tower_batch": TOWER_BATCH}
    on_cpu = bundle.device.type == "cpu"
    return {**about, "threads": torch.get_num_threads()} if on_cpu else about


def _states_of(bundle: Blip2Bundle, pictures: Sequence[Image.Image]) -> Tensor:
    """(B, P, V) in main memory, from a batch that was filled up with its last picture."""
    pixels = pixel_values(bundle, pictures)
    filled = torch.cat([pixels, pixels[-1:].expand(TOWER_BATCH - len(pixels), -1, -1, -1)])
    return untrained_states(bundle, filled)[: len(pixels)].cpu()


def _mapped(path: Path) -> Tensor:
    """(N, P, V), of which a row is read from the file when it is looked at."""
    with safe_open(path, framework="pt") as file:
        states: Tensor = file.get_tensor(_STATES)
    return states

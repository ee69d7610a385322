"""Somebody who tries a set of layouts: commands in one home, checkpoints from a hub of the test's own."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.commands import Done, foundry
from tests.hub.stand_in import StandIn
from tests.layouts.blip2 import as_before_2024_ended
from tests.layouts.speaking import speak

HUB = {
    "qwen2": "Qwen/Qwen1.5-1.8B-Chat",
    "qwen3": "Qwen/Qwen3-8B",
    "llama": "meta-llama/Llama-3.2-1B-Instruct",
    "gemma2": "google/gemma-2-2b-it",
    "phi3": "microsoft/Phi-3-mini-4k-instruct",
    "gemma3": "google/gemma-3-4b-it",
    "gemma3_writer": "google/gemma-3-12b-it",
    "qwen3_vl": "Qwen/Qwen3-VL-8B-Thinking",
    "qwen3_vl_writer": "Qwen/Qwen3-VL-4B-Thinking",
    "llava15": "llava-hf/llava-1.5-7b-hf",
    "llava_next": "llava-hf/llava-v1.6-mistral-7b-hf",
    "qwen2_5_vl": "Qwen/Qwen2.5-VL-7B-Instruct",
    "smolvlm": "HuggingFaceTB/SmolVLM-Instruct",
    "internvl": "OpenGVLab/InternVL3-1B-hf",
    "sd1": "dreamlike-art/dreamlike-photoreal-2.0",
    "sd1_checked": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
    "sd3": "stabilityai/stable-diffusion-3-medium-diffusers",
    "flux": "black-forest-labs/FLUX.1-dev",
    "pixart": "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
    "sana": "Efficient-Large-Model/Sana_600M_512px_diffusers",
    "blip2_flan_t5": "Salesforce/blip2-flan-t5-xl",
    "blip2_opt": "Salesforce/blip2-opt-2.7b",
    "blip2_opt_older": "Salesforce/blip2-opt-2.7b-coco",
    "blip2_llama": "somebody/blip2-llama",
    "instructblip_t5": "Salesforce/instructblip-flan-t5-xl",
    "instructblip_vicuna": "Salesforce/instructblip-vicuna-7b",
}
FIELDS = {
    "scenes.model": ("qwen2", "qwen3", "llama", "gemma2", "phi3", "gemma3_writer", "qwen3_vl_writer"),
    "pictures.model": ("sd1", "sd1_checked", "sdxl", "sd3", "flux", "pixart", "sana"),
    "labels.model": ("llava15", "llava_next", "qwen2_5_vl", "qwen3_vl", "smolvlm", "gemma3", "internvl"),
    "finetune.base": (
        "blip2_flan_t5",
        "blip2_opt",
        "blip2_llama",
        "instructblip_t5",
        "instructblip_vicuna",
        "blip2_flan_t5",
        "blip2_opt",
    ),
    "baseline": (
        "blip2_opt",
        "blip2_flan_t5",
        "blip2_opt",
        "blip2_llama",
        "blip2_opt",
        "blip2_opt_older",
        "instructblip_t5",
    ),
}
RUNS = [dict(zip(FIELDS, names, strict=True)) for names in zip(*FIELDS.values(), strict=True)]
SOURCES = RUNS[0]
SMALL = [
    "device.kind=cpu",
    "device.threads=1",
    "scenes.count=8",
    "pictures.width_px=64",
    "pictures.height_px=64",
    "pictures.steps=2",
    "finetune.epochs=1",
    "finetune.batch_size=4",
    "finetune.micro_batch_size=4",
    "inference.max_new_tokens=4",
    'evaluation={kind="bundled",limit=4}',
]
STAGES = ("dataset", "finetune", "compare")
PRESSED_AFTER = 12
THINGS = ("dog", "boat", "tree", "cup", "bus", "lamp")
PLACES = ("on a beach", "in a street", "under a bridge", "beside a wall", "behind a fence")
LISTS = [
    "\n".join(f"{number}. A {thing} stands {place}." for number, place in enumerate(PLACES, start=1))
    for thing in THINGS
]
LABELS = [
    f"Description: A {thing} stands in front of a wall.\n\nQuestion: What stands in front of the wall?\n"
    f"A. a {thing}\nB. a cloud\nC. a road\nD. a hat\n\nAnswer: A"
    for thing in THINGS
]
TEXTS = dict.fromkeys(FIELDS["scenes.model"], LISTS) | dict.fromkeys(FIELDS["labels.model"], LABELS)


def name_of(chosen: dict[str, str]) -> str:
    return "+".join(chosen.values())


@dataclass
class Walk:
    """Somebody who tries a set of checkpoints, in a home of this set alone.

    Attributes:
        home: folder.
        hub: where checkpoints come from.
        chosen: layouts by the field that names them.
        done: what commands did, by the name they were given here.
        fetched: files that they asked of the hub.
    """

    home: Path
    hub: StandIn
    chosen: dict[str, str]
    done: dict[str, Done] = field(default_factory=dict)
    fetched: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return {HUB[name] for name in self.chosen.values()}

    def foundry(self, name: str, *typed: str) -> None:
        """Run a command in this process."""
        sets = [f"{path}={HUB[layout]}" for path, layout in self.chosen.items()] + SMALL
        typed += (
            "gallery-vqa",
            "--profile",
            "workstation",
            *(part for one in sets for part in ("--set", one)),
        )

        self.hub.asked.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FOUNDRY_HOME", str(self.home))
            patch.setenv("HF_HOME", str(self.home / "no-cache"))
            self.done[name] = foundry(*typed)
        self.fetched[name] = [asked for asked in self.hub.asked if "/resolve/" in asked]


def layout_of(name: str) -> str:
    """The layout that a repository of this name is built from."""
    return re.sub("_(writer|older)$", "", name)


def changed(name: str, source: Path, target: Path) -> Path:
    """A layout as it is, or a copy that says what can be used, or lacks what older ones lack."""
    if name not in TEXTS and not name.endswith("_older"):
        return source
    shutil.copytree(source, target)
    if name in TEXTS:
        speak(target, TEXTS[name])
    else:
        as_before_2024_ended(target)
    return target


def press_in_the_middle(patch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C as soon as some of the weights of the second checkpoint have come."""
    from flows.cli.downloads import Downloads

    begun = []

    def advance(downloads, size):
        begun.append(size)
        if len(begun) == PRESSED_AFTER:
            raise KeyboardInterrupt

    patch.setattr(Downloads, "advance", advance)

"""Merge adapters into a checkpoint of each kind and note what they then answer: `python -m ... FOLDER`."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from blip_core.modeling import attach_adapter, load_blip2, save_adapter
from blip_core.modeling.merging import merge_adapter
from blip_core.modeling.text import prompt_ids
from blip_core.pocket import models_dir
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from tests.layouts import blip2_flan_t5, blip2_opt
from tests.transformers4.questions import QUESTION


def main(out: Path) -> None:
    layouts = {"flan-t5": blip2_flan_t5, "opt": blip2_opt}
    for name, layout in layouts.items():
        layout.build(out / "bases" / name)
    bases = {name: out / "bases" / name for name in layouts}
    bases |= {f"pocket-{name}": models_dir() / f"blip2-{name}" for name in ("t5", "opt")}
    for name, base in bases.items():
        adapter = _tuned(base, out / "adapters" / name)
        merge_adapter(adapter, Checkpoint(id=str(base)), base, out / "merged" / name)
        save_file(_answers(out / "merged" / name), out / "merged" / name / "expected.safetensors.note")


def _tuned(base: Path, folder: Path) -> Path:
    bundle = attach_adapter(load_blip2(base), Adapter(preset="qformer", r=4), seed=0)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in bundle.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.1)
    return save_adapter(bundle, folder, Checkpoint(id=str(base)))


@torch.no_grad()
def _answers(folder: Path) -> dict[str, torch.Tensor]:
    bundle = load_blip2(folder)
    size = bundle.blip2.config.vision_config.image_size
    pixels = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([prompt_ids(bundle, QUESTION)])
    start = torch.zeros(1, 1, dtype=torch.long)
    more = {"decoder_input_ids": start} if bundle.family == "t5" else {}
    logits = bundle.blip2(pixel_values=pixels, input_ids=ids, **more).logits
    return {"pixels": pixels, "ids": ids, "logits": logits, **({"start": start} if more else {})}


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

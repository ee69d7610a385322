"""Open what `write` left under transformers 4, without this project: `python -m ... FOLDER`."""

import sys
from pathlib import Path

import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from transformers import Blip2ForConditionalGeneration, Blip2Processor

from tests.transformers4.questions import QUESTION

TOLERANCE = 1e-4  # as a share of the largest logit, as merging itself allows


def main(out: Path) -> None:
    version = transformers.__version__
    assert version.startswith("4."), version
    folders = sorted((out / "merged").iterdir())
    assert folders
    for folder in folders:
        print(f"{folder.name}: transformers {version}, logits differ by {_check(folder):.1e} of the largest")  # noqa: T201


@torch.no_grad()
def _check(folder: Path) -> float:
    kept = load_file(folder / "expected.safetensors.note")
    processor = Blip2Processor.from_pretrained(folder)
    picture = Image.new("RGB", (20, 20), "red")
    assert processor(images=picture, text=QUESTION, return_tensors="pt")["input_ids"].equal(kept["ids"])
    model = Blip2ForConditionalGeneration.from_pretrained(folder).eval()
    more = {"decoder_input_ids": kept["start"]} if "start" in kept else {}
    logits = model(pixel_values=kept["pixels"], input_ids=kept["ids"], **more).logits
    moved = float((logits - kept["logits"]).abs().max() / kept["logits"].abs().max())
    assert moved <= TOLERANCE, f"{folder.name}: {moved:.2g}"
    return moved


if __name__ == "__main__":
    main(Path(sys.argv[1]))

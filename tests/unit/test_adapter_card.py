"""The card of an adapter: its lines are executed as they stand, in a process that knows nothing of us."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from blip_core.adapter_card import (
    NO_LORA,
    CardDifference,
    CardLineage,
    CardScore,
    card_scores,
    read_facts,
    write_card,
)
from blip_core.errors import CheckpointError
from blip_core.modeling import attach_adapter, load_adapter, load_blip2, save_adapter
from blip_core.modeling.features import decode_picture, pixel_values
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import tokenise_prompts
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from tests.tiny_blip2 import FolderOf, MakeExamples

HUB = Checkpoint(id="Salesforce/blip2-flan-t5-xl", revision="abc123", dtype="bfloat16")
TEXT = "Which one is in the park?"
CASES = {
    "t5-qformer": ("t5", Adapter(preset="qformer", r=4)),
    "opt-language": ("opt", Adapter(preset="language-attention", r=4)),
    "t5-queries": ("t5", Adapter(preset="projection-queries")),
    "opt-whole": ("opt", Adapter(preset="language-model")),
    "t5-whole": ("t5", Adapter(preset="language-model", full=("query_tokens",))),
    "instructblip": ("instructblip_vicuna", Adapter(preset="qformer", r=4)),
    "opt-mixed": ("opt", Adapter(preset="qformer-attention", r=4, full=("language_projection",))),
}
# What follows the lines of the card: the picture and the question in, logits out.
ASK = """
import torch
from PIL import Image
from safetensors.torch import save_file

inputs = processor(images=Image.open(PICTURE), text=TEXT, return_tensors="pt")
if model.config.text_config.is_encoder_decoder:
    inputs["decoder_input_ids"] = torch.zeros(1, 1, dtype=torch.long)
with torch.no_grad():
    save_file({"logits": model(**inputs).logits, "pixels": inputs["pixel_values"]}, OUT)
"""

# What we make of the same: in that process, afterwards, since other tests change how this one computes.
OURS = """
from pathlib import Path
from safetensors.torch import load_file, save_file
from blip_core.modeling import load_adapter, load_blip2
from tests.unit.test_adapter_card import _logits

bundle = load_adapter(load_blip2(Path(BASE)), Path(ADAPTER))
save_file({"logits": _logits(bundle, load_file(OUT)["pixels"])}, OUT + ".ours")
"""


@pytest.fixture
def saved(tiny_blip2: FolderOf, tmp_path: Path) -> dict[str, Path]:
    """A moved adapter of every case, tuned on a base of the test's own."""
    return {
        name: _save(tiny_blip2(family), adapter, tmp_path / name) for name, (family, adapter) in CASES.items()
    }


def _save(base: Path, adapter: Adapter, folder: Path) -> Path:
    bundle = attach_adapter(load_blip2(base), adapter, seed=0)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return save_adapter(bundle, folder, Checkpoint(id=str(base)))


@pytest.mark.slow
def test_the_lines_of_the_card_give_the_logits_that_we_get(
    saved: dict[str, Path], tiny_blip2: FolderOf, make_examples: MakeExamples, tmp_path: Path
) -> None:
    example = make_examples(1)[0]
    picture = tmp_path / "picture.png"
    picture.write_bytes(example.image)
    scripts, ours = [], []

    def logits_of(name: str) -> Path:
        return tmp_path / f"{name}.logits"

    for name, (family, _) in CASES.items():
        lines = _python_of((saved[name] / "README.md").read_text())
        places = f"BASE, ADAPTER = {str(tiny_blip2(family))!r}, {str(saved[name])!r}"
        lines, replaced = re.subn(r"^BASE, ADAPTER = .*$", places, lines, flags=re.MULTILINE)
        assert replaced == 1
        given = f"PICTURE, TEXT, OUT = {str(picture)!r}, {TEXT!r}, {str(logits_of(name))!r}\n"
        scripts.append(given + lines + ASK)
        ours.append(f"{places}\n{given}{OURS}")
    _execute([*scripts, *ours], tmp_path / "script.py")

    for name, (family, _) in CASES.items():
        theirs = load_file(logits_of(name))
        bundle = load_adapter(load_blip2(tiny_blip2(family)), saved[name])
        assert torch.equal(theirs["pixels"], pixel_values(bundle, [decode_picture(example)]))
        assert torch.equal(theirs["logits"], load_file(f"{logits_of(name)}.ours")["logits"]), name


def _python_of(card: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def _execute(scripts: list[str], path: Path) -> None:
    """Run every script in a fresh process, one after the other, each in a namespace of its own."""
    path.write_text(f"for script in {scripts!r}:\n    exec(script, {{}})\n")
    done = subprocess.run(
        [sys.executable, str(path)], cwd=path.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@torch.no_grad()
def _logits(bundle: Blip2Bundle, pixels: torch.Tensor) -> torch.Tensor:
    (prompt,) = tokenise_prompts(bundle, [TEXT])
    ids = torch.tensor([prompt.ids])
    inputs = {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if prompt.instruction:
        inputs["qformer_input_ids"] = torch.tensor([prompt.instruction])
    if bundle.family == "t5":
        inputs["decoder_input_ids"] = torch.zeros(1, 1, dtype=torch.long)
    logits: torch.Tensor = bundle.blip2(**inputs).logits
    return logits


def test_the_card_names_base_revision_and_type(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    bundle = attach_adapter(load_blip2(tiny_blip2("t5"), "nf4"), CASES["t5-queries"][1], seed=0)
    save_adapter(bundle, tmp_path, HUB, notes="Tuned on ten rows.")
    card = (tmp_path / "README.md").read_text()

    assert f"base_model: {HUB.id}\n" in card
    assert f'BASE, ADAPTER = "{HUB.id}", "."' in card
    assert 'from_pretrained(BASE, dtype="bfloat16", revision="abc123")' in card
    assert "1,184 trained parameters: `language_projection`, `query_tokens` trained in full" in card
    assert "quantisation while tuning: `nf4`" in card
    assert "Tuned on ten rows." in card
    assert "## Scores" not in card
    facts = read_facts(tmp_path)
    assert facts is not None
    assert facts.checkpoint == HUB


def test_a_card_names_no_path_of_the_machine_that_wrote_it(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    folder = _save(tiny_blip2("t5"), CASES["t5-qformer"][1], tmp_path / "adapter")
    card = (folder / "README.md").read_text()

    assert str(tiny_blip2("t5").parent) not in card
    assert "base_model:" not in card


def test_scores_and_lineage_are_added_when_they_are_known(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    folder = _save(tiny_blip2("t5"), CASES["t5-qformer"][1], tmp_path / "adapter")
    before = (folder / "README.md").read_text()
    scores = [CardScore("flan-t5", 0.5, 0.45, 0.55, 400), CardScore("finetuned", 0.6, 0.55, 0.65, 400)]
    differences = [CardDifference("finetuned", "flan-t5", 0.1, 0.05, 0.15, 0.0002, is_adjusted=True)]
    lineage = CardLineage(dataset="d1", recipe="gallery-vqa", profile="pocket", seed=0, commit="c2")

    other = write_card(folder, scores, differences, lineage, tmp_path / "CARD.md").read_text()

    assert (folder / "README.md").read_text() == before  # an adapter in a store never changes
    assert "| finetuned | 0.600 | 0.550 to 0.650 | 400 |" in other
    assert "finetuned less flan-t5: +10.0 points, 95 % interval +5.0 to +15.0, adjusted p < 0.001" in other
    assert "- dataset: `d1`" in other
    assert "- seed: `0`" in other
    assert _python_of(other) == _python_of(before)
    write_card(folder, scores)
    assert "| flan-t5 |" in (folder / "README.md").read_text()


def test_a_card_takes_what_a_run_scored() -> None:
    accuracy = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    comparison = {"a": "x", "b": "y", "difference": 0.1, "low": 0.0, "high": 0.2, "p_value": 0.01}
    told: dict[str, Any] = {"variants": {"x": {"accuracy": accuracy}}, "comparisons": [comparison]}

    assert card_scores(told) == (
        [CardScore("x", 0.5, 0.4, 0.6, 10)],
        [CardDifference("y", "x", 0.1, 0.0, 0.2, 0.01)],
    )
    told["comparisons"] = [comparison | {"p_adjusted": 0.03}]
    assert card_scores(told)[1] == [CardDifference("y", "x", 0.1, 0.0, 0.2, 0.03, is_adjusted=True)]


def test_an_adapter_made_elsewhere_keeps_its_own_card(tmp_path: Path) -> None:
    assert read_facts(tmp_path) is None

    with pytest.raises(CheckpointError, match="was not made here"):
        write_card(tmp_path)


def test_an_adapter_without_lora_is_known_by_the_name_that_peft_gives_it() -> None:
    from peft.utils.constants import DUMMY_TARGET_MODULES

    assert NO_LORA == DUMMY_TARGET_MODULES


def test_facts_that_lack_something_are_named(tmp_path: Path) -> None:
    (tmp_path / "foundry.json").write_text(json.dumps({"base": "x"}))

    with pytest.raises(CheckpointError, match="does not say revision, dtype"):
        read_facts(tmp_path)

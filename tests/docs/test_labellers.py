"""The labellers that the page compares can be compared."""

from blip_core.recipes import load_recipe
from tests.docs.documents import ROOT, blocks


def test_the_profile_shown_labels_the_same_pictures_with_two_checkpoints(tmp_path):
    (text,) = blocks(ROOT / "docs/how-to/compare-labellers.md", "toml")
    file = tmp_path / "two-labellers.toml"
    file.write_text(text, encoding="utf-8")
    recipe = load_recipe("gallery-vqa", str(file))
    first, second = (recipe.in_phase(phase) for phase in recipe.phases)
    assert first.digest("scenes", "pictures", "seed") == second.digest("scenes", "pictures", "seed")
    assert first.labels.model.id == "llava-hf/llava-1.5-7b-hf"
    assert second.labels.model.id == "Qwen/Qwen3-VL-8B-Instruct"

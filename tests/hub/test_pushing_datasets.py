"""A dataset goes to a hub of the test's own, dry by default, with a card that the hub's libraries read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import load_dataset
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from blip_core.dataset import write_dataset
from blip_core.dataset.hub_card import check_card, hub_card
from blip_core.dataset.origin import Origin, UsedCheckpoint, without_machine
from blip_core.dataset.pushing import plan_upload, viewer_fault
from blip_core.errors import EmptyDataset, UserMistake
from blip_core.recipes import load_recipe
from blip_core.uploading import push
from tests.commands import foundry
from tests.unit.examples import example, png, world_pixels
from tests.unit.grown_store import GrownStore

NAME = "owner/gallery"
HOSTILE = 'ends | a cell ```\n---\n![x](http://evil) <script> \u2028 "quoted": {'
ORIGIN = Origin(
    "d" * 64,
    "gallery-vqa",
    "pocket",
    (UsedCheckpoint("labels", "llava-hf/llava-1.5-7b-hf", "abc123", "Llama 2 community licence"),),
    {"labels": {"prompt": "~~~\n" + HOSTILE, "temperature": 0.7}},
    {"blind": {"accuracy": 0.26}},
)


def dataset(folder: Path, count: int = 12, splits=("train", "train", "test"), *overrides: str) -> Path:
    rows = [
        replace(example(number, image=png(world_pixels(number))), question=f"{number} {HOSTILE}")
        for number in range(count)
    ]
    placed = {row.id: splits[place % len(splits)] for place, row in enumerate(rows)}
    write_dataset(folder, rows, [], placed, load_recipe("gallery-vqa", overrides=[*overrides]), {})
    return folder


@pytest.fixture
def login(stand_in, monkeypatch) -> None:
    monkeypatch.setattr("blip_core.uploading.get_token", lambda: stand_in.login)
    monkeypatch.setenv("HF_TOKEN", stand_in.login)


@pytest.mark.usefixtures("login")
def test_what_was_pushed_loads_whole_and_as_a_stream_with_its_features_declared(stand_in, tmp_path):
    folder = dataset(tmp_path / "set")
    (folder / "notes.txt").write_text("not ours to give away")
    upload = plan_upload(folder, hub_card(folder, ORIGIN), tmp_path / "scratch", NAME, is_private=True)

    url = push(upload, stand_in.url)

    assert url == f"{stand_in.url}/{NAME}/commit/1"
    assert (stand_in.private, stand_in.datasets) == ({NAME}, {NAME})
    copy = tmp_path / "copy"
    for name, content in stand_in.sent[NAME].items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    assert {path.name for path in copy.iterdir()} == {"README.md", "data", "rejects.parquet", "samples"}
    loaded = load_dataset(str(copy), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 8, "test": 4}
    streamed = next(iter(load_dataset(str(copy), split="test", streaming=True)))
    assert streamed["image"].size == (64, 64)
    declared = DatasetInfosDict.from_dataset_card_data(DatasetCard.load(copy / "README.md").data)["default"]
    assert declared.features == loaded["train"].features
    assert declared.splits["test"].num_examples == 4


def test_a_card_tells_checkpoints_settings_measures_and_samples_whatever_the_texts_hold(tmp_path):
    card = hub_card(dataset(tmp_path / "set"), ORIGIN)

    assert "| labels | llava-hf/llava-1.5-7b-hf | abc123 | Llama 2 community licence |" in card.text
    assert "| blind | accuracy | 0.26 |" in card.text
    for heading in ("Splits", "Features", "Gates", "Balance", "Checkpoints", "Samples", "Limits"):
        assert card.text.count(f"\n## {heading}\n") == 1
    assert all(f"![{name}]({name})" in card.text for name in card.pictures)
    assert len(card.pictures) == 6
    shown = card.text.replace(json.dumps(HOSTILE)[1:-1], "")  # where the prompt stands, in a block of JSON
    assert "<script>" not in shown
    assert "![x](http" not in shown
    settings = card.text.split("~~~~~json\n")[1].split("\n~~~~~")[0]
    assert json.loads(settings) == ORIGIN.settings["labels"]
    configs = MetadataConfigs.from_dataset_card_data(DatasetCard(card.text).data)
    assert [one["split"] for one in configs["default"]["data_files"]] == [
        "train",
        "test",
    ]  # none without rows


def test_a_card_of_ones_own_keeps_what_was_written_into_it(tmp_path):
    folder = dataset(tmp_path / "set")
    path = folder / "README.md"
    path.write_text(
        path.read_text().replace("license: other", "license: cc-by-4.0") + "\n## Thanks\n\nTo all.\n"
    )

    card = hub_card(folder, ORIGIN)

    assert "\n## Thanks\n\nTo all.\n" in card.text
    assert DatasetCard(card.text).data["license"] == "cc-by-4.0"


@pytest.mark.parametrize("matter", ["license: [", "- a list", "configs: 3"])
def test_a_front_matter_that_cannot_be_read_is_one_sentence(tmp_path, matter):
    folder = dataset(tmp_path / "set")
    (folder / "README.md").write_text(f"---\n{matter}\n---\n# Rows\n")
    if matter.startswith("configs"):
        assert MetadataConfigs.from_dataset_card_data(DatasetCard(hub_card(folder, ORIGIN).text).data)
    else:
        with pytest.raises(UserMistake, match=r"front matter of .*README.md cannot be read"):
            hub_card(folder, ORIGIN)


def test_a_card_without_features_or_files_is_not_what_the_hub_reads():
    for text in ("# No front matter", "---\nconfigs: 3\n---\n", "---\nlicense: mit\n---\n"):
        with pytest.raises(UserMistake, match="front matter is not what the hub reads"):
            check_card(text)


def test_files_that_the_viewer_cannot_show_are_refused_before_anything_is_sent(tmp_path, monkeypatch):
    folder = dataset(tmp_path / "set")
    card = hub_card(folder, ORIGIN)
    assert all(viewer_fault(path) == "" for path in (folder / "data").glob("t*.parquet"))
    monkeypatch.setattr("blip_core.dataset.pushing.MAX_GROUP_ROWS", 7)
    with pytest.raises(
        UserMistake, match=r"train-00000-of-00001.parquet, whose row groups have up to 8 rows"
    ):
        plan_upload(folder, card, tmp_path / "scratch", NAME, is_private=False)


@pytest.mark.usefixtures("login")
def test_a_card_that_the_hub_refuses_is_told_with_its_reason(stand_in, tmp_path):
    folder = dataset(tmp_path / "set")
    stand_in.refuses_card = '"license" must be one of the list'
    upload = plan_upload(folder, hub_card(folder, ORIGIN), tmp_path / "scratch", NAME, is_private=False)
    with pytest.raises(UserMistake, match=r"(?s)does not take the card: .*must be one of the list"):
        push(upload, stand_in.url)
    assert stand_in.sent[NAME] == {}


def test_a_dataset_without_rows_is_not_pushed(tmp_path):
    folder = dataset(tmp_path / "set", 3)
    for path in (folder / "data").glob("t*.parquet"):
        path.unlink()
    with pytest.raises(EmptyDataset, match="no rows"):
        hub_card(folder, ORIGIN)


def test_settings_tell_nothing_of_the_machine_they_were_used_on():
    told = without_machine(
        {
            "model": {"url": "http://10.0.0.7:8000/v1", "served_model": "qwen", "key_variable": "SECRET"},
            "models": [{"id": "/home/me/models/llava", "dtype": "float16"}, {"id": "owner/name"}],
            "path": "/home/me/pictures",
        }
    )
    assert told == {
        "model": {"served_model": "qwen"},
        "models": [{"id": "a local folder, llava", "dtype": "float16"}, {"id": "owner/name"}],
    }


def test_the_command_sends_nothing_unless_it_is_told_to(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    grown = GrownStore(tmp_path / "home" / "store")
    card = tmp_path / "card.md"

    done = foundry("datasets", "push", grown.dataset.digest[:8], NAME, "--card", str(card), "--json")

    assert done.code == 0, done.err
    assert (done.told["commit"], done.told["digest"]) == (None, grown.dataset.digest)
    assert (
        "| scenes | pocket/writer | files wwwwwwwwwwww | Apache-2.0, as blip-foundry itself |"
        in card.read_text()
    )
    assert stand_in.asked == []
    assert "EVERYBODY can read" in foundry("datasets", "push", "gallery-vqa", NAME).out
    assert foundry("datasets", grown.dataset.digest[:6], "--json").told["key"] == grown.dataset.key
    assert foundry("datasets", "push", "gallery-vqa", "no-owner").code == 2

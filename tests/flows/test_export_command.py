"""`foundry export` on a small store."""

import shutil

import pytest

from blip_core.exporting import format_names
from flows.cli.commands.export import FORMATS
from tests.commands import foundry
from tests.unit.grown_store import GrownStore


@pytest.fixture
def grown(home):
    return GrownStore(home / "store")


def test_the_command_names_the_formats_there_are():
    assert list(FORMATS) == format_names()


def test_a_dataset_is_named_by_folder_digest_key_or_recipe(grown, tmp_path):
    copy = shutil.copytree(grown.dataset.path, tmp_path / "copy")
    names = (str(copy), grown.dataset.digest[:8], grown.dataset.key, "gallery-vqa")
    for number, name in enumerate(names):
        done = foundry("export", name, "--to", "llava", "--out", str(tmp_path / str(number)), "--json")
        assert done.code == 0, done.err
        assert done.told["digest"] == grown.dataset.digest
        assert sum(done.told["rows"].values()) == grown.dataset.rows


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (["gallery-vqa", "--to", "csv"], "no export format 'csv'"),
        (
            ["gallery-vqa", "--to", "trl", "--split", "dev"],
            "no split 'dev'; allowed: train, validation, test",
        ),
        (["ffffff", "--to", "trl"], "no dataset here has a digest that begins with 'ffffff'"),
    ],
)
def test_what_is_typed_wrongly_is_one_sentence(grown, typed, why):
    done = foundry("export", *typed)
    assert done.code == 2
    assert why in done.err
    assert len(done.err.splitlines()) == 1


def test_a_folder_without_a_dataset_is_one_sentence(home, tmp_path):
    done = foundry("export", str(tmp_path), "--to", "trl")
    assert (done.code, "has no folder data" in done.err) == (2, True)

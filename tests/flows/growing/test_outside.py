"""A folder that gained pictures: earlier rows stay, and only what is new is labelled."""

from blip_core.dataset.comparing import compare_datasets
from tasks.build_dataset import build_dataset
from tasks.label_pictures import label_pictures
from tasks.read_pictures import read_pictures
from tasks.stage import path_of
from tests.faults.doubles import SeededLabeller
from tests.flows.growing.small import STEP, small
from tests.unit.examples import png, world_pixels


def fill(folder, numbers):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number:04}.png").write_bytes(png(world_pixels(number)))


def made(recipe):
    pictures = read_pictures.task.fn(recipe=recipe)
    labels = label_pictures.task.fn(recipe=recipe, pictures=pictures)
    return path_of(build_dataset.task.fn(recipe=recipe, pictures=pictures, labels=labels))


def test_pictures_that_come_later_leave_earlier_rows_as_they_are(home, tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    recipe = small(tmp_path, "source.kind=folder", f"source.path={folder}")
    before = 5 * STEP + 2  # the last shard is not full
    fill(folder, range(before))
    first = made(recipe)
    asked = []
    label = SeededLabeller.label

    def counted(self, pictures, prompts, seeds):
        asked.extend(seeds)
        return label(self, pictures, prompts, seeds)

    monkeypatch.setattr(SeededLabeller, "label", counted)
    fill(folder, range(before, before + 2 * STEP))
    found = compare_datasets(first, made(recipe))
    assert found.extends
    assert found.added
    most = (2 * STEP + 2) * recipe.labels.per_picture * (recipe.labels.retries + 1)
    assert 0 < len(asked) <= most

"""The rows that judge, which are to be kept out of what is learnt."""

from collections.abc import Iterator
from pathlib import Path

from blip_core.dataset import read_split
from blip_core.dataset.reading import DATA
from blip_core.errors import TableError
from blip_core.recipes import Recipe
from blip_core.recipes.curation import DatasetRows, Decontamination
from blip_core.records import Example
from blip_core.sources.digests import content_digest
from blip_core.sources.unchanged import file_digest
from blip_core.wiring.evaluation import evaluation_examples, evaluation_identity


class JudgingRows:
    """Rows of a recipe's evaluation, where it is no split of the dataset itself, and of what a gate names."""

    def __init__(self, recipe: Recipe, settings: Decontamination) -> None:
        own = [] if recipe.evaluation.kind == "split" else [recipe.evaluation]
        further = [one for one in settings.against if not isinstance(one, DatasetRows)]
        self._recipe = recipe
        self._views = [recipe.model_copy(update={"evaluation": one}) for one in (*own, *further)]
        self._folders = [one for one in settings.against if isinstance(one, DatasetRows)]

    def rows(self) -> Iterator[Example]:
        """Each row that judges; see `HeldOutRows`.

        Raises:
            TableError: Some of them cannot be read.
        """
        for view in self._views:
            yield from evaluation_examples(view)
        for one in self._folders:
            for split in one.splits:
                yield from read_split(_folder(one), split)

    def identity(self) -> list[str]:
        """What changes when a row that judges does.

        Raises:
            TableError: Some of them cannot be read.
        """
        return [
            *(evaluation_identity(view, "") for view in self._views),
            *(_digest(one) for one in self._folders),
        ]

    def close(self) -> None:
        """Nothing is held open."""


def _folder(one: DatasetRows) -> Path:
    return Path(one.path).expanduser()


def _digest(one: DatasetRows) -> str:
    """Digest of the files of a dataset folder.

    Raises:
        TableError: There is no such folder, or no such split in it.
    """
    folder = _folder(one)
    if not (folder / DATA).is_dir():
        raise TableError(
            f"curation.decontamination.against names {one.path}, which is no dataset folder: it "
            f"has no {DATA}/"
        )
    paths = {split: sorted((folder / DATA).glob(f"{split}-*.parquet")) for split in one.splits}
    lacking = next((split for split, found in paths.items() if not found), None)
    if lacking:
        raise TableError(
            f"curation.decontamination.against names the split {lacking} of {one.path}: it has none"
        )
    return content_digest({split: [file_digest(path) for path in found] for split, found in paths.items()})

"""Rows that gates refused, read again from what a dataset was made of: it keeps their reasons alone."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from pydantic import TypeAdapter

from blip_core.curation import STAGE
from blip_core.dataset.reading import split_files, splits_there
from blip_core.dataset.writing import REJECTS
from blip_core.errors import TableError, UnknownArtifact
from blip_core.kinds import Kind, kind_of
from blip_core.recipes.source import Source
from blip_core.records import Example, Label, Picture, Rejection
from blip_core.store import Artifact, iter_rows, read_rows
from blip_core.wiring import workplace
from flows.rows.named_dataset import NamedDataset
from tasks import collect_rows, label_pictures, paint_pictures
from tasks.build_dataset import to_examples
from tasks.read_table import TEXTS, digest_of_texts, own_texts

_SOURCE: TypeAdapter[Source] = TypeAdapter(Source)


@dataclass(frozen=True)
class RefusedRows:
    """What gates refused of a dataset.

    Attributes:
        dataset: that the gates made, or people after them.
    """

    dataset: NamedDataset

    @cached_property
    def why(self) -> Mapping[str, Rejection]:
        """Why each was refused, by its id; empty where the dataset keeps no list."""
        path = self.dataset.folder / REJECTS
        found = iter_rows(path, Rejection) if path.is_file() else iter(())
        return {one.id: one for one in found if one.stage == STAGE}

    def rows(self) -> Iterator[Example]:
        """The rows themselves, as they came to the gates.

        Raises:
            UnknownArtifact: What they would be read from is no longer there, or never was.
            TableError: The table that they come from has changed.
        """
        return (row for row in self._judged() if row.id in self.why)

    def _judged(self) -> Iterator[Example]:
        """All rows that came to the gates."""
        curated = self._curated()
        made_from = curated.metadata.get("made_from", {})
        if "rows" in made_from:
            return iter_rows(self._part(made_from["rows"]).path / collect_rows.FILE, Example)
        if "labels" in made_from:
            pictures, labels = self._part(made_from["pictures"]), self._part(made_from["labels"])
            painted = read_rows(pictures.path / paint_pictures.FILE, Picture)
            said = read_rows(labels.path / label_pictures.FILE, Label)
            return iter(to_examples(self._task(curated), painted, said))
        if TEXTS in curated.metadata:
            return iter(self._of_table(curated.metadata))
        raise UnknownArtifact(
            f"{self.dataset.folder} does not say what its rows were read from, so that those which gates "
            "refused cannot be shown; make the dataset anew"
        )

    def _curated(self) -> Artifact:
        """The dataset that came from the gates: itself, or what people reviewed."""
        found = self.dataset.artifact
        while found is not None and "review" in found.metadata:
            found = self._part(found.metadata.get("made_from", {}).get("dataset", ""))
        if found is None:
            raise UnknownArtifact(
                f"{self.dataset.folder} is none of the store's, which alone knows what gates refused: name "
                "the dataset by its digest"
            )
        return found

    def _part(self, key: str) -> Artifact:
        found = workplace().store.find(key) if key else None
        if found is None:
            raise UnknownArtifact(
                f"what the dataset {self.dataset.digest[:12]} was made of is no longer in the store, so that "
                "rows which gates refused cannot be shown; run its recipe again"
            )
        return found

    @staticmethod
    def _task(dataset: Artifact) -> str:
        files = chain.from_iterable(split_files(dataset.path, split) for split in splits_there(dataset.path))
        return next(row.task for path in files for row in iter_rows(path, Example))

    @staticmethod
    def _of_table(metadata: Mapping[str, Any]) -> list[Example]:
        told = metadata[TEXTS]
        source = _SOURCE.validate_python(metadata["settings"]["source"])
        asked = _Texts(source, str(told["task"]), int(metadata["settings"]["seed"]))
        if digest_of_texts(asked) != told["digest"]:
            raise TableError(
                f"the {source.kind} that the rows were read from has changed since; rows which gates refused "
                "cannot be shown: make the dataset anew"
            )
        return own_texts(asked, {}).examples


def refused_among(dataset: NamedDataset, ids: Collection[str]) -> dict[str, Example]:
    """The rows of some ids that gates refused; nothing is read where there are none.

    Raises:
        UnknownArtifact: See `RefusedRows.rows`.
        TableError: See there.
    """
    refused = RefusedRows(dataset)
    wanted = refused.why.keys() & set(ids)
    return {row.id: row for row in refused.rows() if row.id in wanted} if wanted else {}


@dataclass(frozen=True, slots=True)
class _Texts:
    source: Source
    task: str
    seed: int

    @property
    def kind(self) -> Kind:
        return kind_of(self.task)

"""Rows that people look at, and the version of a dataset that their decisions make."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.annotating.decisions import SHOWN, read_decisions
from blip_core.dataset.finding import iter_texts
from blip_core.dataset.reading import split_files, splits_there
from blip_core.errors import UnknownArtifact, UserMistake
from blip_core.records import Example, Prediction
from blip_core.reviewing import (
    GATE,
    Applied,
    Reviewed,
    ReviewPage,
    Splitting,
    apply_review,
    check_review,
    choose,
    write_page,
)
from blip_core.reviewing.bringing_back import BRIDGES
from blip_core.reviewing.carrying import settled
from blip_core.reviewing.choosing import Of
from blip_core.reviewing.verdicts import Disputed
from blip_core.store import Artifact, ArtifactRef, iter_rows
from blip_core.store.decided import DecidedRows
from blip_core.store.lineage import Lineage
from blip_core.store.versions import line_holding
from blip_core.wiring import workplace
from flows.rows.named_dataset import NamedDataset, named_dataset
from flows.rows.refused import RefusedRows, refused_among
from tasks.chosen import chosen
from tasks.collect_rows import FILE
from tasks.predict_variant import FILE as PREDICTIONS

_VERSION = 2
_BETWEEN = ("annotated", "rows")  # kinds of artefacts that a recipe's step `review` is about
_WORDS = {
    "sample": "a sample",
    "doubted": "those of the lowest score first",
    "disagreed": "those that models answered otherwise",
    "refused": "some that gates refused; K brings a row back",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to look at.

    Attributes:
        name: for people.
        digest: that decisions about them name.
        files: with the rows, in order.
        artifact: of the store; None for a folder from elsewhere.
        refused: what gates refused of them; None where no gate saw them yet.
    """

    name: str
    digest: str
    files: Sequence[Path]
    artifact: Artifact | None
    refused: RefusedRows | None = None

    def texts(self) -> Iterator[Example]:
        for path in self.files:
            yield from iter_texts(path)

    def rows(self) -> Iterator[Example]:
        for path in self.files:
            yield from iter_rows(path, Example)


def source_of(name: str) -> Source:
    """The rows of that name: a dataset's, or those before a recipe's step `review`.

    Raises:
        UnknownArtifact: There are none.
    """
    try:
        found = named_dataset(name)
    except UnknownArtifact:
        for kind in _BETWEEN:
            if between := _between(kind, name):
                return between
        raise
    files = [path for split in splits_there(found.folder) for path in split_files(found.folder, split)]
    recipe = found.artifact.metadata.get("recipe") if found.artifact else None
    name_shown = str(recipe or found.folder.name)
    return Source(name_shown, found.digest, files, found.artifact, RefusedRows(found))


def make_page(source: Source, of: Of, count: int, by: str, seed: int, out: Path) -> int:
    """Write the page for some rows; gives how many."""
    refused = source.refused if of == "refused" else None
    why = refused.why.values() if refused else ()
    chosen_rows = choose(source.texts, of, count, by, _predictions(source), seed, why)
    page = ReviewPage(
        title=f"Review of {source.name} {source.digest[:SHOWN]}",
        digest=source.digest,
        chosen=chosen_rows,
        why=f"{len(chosen_rows)} rows: {_WORDS[of]}.",
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_page(page, refused.rows() if refused else source.rows(), out)
    return len(chosen_rows)


def read_review(files: Sequence[Path], dataset: str, disputed: Disputed) -> tuple[NamedDataset, Reviewed]:
    """Files of decisions, held against the dataset that they are about.

    Args:
        files: one a reviewer.
        dataset: a dataset by name; empty, the one that the first file names.
        disputed: what becomes of rows that as many kept as dropped, or mended otherwise.
    """
    decisions = [read_decisions(path.expanduser()) for path in files]
    if not decisions:
        raise UserMistake("no file of decisions was named; the page writes one with the key W")
    found = named_dataset(dataset or decisions[0].rows)
    decided = {name for one in decisions for name in one.lines}
    refused = refused_among(found, decided)
    reviewed = check_review(found.folder, found.digest, decisions, disputed, refused)
    if not reviewed.verdicts:
        named = ", ".join(str(one.path) for one in decisions)
        raise UserMistake(
            f"{named} decides about no row, so that there is nothing to apply; keep, mend or drop some on "
            "the page, and write the file with the key W"
        )
    return found, reviewed


def publish_review(
    dataset: NamedDataset, reviewed: Reviewed, disputed: Disputed
) -> tuple[ArtifactRef, dict[str, Any]]:
    """Make the new version, which names its parent; gives it and what was done."""
    told: dict[str, Any] = {}
    splitting = Splitting.of(dataset.artifact.metadata if dataset.artifact else {})

    def made(folder: Path) -> Applied:
        return apply_review(dataset.folder, reviewed, folder, splitting)

    def build(folder: Path) -> dict[str, Any]:
        told.update(_metadata(dataset, reviewed, made(folder)))
        return told

    store = workplace().store
    inputs = {
        "version": _VERSION,
        "reviewed": dataset.digest,
        "verdicts": hashlib.sha256(_canonical(reviewed).encode()).hexdigest(),
        "disputed": disputed,
    }
    version = store.publish(store.key("dataset", inputs), "dataset", build)
    return version.ref(), dict(version.metadata["review"])


def keep_decisions(dataset: NamedDataset, reviewed: Reviewed) -> str:
    """Let later versions of a dataset that grows obey a review; gives the name of its line, or nothing.

    Raises:
        StoreError: A run extends it at this moment.
    """
    store = workplace().store
    line = line_holding(store, _digests(dataset))
    if line is None:
        return ""
    with line.alone():
        DecidedRows(store, line.key).add(settled(reviewed.verdicts))
    return line.name


def _digests(dataset: NamedDataset) -> set[str]:
    """Of a dataset and of those that people reviewed before it."""
    found, one = {dataset.digest}, dataset.artifact
    while one is not None and "review" in one.metadata:
        found.add(str(one.metadata.get("parent", "")))
        one = workplace().store.peek(one.metadata.get("made_from", {}).get("dataset", ""))
    return found


def _between(kind: str, name: str) -> Source | None:
    try:
        ref = chosen(kind, name)
    except UnknownArtifact:
        return None
    artifact = workplace().store.find(ref.key)
    return Source(f"{kind} rows", ref.digest, [artifact.path / FILE], artifact) if artifact else None


def _predictions(source: Source) -> Iterator[Prediction]:
    """What models said of these rows, as far as the store holds it."""
    if source.artifact is None:
        return
    for one in Lineage(workplace().store.artifacts()).of_kind("predictions"):
        if source.artifact.key in one.metadata.get("made_from", {}).values():
            yield from iter_rows(one.path / PREDICTIONS, Prediction)


def _metadata(dataset: NamedDataset, reviewed: Reviewed, done: Applied) -> dict[str, Any]:
    before = dict(dataset.artifact.metadata) if dataset.artifact else {}
    rejected = Counter(before.get("rejected", {})) + done.dropped - done.returned
    rejected += Counter({BRIDGES: done.bridges})
    dropped = sum(done.dropped.values())
    gate = {"gate": GATE, "seen": len(reviewed.verdicts), "refused": dropped}
    return {
        **before,
        "rows": done.rows,
        "splits": done.splits,
        "rejected": dict(sorted(rejected.items())),
        "gates": [*before.get("gates", ()), gate],
        "parent": dataset.digest,
        "review": {
            "reviewers": sorted(reviewed.files),
            "kept": done.kept,
            "mended": done.mended,
            "dropped": dropped,
            "back": done.back,
            "agreement": [asdict(one) for one in reviewed.agreement],
        },
        "made_from": {"dataset": dataset.artifact.key} if dataset.artifact else {},
    }


def _canonical(reviewed: Reviewed) -> str:
    told = [{"decision": dict(one.decision), "reason": one.reason} for one in reviewed.verdicts.values()]
    return strict_json.dumps(told, sort_keys=True)

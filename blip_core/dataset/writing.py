"""Writes a dataset folder: Parquet by split, rejected rows, and the card."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa

from blip_core.curation import GateCount
from blip_core.dataset.card import write_card
from blip_core.dataset.origin import UsedCheckpoint
from blip_core.dataset.reading import DATA, file_name
from blip_core.errors import EmptyDataset
from blip_core.kinds import kind_of
from blip_core.recipes import Recipe
from blip_core.records import REJECTION_SCHEMA, SPLITS, Example, Rejection, Split, example_schema
from blip_core.store import write_rows
from blip_core.texts import loose

STAGE = "dataset"
REJECTS = "rejects.parquet"


class DatasetCounts(TypedDict):
    """Rows in all, rows by split, and refused rows by reason."""

    rows: int
    splits: dict[Split, int]
    rejected: dict[str, int]


def write_dataset(
    folder: Path,
    examples: Iterable[Example],
    rejections: Iterable[Rejection],
    splits: Mapping[str, Split],
    recipe: Recipe,
    provenance: Mapping[str, Any],
    gates: Sequence[GateCount] = (),
    checkpoints: Sequence[UsedCheckpoint] = (),
    measured: Sequence[tuple[str, str]] = (),
) -> DatasetCounts:
    """Write a dataset that `datasets.load_dataset(folder)` reads: three splits, pictures decoded.

    Rows go in id order. With few rows validation and test may be empty: their files are written all the
    same, without rows, and `read_split` gives none; `load_dataset` then gives the other splits only.

    Args:
        folder: empty; the store publishes it.
        examples: rows that passed the gates.
        rejections: rows that did not, of all stages.
        splits: row id -> split; rows that are absent bridge two splits and are refused (`bridges-splits`).
        recipe: says how many rows make a row group and a file, and what the dataset is for.
        provenance: what the card tells of the making; `licence`, where given, is told on its own.
        gates: what each gate saw and refused, in order; for the card.
        checkpoints: that had a part in the making; for the card.
        measured: what gates measured and estimated, and how much, for the card.

    Raises:
        EmptyDataset: No row is left to train on, or none to judge on where the test split is judged on.
    """
    rows = sorted(examples, key=lambda example: example.id)
    bridges = [_bridge(row) for row in rows if row.id not in splits]
    refused = sorted([*rejections, *bridges], key=_order)
    by_split: dict[Split, list[Example]] = {
        split: [row for row in rows if splits.get(row.id) == split] for split in SPLITS
    }
    counts = DatasetCounts(
        rows=sum(map(len, by_split.values())),
        splits={split: len(found) for split, found in by_split.items()},
        rejected=dict(sorted(Counter(rejection.reason for rejection in refused).items())),
    )
    _require_rows(counts, recipe)
    schema = shown_schema(rows)
    for split, found in by_split.items():
        _write_split(folder / DATA, split, found, schema, recipe)
    write_rows(folder / REJECTS, refused, REJECTION_SCHEMA)
    write_card(folder, recipe, by_split, refused, provenance, gates, checkpoints, measured)
    return counts


def require_enough(
    examples: Sequence[Example],
    least: int,
    recipe: str,
    steps: Sequence[Mapping[str, Any]],
    gates: Sequence[Mapping[str, Any]],
) -> None:
    """Stop where rows that were annotated are too few, or too much alike, to be learnt.

    Args:
        examples: that the gates kept.
        least: rows of one batch of tuning.
        recipe: whose rows they are, with its phase.
        steps: what each annotation step saw and kept.
        gates: what each gate saw and refused.

    Raises:
        EmptyDataset: They are fewer, or captions that all say the same.
    """
    if len(examples) < least:
        lost = [f"the step {one['step']} kept {one['kept']} of {one['seen']}" for one in steps]
        lost += [f"the gate {one['gate']} refused {one['refused']} of {one['seen']}" for one in gates]
        raise EmptyDataset(
            f"{recipe} has {len(examples)} rows left, and one batch of tuning takes {least} "
            f"(finetune.batch_size): {'; '.join(lost) or 'nothing was refused'}. Bring more pictures, or "
            "loosen the step or gate that took most"
        )
    captions = [row for row in examples if not kind_of(row.task).asks]
    if len(captions) == len(examples) > 1 and len({loose(row.target) for row in captions}) == 1:
        raise EmptyDataset(
            f"all {len(examples)} captions of {recipe} say the same, {examples[0].target!r}: nothing about "
            "pictures could be learnt; mend the step that writes them, or name the right column"
        )


def shown_schema(examples: Sequence[Example]) -> pa.Schema:
    """Arrow schema of examples with the metadata that makes Hugging Face decode their pictures."""
    return with_features(example_schema(examples))


def with_features(schema: pa.Schema) -> pa.Schema:
    """A schema of examples with the metadata that makes Hugging Face decode their pictures."""
    from datasets import Features, Image, List, Value  # takes seconds to import: readers need not wait for it

    texts = {name: Value("string") for name in schema.names}
    lists = {name: List(Value("string")) for name in ("more", "references") if name in texts}
    types = {"scores": "float64", "attributes": "string"}
    named = {
        name: List({"name": Value("string"), "value": Value(type_)})
        for name, type_ in types.items()
        if name in texts
    }
    features = Features(texts | {"image": Image()} | lists | named)
    return schema.with_metadata(features.arrow_schema.metadata)


def _bridge(row: Example) -> Rejection:
    return Rejection(row.id, STAGE, "bridges-splits", "its picture looks like pictures of different splits")


def _order(rejection: Rejection) -> tuple[str, str, str]:
    return rejection.id, rejection.stage, rejection.reason


def _require_rows(counts: DatasetCounts, recipe: Recipe) -> None:
    needed: dict[Split, str] = {"train": "to train on"}
    if recipe.evaluation.kind == "split" and recipe.dataset.test_share:  # a phase may hold nothing out
        needed["test"] = "to judge on (evaluation.kind is split)"
    for split, purpose in needed.items():
        if counts["splits"][split] == 0:
            raise EmptyDataset(_emptiness(split, purpose, counts, recipe))


def _emptiness(split: Split, purpose: str, counts: DatasetCounts, recipe: Recipe) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts["rejected"].items()) or "none"
    have = ", ".join(f"{name} {count}" for name, count in counts["splits"].items())
    shares = f"validation_share {recipe.dataset.validation_share}, test_share {recipe.dataset.test_share}"
    more = "Ask for more scenes (scenes.count)" if recipe.source.is_made_here else "Bring more pictures"
    return (
        f"the dataset of {recipe.name} has no row {purpose}: the split {split} is empty. Rows kept: "
        f"{counts['rows']} ({have}; {shares}). Rows refused: {reasons}. "
        f"{more}, or change the gate or the share that leaves too little"
    )


def _write_split(
    folder: Path, split: Split, rows: Sequence[Example], schema: pa.Schema, recipe: Recipe
) -> None:
    per_file = recipe.dataset.rows_per_shard
    starts = range(0, max(len(rows), 1), per_file)  # an empty split has one file without rows
    for number, start in enumerate(starts):
        path = folder / file_name(split, number, len(starts))
        write_rows(path, rows[start : start + per_file], schema, recipe.dataset.rows_per_group)

"""What variants wrote in stage one, held against what the labeller wrote of the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from blip_core import scoring
from blip_core.dataset import read_split
from blip_core.records import Prediction
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace
from tasks.stage import metadata_of


def labelled_descriptions(predictions: ArtifactRef) -> dict[str, str]:
    """The labeller's descriptions by row; none where the rows are no split of a dataset."""
    dataset = metadata_of(predictions).get("made_from", {}).get("dataset")
    found = workplace().store.find(dataset) if dataset else None
    if found is None:
        return {}
    return {row.id: row.description for row in read_split(found.path, "test") if row.description}


def score_captions(rows: Sequence[Prediction], right: Mapping[str, str]) -> dict[str, Any]:
    """BLEU and ROUGE of the descriptions, as JSON values; empty where nothing was described or is known."""
    captions = [
        scoring.Caption(row.id, row.description, (right[row.id],))
        for row in rows
        if row.description and row.id in right
    ]
    if not captions:
        return {}
    scores = scoring.caption_scores(captions)
    cases = {name: asdict(case) for name, case in scores.cases.items()}
    return {"captions": {"n": scores.n, "bleu": asdict(scores.bleu), "cases": cases}}

"""A version of a growing dataset obeys what people decided about its earlier rows."""

from collections.abc import Mapping, Sequence

from blip_core.annotating.decisions import Decision, is_mended
from blip_core.dataset.finding import iter_texts
from blip_core.dataset.reading import split_files, splits_there
from blip_core.errors import StoreError
from blip_core.records import Example
from blip_core.reviewing import Reviewed, Verdict
from blip_core.reviewing.carrying import CARRIED, applicable, merged
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace
from flows.rows.named_dataset import NamedDataset
from flows.rows.refused import refused_among
from flows.rows.reviewing import publish_review


def obeying(made: ArtifactRef, decisions: Sequence[Decision]) -> ArtifactRef:
    """What the gates made as people left it: the same where they decided about none of its rows.

    Args:
        made: dataset of so many scenes.
        decisions: of people about rows of its line, oldest first; those about other rows are passed over.
    """
    if not decisions:
        return made
    artifact = workplace().store.find(made.key)
    if artifact is None:
        raise StoreError(f"the dataset {made.digest} went missing while it was extended; run again")
    dataset = NamedDataset(artifact.path, artifact.digest, artifact)
    wanted = merged(decisions)
    there = _texts(dataset, wanted)
    refused = {name: row for name, row in refused_among(dataset, wanted).items() if name not in there}
    told = applicable(wanted, {**refused, **there})
    if not any(_changes(one, name in there) for name, one in told.by_id.items()):
        return made
    verdicts = {name: Verdict(one, CARRIED, str(one.get("reason", ""))) for name, one in told.by_id.items()}
    reviewed = Reviewed(dataset.digest, {CARRIED: told}, verdicts, (), refused)
    return publish_review(dataset, reviewed, "drop")[0]


def _texts(dataset: NamedDataset, wanted: Mapping[str, Decision]) -> dict[str, Example]:
    files = (path for split in splits_there(dataset.folder) for path in split_files(dataset.folder, split))
    return {row.id: row for path in files for row in iter_texts(path) if row.id in wanted}


def _changes(one: Decision, is_there: bool) -> bool:
    """Whether a decision makes another row, or none, of one that is there, or one of a refused row."""
    is_kept = one["decision"] == "keep"
    return is_mended(one) or not is_kept if is_there else is_kept

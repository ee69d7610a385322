"""A dataset goes to the hub: its Parquet as it lies, its rejects, and a card for strangers."""

from pathlib import Path

import pyarrow.parquet as pq

from blip_core.dataset.card import CARD
from blip_core.dataset.hub_card import HubCard
from blip_core.dataset.reading import DATA
from blip_core.dataset.writing import REJECTS
from blip_core.errors import UserMistake
from blip_core.uploading import Upload, check_repository

# The hub's viewer reads a page of 100 rows; a row group is the least that it can read.
MAX_GROUP_ROWS = 1_000
MAX_GROUP_BYTES = 300_000_000  # the viewer's limit of what it reads at once
MAX_FILE_BYTES = 20_000_000_000  # what the hub advises against exceeding; it refuses more than 50 GB


def plan_upload(folder: Path, card: HubCard, scratch: Path, repository: str, is_private: bool) -> Upload:
    """Choose what of a dataset's folder goes to the hub: rows and rejects, nothing that lies beside them.

    Args:
        folder: of the dataset.
        card: for the hub.
        scratch: a folder for the card and its pictures, kept until the upload is done.
        repository: `owner/name`.
        is_private: whether the repository is private if it has to be made.

    Raises:
        UserMistake: The repository's name cannot be one, or the hub's viewer could not show a file.
    """
    check_repository(repository)
    paths = sorted((folder / DATA).glob("*.parquet"))
    full = [path for path in paths if pq.read_metadata(path).num_rows]  # an empty split cannot be loaded
    if faults := [fault for path in full if (fault := viewer_fault(path))]:
        raise UserMistake(
            f"the hub's viewer could not show {'; '.join(faults)}. Write the dataset anew with smaller "
            "dataset.rows_per_group and dataset.rows_per_shard"
        )
    files = {f"{DATA}/{path.name}": path for path in full}
    files |= {REJECTS: folder / REJECTS} if (folder / REJECTS).is_file() else {}
    written = {CARD: card.text.encode(), **card.pictures}
    for name, content in written.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Upload(repository, is_private, files | {name: scratch / name for name in written}, "dataset")


def viewer_fault(path: Path) -> str:
    """What keeps the hub's viewer from showing a Parquet file; empty where nothing does."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(group.num_rows for group in groups)
    size = max(group.total_byte_size for group in groups)
    if rows > MAX_GROUP_ROWS or size > MAX_GROUP_BYTES:
        return f"{path.name}, whose row groups have up to {rows:,} rows and {size / 1e6:,.0f} MB"
    if path.stat().st_size > MAX_FILE_BYTES:
        return f"{path.name}, which is larger than {MAX_FILE_BYTES / 1e9:,.0f} GB"
    return ""

"""An adapter goes to the hub: what of its folder is sent."""

from pathlib import Path

from blip_core.adapter_card import ADAPTER_FILES, CARD
from blip_core.errors import CheckpointError
from blip_core.modeling.adapters import check_adapter_folder
from blip_core.modeling.merging import adapter_base
from blip_core.uploading import Upload, check_repository


def plan_upload(adapter: Path, repository: str, is_private: bool, card: Path | None = None) -> Upload:
    """Choose what of an adapter's folder goes to the hub: its own files, nothing that lies beside them.

    Args:
        adapter: its folder.
        repository: `owner/name`.
        is_private: whether the repository is private if it has to be made.
        card: another card than the folder's own.

    Raises:
        CheckpointError: The folder holds no adapter, or its base is a folder of this machine.
        UserMistake: The repository's name cannot be one.
    """
    check_repository(repository)
    base = adapter_base(adapter)
    if base.is_local:
        raise CheckpointError(
            f"the base of the adapter in {adapter} is {base.id}, a folder of this machine, without which "
            "nobody could use it; tune it on a checkpoint that has a hub id"
        )
    check_adapter_folder(adapter)
    files = {name: adapter / name for name in ADAPTER_FILES if (adapter / name).is_file()}
    return Upload(repository, is_private, files | ({CARD: card} if card else {}))

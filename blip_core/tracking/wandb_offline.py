"""A run's journal as an offline run of W&B, written in a process of its own; nothing is sent anywhere.

W&B keeps threads and a service for each run and may hold a process's output: no run must depend on that.
`wandb sync FOLDER/wandb/offline-run-*` uploads what somebody wants to have there.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from blip_core.tracking.journal import Entry, read_journal
from blip_core.tracking.mirrored_pictures import picture_name, picture_of


def write_run(journal: Path, folder: Path) -> None:
    """Write an offline run below a folder, in place of an earlier one of the same journal.

    Args:
        journal: of the run.
        folder: that all offline runs lie below.

    Raises:
        ImportError: wandb is not installed.
    """
    import wandb

    entries = read_journal(journal)
    start = entries[0].data
    for earlier in (folder / "wandb").glob(f"offline-run-*-{journal.stem}"):
        shutil.rmtree(earlier)
    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        mode="offline",
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
    )
    run = wandb.init(
        project=start["experiment"],
        name=start["name"],
        id=journal.stem,
        group=start["parent"] or journal.stem,
        dir=str(folder),
        config={**_values(entries, "params"), "tags": _values(entries, "tags")},
        settings=settings,
    )
    for entry in entries:
        if entry.kind == "metrics":
            # Its own steps only grow; ours come again where a tuning was resumed.
            run.log({**entry.data["values"], "step": entry.data["step"], "_timestamp": entry.time_ms / 1000})
        picture = picture_of(journal, entry)
        if picture is not None:
            run.log({picture_name(entry): wandb.Image(str(picture)), "_timestamp": entry.time_ms / 1000})
    run.finish(exit_code=int(entries[-1].data.get("status", "FINISHED") != "FINISHED"))


def _values(entries: Sequence[Entry], kind: str) -> dict[str, str]:
    return {
        name: value for entry in entries if entry.kind == kind for name, value in entry.data["values"].items()
    }


def main() -> None:
    """Write the runs of the journals that are named behind the folder; each is told once it is written."""
    folder, *journals = map(Path, sys.argv[1:])
    for journal in journals:
        write_run(journal, folder)
        sys.stdout.write(f"{journal.stem}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""A run's record: a local journal first, MLflow second. Importing this room does not load MLflow."""

from blip_core.tracking.apart import sender
from blip_core.tracking.environment import link_tags, quiet_environment
from blip_core.tracking.null import NullTracker
from blip_core.tracking.postgres import prepare_database
from blip_core.tracking.registered import RegisteredAdapter, Registry
from blip_core.tracking.replaying import Replayed, replay
from blip_core.tracking.runs import JournalledRun
from blip_core.tracking.sqlite import (
    artifact_root,
    prepare_store,
    server_command,
    server_environment,
    sqlite_address,
)
from blip_core.tracking.trackers import JournalTracker, MlflowTracker

__all__ = [
    "JournalTracker",
    "JournalledRun",
    "MlflowTracker",
    "NullTracker",
    "RegisteredAdapter",
    "Registry",
    "Replayed",
    "artifact_root",
    "link_tags",
    "prepare_database",
    "prepare_store",
    "quiet_environment",
    "replay",
    "sender",
    "server_command",
    "server_environment",
    "sqlite_address",
]

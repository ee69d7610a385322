"""Checkpoints from the hub: resolved once, downloaded, converted, locked. Importing this loads no torch.

What lies on this machine, and how it got there, stands in a lock file beside the store. Runs use the lock and
never ask the hub.
"""

from blip_core.prefetching.completeness import check_complete, check_gguf, check_needed
from blip_core.prefetching.damage import damage, refuse_unfetched
from blip_core.prefetching.image_token import check_image_token
from blip_core.prefetching.lock import LOCK_NAME, LockedCheckpoint, LockedFile, read_lock
from blip_core.prefetching.needs import Need, need_for, needs_of, served_models, used_checkpoints

__all__ = [
    "LOCK_NAME",
    "LockedCheckpoint",
    "LockedFile",
    "Need",
    "check_complete",
    "check_gguf",
    "check_image_token",
    "check_needed",
    "damage",
    "need_for",
    "needs_of",
    "read_lock",
    "refuse_unfetched",
    "served_models",
    "used_checkpoints",
]

"""Where the bytes of a store are: a folder of this machine, or a bucket that several share."""

from blip_core.store.places.place import Damaged, Place, Taken

__all__ = ["Damaged", "Place", "Taken"]

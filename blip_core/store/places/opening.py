"""A place by its address: a folder, or a bucket."""

import hashlib
from pathlib import Path

from blip_core.store.places.cache import Cache
from blip_core.store.places.folder import FolderPlace
from blip_core.store.places.objects import SCHEME, Objects
from blip_core.store.places.place import Place
from blip_core.store.places.s3 import S3Place

CACHE_GB = 50.0
"""What the cache of a bucket may take, in gigabytes, unless somebody says otherwise."""
_GB = 1_000_000_000
_NAME_CHARS = 12


def open_place(address: str, caches: Path, cache_gb: float = CACHE_GB, allow_http: bool = False) -> Place:
    """Open the place that an address names; nothing is asked or made before it is used.

    Args:
        address: a folder, or `s3://BUCKET/PREFIX`.
        caches: folder for the caches of buckets, one an address.
        cache_gb: see `CACHE_GB`.
        allow_http: whether the endpoint of a bucket may be a plain http address.

    Raises:
        PlaceError: It is no address of a store, or obstore is not installed.
    """
    if not address.startswith(SCHEME):
        return FolderPlace(Path(address))
    objects = Objects(address, allow_http)
    return S3Place(objects, Cache(cache_folder(objects.address, caches), int(cache_gb * _GB)))


def cache_folder(address: str, caches: Path) -> Path:
    """The cache of one bucket's store."""
    return caches / hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:_NAME_CHARS]

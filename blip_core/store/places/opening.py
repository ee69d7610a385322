"""A place by its address: a folder, or a bucket."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from blip_core.store.places.cache import Cache
from blip_core.store.places.folder import FolderPlace
from blip_core.store.places.objects import SCHEME, Objects
from blip_core.store.places.place import Place
from blip_core.store.places.s3 import S3Place

CACHE_GB = 50.0
"""What the cache of a bucket may take, in gigabytes, unless somebody says otherwise."""
_GB = 1_000_000_000
_NAME_CHARS = 12


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is, and how this machine reads it.

    Attributes:
        address: a folder, or `s3://BUCKET/PREFIX`.
        caches: folder for the caches of buckets, one an address.
        cache_gb: see `CACHE_GB`.
        allow_http: whether the endpoint of a bucket may be a plain http address.
    """

    address: str
    caches: Path
    cache_gb: float = CACHE_GB
    allow_http: bool = False

    def open(self) -> Place:
        """Open the place; nothing is asked or made before it is used.

        Raises:
            PlaceError: It is no address of a store, or obstore is not installed.
        """
        if not self.address.startswith(SCHEME):
            return FolderPlace(Path(self.address))
        objects = Objects(self.address, self.allow_http)
        name = hashlib.sha256(objects.address.encode()).hexdigest()[:_NAME_CHARS]
        return S3Place(objects, Cache(self.caches / name, int(self.cache_gb * _GB)))

    def to_json(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "caches": str(self.caches),
            "cache_gb": self.cache_gb,
            "allow_http": self.allow_http,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "caches": Path(values["caches"])})

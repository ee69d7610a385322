"""Writers of a shared store: work of the forge, in processes that are killed, or that race."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import obstore  # noqa: F401 - imported once, before workers are forked; nothing of it is used until then

from blip_core.errors import StoreError
from blip_core.store import Store
from blip_core.store.places.cache import Cache
from blip_core.store.places.objects import Objects
from blip_core.store.places.s3 import S3Place
from blip_core.store.versions import Line, Version
from tests.campaigns.kill.writers import KIND, write
from tests.faults.instants import Instants
from tests.s3.conftest import LEASE_S

KILLED, RACING, PATIENT = (f"tests.s3.writers:{name}" for name in ("publish", "race", "publish_all"))
NOTE = "writers.txt"
_CACHE_BYTES = 10**9
_START_S = 0.3


def shared(address: str, cache: str, patience_s: float = 30.0, **options: Any) -> Store:
    """The store as a machine sees it that has this cache; a folder's address needs none."""
    if not address.startswith("s3://"):
        return Store(Path(address), **options)
    objects = Objects(address, allow_http=True, patience_s=patience_s)
    return Store(S3Place(objects, Cache(Path(cache), _CACHE_BYTES), LEASE_S), **options)


def publish(address: str, cache: str, key: str, fatal: str = "") -> None:
    """Publish one artefact whose content follows from its key, and die at an instant."""
    Path(cache).mkdir(parents=True, exist_ok=True)
    instants = Instants(Path(cache) / NOTE, fatal)
    store = shared(address, cache, reach=instants.pass_by)
    store.publish(key, KIND, lambda folder: write(folder, key, instants))


def publish_all(address: str, cache: str, keys: list[str], patience_s: float) -> None:
    """Publish one artefact after the other; each try that fails has to say so in one sentence."""
    Path(cache).mkdir(parents=True, exist_ok=True)
    instants = Instants(Path(cache) / NOTE)
    for key in keys:
        while True:
            try:
                store = shared(address, cache, patience_s)
                store.publish(key, KIND, lambda folder, key=key: write(folder, key, instants))
                break
            except StoreError as error:
                if "\n" in str(error):
                    raise
                time.sleep(0.2)


def race(address: str, cache: str, key: str, name: str, out: str, start: float) -> None:
    """Make one version and add it to its line, at the same time as others; writes down what came of it."""
    store, built = shared(address, cache), []

    def build(folder: Path) -> Mapping[str, Any]:
        built.append(name)
        (folder / "rows.txt").write_text(name)  # whoever wins, others read it
        return {"rows": 1}

    time.sleep(max(0.0, start + _START_S - time.time()))
    made = store.publish(key, KIND, build)
    told = {"digest": made.digest, "rows": (made.path / "rows.txt").read_text(), "built": bool(built)}
    try:
        Line(store, f"{key}-line", "race").add(Version(key, made.digest + name, "", 1, 1, "2027-01-01"))
        told["added"] = name
    except StoreError as error:
        told["refused"] = str(error)
    Path(out).write_text(json.dumps(told))


def versions(address: str, cache: str, key: str) -> list[dict[str, Any]]:
    return [asdict(one) for one in Line(shared(address, cache), f"{key}-line", "race").versions()]

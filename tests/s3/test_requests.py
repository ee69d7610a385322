"""What a shard costs in requests: `foundry plan --gpus` counts with these figures."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from blip_core.planning.scaling import HANDED_REQUESTS, SHARD_REQUESTS
from blip_core.store import Store
from blip_core.store.places.cache import Cache
from blip_core.store.places.objects import Objects
from blip_core.store.places.s3 import S3Place

pytestmark = [pytest.mark.s3, pytest.mark.slow]

KINDS = {"get": "GET", "put": "PUT", "list": "LIST", "delete": "DELETE"}


@pytest.fixture
def asked(monkeypatch) -> Counter[str]:
    """What the client was asked for, by kind; a folder with few objects is listed in one answer."""
    import obstore

    counted: Counter[str] = Counter()

    def counting(name: str, ask: Any) -> Any:
        def asks(*given: Any, **named: Any) -> Any:
            counted[KINDS[name]] += 1
            return ask(*given, **named)

        return asks

    for name in KINDS:
        monkeypatch.setattr(obstore, name, counting(name, getattr(obstore, name)))
    return counted


def shard(folder: Path) -> dict[str, Any]:
    for name in ("rows.parquet", "rejections.parquet"):
        (folder / name).write_bytes(b"rows")
    return {"rows": 2}


def machine(address: str, folder: Path) -> Store:
    store = Store(S3Place(Objects(address, allow_http=True), Cache(folder, 10**9), lease_s=30.0))
    store.publish(f"first-{folder.name}", "shard", shard)
    return store


def requests_for(address: str, folder: Path, asked: Counter[str], *, handed: bool) -> dict[str, int]:
    """What a run and a worker elsewhere ask for a shard, once both have begun."""
    run, worker = machine(address, folder / "run"), machine(address, folder / "worker")
    asked.clear()
    assert run.find("shard") is None
    if handed:
        run.publish("handed", "handed-rows", lambda to: {"rows": (to / "rows.parquet").write_bytes(b"1")})
        assert worker.find("handed")
    worker.publish("shard", "shard", shard)
    assert run.find("shard")
    if handed:
        run.remove("handed")
    return dict(asked)


def test_a_shard_costs_the_requests_that_a_plan_counts(address, tmp_path, asked):
    plain = requests_for(address, tmp_path / "plain", asked, handed=False)
    whole = requests_for(f"{address}/handed", tmp_path / "handed", asked, handed=True)
    assert plain == SHARD_REQUESTS
    assert {kind: count - plain.get(kind, 0) for kind, count in whole.items()} == HANDED_REQUESTS

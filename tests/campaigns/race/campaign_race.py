"""Eight writers race for one version of a dataset, again and again: one wins, and all read what it made."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.forge import Forge
from tests.s3 import moto
from tests.s3.writers import RACING, shared, versions

RACES = int(os.environ.get("RACES") or 100)
WRITERS = 8


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    log = tmp_path_factory.mktemp("forge") / "forge.log"
    with moto.running() as port:
        before = dict(os.environ)
        os.environ.update(moto.environment(port))
        with Forge(["tests.s3.writers"], log) as forge:
            yield forge
        os.environ.clear()
        os.environ.update(before)


def race(forge: Forge, address: str, folder: Path, number: int) -> dict[str, object]:
    """One race; each writer is a machine of its own."""
    key, start = f"version-{number}", time.time()
    outs = [folder / f"{number}-{writer}.json" for writer in range(WRITERS)]
    jobs = [
        {"cache": str(folder / f"machine-{writer}"), "name": f"writer {writer}", "out": str(out)}
        for writer, out in enumerate(outs)
    ]
    started = [forge.start(RACING, address=address, key=key, start=start, **job) for job in jobs]
    assert [forge.wait(writer) for writer in started] == [0] * WRITERS, forge.log.read_text()
    told = [json.loads(out.read_text()) for out in outs]

    assert len({one["digest"] for one in told}) == 1
    assert len({one["rows"] for one in told}) == 1
    (added,) = [one for one in told if "added" in one]
    assert all("extended by another run" in one["refused"] for one in told if "added" not in one)
    (version,) = versions(address, str(folder / "reader"), key)
    assert version["digest"] == added["digest"] + added["added"]
    return {"built": sum(one["built"] for one in told), "digest": told[0]["digest"], "key": key}


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_one_writer_wins(kind: str, forge: Forge, tmp_path: Path, record_property):
    address = f"s3://{moto.BUCKET}/race" if kind == "s3" else str(tmp_path / "store")
    raced = [race(forge, address, tmp_path, number) for number in range(RACES)]

    built = Counter(one["built"] for one in raced)
    told = (
        f"\n{kind}: {RACES} races of {WRITERS}, one winner each; races by writers that built: {dict(built)}\n"
    )
    sys.stdout.write(f"\n{told}\n")
    store = shared(address, str(tmp_path / "reader"))
    assert {one.key: one.digest for one in store.artifacts()} == {one["key"]: one["digest"] for one in raced}
    assert store.quarantined() == []
    if kind == "s3":
        left = [one.name for one in store.place.objects.list("artifacts")]
        assert len(left) == 2 * RACES  # a file and a manifest each: nothing of those that lost

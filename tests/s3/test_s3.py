"""A store in a bucket: what is read once, what an altered object does, and who is first."""

import logging
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blip_core.errors import PlaceError, StoreError
from blip_core.store import Store
from blip_core.store.places import s3
from blip_core.store.places.leases import Leases
from blip_core.store.places.objects import Objects
from blip_core.store.places.place import Taken
from blip_core.store.places.racing import race
from blip_core.store.pruning import Wanted, prune
from tests.s3 import moto
from tests.s3.conftest import LEASE_S, Opens
from tests.s3.test_contract import never, two_rows

pytestmark = pytest.mark.s3


def fetched(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the objects that the store brings into its cache from now on."""
    names: list[str] = []
    fetch = store.place.objects.fetch

    def noted(name: str, path: Path) -> object:
        names.append(name)
        return fetch(name, path)

    monkeypatch.setattr(store.place.objects, "fetch", noted)
    return names


def files(store: Store, below: str = "") -> list[str]:
    return [one.name for one in store.place.objects.list("artifacts") if below in one.name]


def test_another_machine_fetches_once(opened: Opens, monkeypatch: pytest.MonkeyPatch):
    made = opened("one").publish("a-0", "a", two_rows)
    other = opened("two")
    names = fetched(other, monkeypatch)

    found = other.publish("a-0", "a", never)
    assert (found.digest, len(names)) == (made.digest, 2)
    assert other.find("a-0") == found
    assert len(names) == 2


def test_what_was_made_here_is_not_fetched(opened: Opens, monkeypatch: pytest.MonkeyPatch):
    store = opened("one")
    names = fetched(store, monkeypatch)
    store.publish("a-0", "a", two_rows)

    assert store.find("a-0") is not None
    assert names == []


def test_a_copy_that_was_altered_here_is_fetched_anew(opened: Opens, monkeypatch: pytest.MonkeyPatch):
    store = opened("one")
    made = store.publish("a-0", "a", two_rows)
    names = fetched(store, monkeypatch)
    (made.path / "data" / "rows.txt").write_text("one\nTWO\n")

    assert (store.find("a-0").path / "data" / "rows.txt").read_text() == "one\ntwo\n"
    assert len(names) == 2
    assert store.quarantined() == []


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest"])
def test_an_altered_object_is_put_aside_and_made_anew(
    damage: str, opened: Opens, caplog: pytest.LogCaptureFixture
):
    opened("one").publish("a-0", "a", two_rows)
    store = opened("two")
    objects, (name,) = store.place.objects, files(store, "rows.txt")
    if damage == "changed":
        objects.put(name, b"one\nTWO\n")
    if damage == "missing":
        objects.delete([name])
    if damage == "manifest":
        objects.put("artifacts/a-0/manifest.json", b"{")

    with caplog.at_level(logging.WARNING):
        assert store.find("a-0") is None
    assert f"{store.address}/quarantine/a-0.0" in caplog.text
    assert store.publish("a-0", "a", two_rows).digest == opened("one").find("a-0").digest


def test_a_quicker_writer_elsewhere_wins_whatever_the_lease_says(opened: Opens):
    """The other machine writes its manifest while ours is about to, as after a lease that was lost."""
    other, made = opened("two"), []

    def overtake(point: str) -> None:
        if point == "publish.before-manifest" and not made:
            made.append(elsewhere(other))

    store = opened("one", reach=overtake)
    found = store.publish("a-0", "a", lambda folder: two_rows(folder) | {"model": "slower"})

    assert found.metadata["model"] == "writer"
    assert store.find("a-0").metadata == other.find("a-0").metadata
    assert len(files(store)) == 3  # two files and their manifest: nothing of the slower attempt


def elsewhere(other: Store) -> object:
    """Publish without asking for a lease."""
    with other.place.staging("a-0") as staged:
        from blip_core.store.faults import pass_by
        from blip_core.store.manifest import Manifest

        metadata = two_rows(staged)
        return other.place.put(staged, Manifest.of(staged, "a-0", "a", metadata), pass_by)


def test_a_writer_that_died_leaves_nothing_once_another_succeeded(opened: Opens):
    class Died(BaseException):
        pass

    def die(point: str) -> None:
        if point == "publish.before-manifest":
            raise Died

    store = opened("one")
    with pytest.raises(Died):
        opened("two", reach=die).publish("a-0", "a", two_rows)
    assert len(files(store)) == 2
    assert not store.has("a-0")

    store.publish("a-0", "a", two_rows)
    assert len(files(store)) == 3


def test_pruning_removes_what_dead_writers_left_and_nothing_else(
    opened: Opens, monkeypatch: pytest.MonkeyPatch
):
    store = opened()
    made = store.publish("a-0", "adapter", two_rows)
    left = ["artifacts/a-0/" + "1" * 32 + "/data", "artifacts/b-0/" + "2" * 32 + "/data", "clock/x"]
    for name in left:
        store.place.objects.put(name, b"?")
    nothing = Wanted((), timedelta(0))

    prune(store, nothing, datetime.now(UTC))
    assert files(store, "1" * 32) == []
    assert len(files(store, "2" * 32)) == 1  # it may be the work of somebody who sleeps
    monkeypatch.setattr(s3, "ABANDONED", timedelta(seconds=-5))
    prune(store, nothing, datetime.now(UTC))
    assert len(files(store)) == 3
    assert opened("two").find("a-0").digest == made.digest
    assert list(store.place.objects.list("clock")) == []


def test_a_lease_that_nobody_renews_is_taken_over(opened: Opens):
    objects = opened("one").place.objects
    objects.create("leases/a-0.json", b'{"machine": "gone", "token": "1"}')

    with pytest.raises(Taken), Leases(objects, "here", LEASE_S).held("a-0", wait=False):
        pass
    assert Leases(objects, "here", LEASE_S).names([]) == ["a-0"]
    with Leases(objects, "here", LEASE_S).held("a-0"):
        assert objects.get("leases/a-0.json") is not None
    assert objects.get("leases/a-0.json") is None


@pytest.mark.slow
def test_a_lease_is_renewed_while_it_is_held(opened: Opens):
    objects = opened("one").place.objects
    with Leases(objects, "here", LEASE_S).held("a-0"):
        time.sleep(2 * LEASE_S)
        with pytest.raises(Taken), Leases(objects, "there", LEASE_S).held("a-0", wait=False):
            pass


def test_what_was_used_longest_ago_goes_and_nothing_that_a_run_has_in_use(opened: Opens):
    def megabyte(folder: Path) -> dict[str, Any]:
        (folder / "data").write_bytes(os.urandom(1_000_000))
        return {}

    in_use = opened("one", bound_bytes=3_000_000)
    kept = [in_use.publish(f"a-{number}", "a", megabyte) for number in range(5)]
    assert all(one.folder.exists() for one in kept)

    script = (
        "import sys; from pathlib import Path; from blip_core.store.places.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]), 3_000_000); cache.use('a-1'); cache._evict(3_000_000)"
    )
    subprocess.run([sys.executable, "-c", script, str(in_use.root)], check=True)
    assert all(one.folder.exists() for one in kept)  # this process has them in use

    in_use.place._cache._used._held.close()  # as if it had ended
    subprocess.run([sys.executable, "-c", script, str(in_use.root)], check=True)
    assert [one.key for one in kept if one.folder.exists()] == ["a-1", "a-4"]
    assert opened("one").find("a-0") == kept[0]


def test_a_server_that_keeps_conditions_has_one_winner(opened: Opens):
    objects = opened("one").place.objects
    assert race(objects) == 1
    assert list(objects.list("races")) == []


def test_a_server_that_ignores_conditions_lets_many_win(opened: Opens, monkeypatch: pytest.MonkeyPatch):
    import obstore

    put = obstore.put

    def careless(store: object, name: str, content: object, **options: object) -> object:
        return put(store, name, content, **{k: v for k, v in options.items() if k != "mode"})

    monkeypatch.setattr(obstore, "put", careless)
    assert race(opened("one").place.objects) > 1


def test_a_bucket_that_is_missing_is_named(opened: Opens, address: str):
    store = Objects(address.replace(moto.BUCKET, "nobody"), allow_http=True)
    for ask in (lambda: store.get("x"), lambda: list(store.list("x")), lambda: store.put("x", b"")):
        with pytest.raises(PlaceError, match="no bucket nobody"):
            ask()


def test_nobody_at_the_address_is_said(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{moto.free_port()}")
    with pytest.raises(StoreError, match="does not answer"):
        Objects(address, allow_http=True).get("x")


def test_a_server_that_says_nothing_is_not_waited_for(address: str, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(StoreError, match="does not answer"):
            Objects(address, allow_http=True).get("x")


def test_plain_http_is_refused_unless_told(address: str):
    with pytest.raises(PlaceError, match="AWS_ALLOW_HTTP"):
        Objects(address).get("x")


def test_a_wrong_token_is_refused(address: str, monkeypatch: pytest.MonkeyPatch):
    with moto.running(moto.STRICT) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(PlaceError, match="refuses the credentials"):
            Objects(address, allow_http=True).get("x")


@pytest.mark.parametrize("named", ["s3://", "s3:///prefix", "s3://user:secret@bucket/prefix", "s3://b?x=1"])
def test_what_is_no_address_is_refused_without_telling_a_secret(named: str):
    with pytest.raises(PlaceError, match="no address") as refused:
        Objects(named)
    assert "secret" not in str(refused.value)


def test_a_forked_process_is_refused_and_does_not_wait_for_ever(opened: Opens):
    store = opened("one")
    store.has("a-0")
    child = os.fork()
    if not child:
        try:
            store.has("a-0")
        except StoreError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_server_that_comes_back_is_asked_again(opened: Opens, server: int, monkeypatch: pytest.MonkeyPatch):
    door = moto.Door(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{door.port}")
    door.open()
    objects = Objects(opened("one").address, allow_http=True, patience_s=30)
    objects.put("x", b"1")
    door.shut()
    with pytest.raises(StoreError, match="does not answer"):
        Objects(objects.address, allow_http=True).get("x")
    moto.later(1.0, door.open)
    assert objects.get("x").content == b"1"
    door.shut()

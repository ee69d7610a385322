"""Commands on a store in a bucket, and what they say where something is wrong with it."""

from pathlib import Path

import pytest

from blip_core.store import Store
from blip_core.wiring import workplace
from flows.cli.checks import bucket
from flows.cli.checks.finding import Case
from flows.cli.doctor import examine
from tests.commands import foundry
from tests.s3 import moto
from tests.s3.test_contract import two_rows

pytestmark = pytest.mark.s3


@pytest.fixture
def home(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOUNDRY_STORE", address)
    return tmp_path / "home"


def looked_at(*checks: object) -> list[tuple[str, str]]:
    """State and words of what the doctor says of the store."""
    case = Case(workplace(), None, False, 0, 0)
    return [(one.state, one.said) for one in examine(case, checks)]


def test_the_doctor_finds_a_sound_server_and_what_it_holds(home: Path, address: str):
    from flows.cli.checks import records

    workplace().store.publish("features-0", "features", two_rows)
    (store,), (held,), (features,) = (
        looked_at(one) for one in (records.store, records.artefacts, records.kept_features)
    )
    assert store[0] == held[0] == features[0] == "ok"
    assert "one of 8 writers wins" in store[1]
    assert held[1].startswith("1 whole")


def test_the_doctor_refuses_a_server_that_lets_two_win_and_names_what_to_use(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    import obstore

    put = obstore.put

    def careless(store: object, name: str, content: object, **options: object) -> object:
        return put(store, name, content, **{k: v for k, v in options.items() if k != "mode"})

    monkeypatch.setattr(obstore, "put", careless)
    (finding,) = bucket.bucket(workplace().store)
    assert finding.state == "problem"
    assert "of 8 writers were each told" in finding.said
    assert "Amazon S3" in finding.remedy


def test_an_altered_object_is_found_by_its_size(home: Path):
    from flows.cli.checks import records

    store = workplace().store
    store.publish("a-0", "a", two_rows)
    (name,) = [one.name for one in store.place.objects.list("artifacts") if one.name.endswith("rows.txt")]
    store.place.objects.put(name, b"one")
    ((state, said),) = looked_at(records.artefacts)
    assert (state, said) == ("problem", "1 damaged: a-0")


def test_a_store_is_copied_there_and_back(home: Path, address: str, tmp_path: Path):
    here = Store(tmp_path / "here")
    for number in range(3):
        here.publish(f"a-{number}", "a", two_rows)

    there = foundry("store", "copy", str(here.root), address, "--json").told
    assert (len(there["copied"]), there["differing"]) == (3, [])
    back = foundry("store", "copy", address, str(tmp_path / "back"))
    assert "copied 3 artefacts" in back.out
    assert {one.key: one.digest for one in Store(tmp_path / "back").artifacts()} == {
        one.key: one.digest for one in here.artifacts()
    }
    assert "3 were there" in foundry("store", "copy", address, str(tmp_path / "back")).out


@pytest.mark.parametrize("wrong", ["bucket", "server", "token", "scheme", "http"])
def test_a_wrong_address_is_one_sentence(
    wrong: str, home: Path, address: str, monkeypatch: pytest.MonkeyPatch, server: int
):
    if wrong == "bucket":
        monkeypatch.setenv("FOUNDRY_STORE", "s3://nobody/prefix")
    if wrong == "server":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{moto.free_port()}")
    if wrong == "scheme":
        monkeypatch.setenv("FOUNDRY_STORE", "gs://user:secret@bucket")
    if wrong == "http":
        monkeypatch.delenv("AWS_ALLOW_HTTP")
    if wrong == "token":
        with moto.running(moto.STRICT) as port:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            told = foundry("store", "du")
    else:
        told = foundry("store", "du")
    assert told.code in (1, 2)
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1
    assert "secret" not in told.err

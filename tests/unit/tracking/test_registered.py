"""Adapters found in a real registry by alias or version, fetched whole, and refused where they are not."""

from dataclasses import replace

import pytest

from blip_core.errors import TrackingError, UnknownArtifact
from blip_core.tracking import Registry
from blip_core.tracking.registry import FILES_TAG, folder_digest

NAME = "registered-adapter"


@pytest.fixture(scope="session")
def registry(uri):
    return Registry(uri)


@pytest.fixture
def register(tracker, tmp_path):
    """Registers an adapter of some weights; gives its folder."""

    def put(weights: bytes, name: str = NAME, champion: bool = False, digest: str = "", served=None):
        folder = tmp_path / weights.decode()
        folder.mkdir(exist_ok=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(weights)
        run = tracker.start("gallery", "registered", {})
        digest = digest or weights.hex()
        run.adapter(folder, name, {}, digest=digest, champion=champion, served=served)
        run.finish()
        return folder

    return put


def test_an_alias_means_what_it_points_at_now(registry, register, tmp_path):
    first = register(b"first", champion=True)
    before = registry.find(f"models:/{NAME}@champion")
    register(b"second", champion=True)
    after = registry.find(f"models:/{NAME}@champion")
    assert (before.digest, after.digest) == (b"first".hex(), b"second".hex())
    assert registry.find(before.uri) == before
    assert before.files_digest == folder_digest(first)

    got = tmp_path / "got"
    got.mkdir()
    registry.fetch(before, got)
    assert folder_digest(got) == folder_digest(first)
    assert {path.name for path in got.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("models:/no-such-adapter@champion", "no adapter no-such-adapter: `candidate` is set by every run"),
        ("models:/lonely-adapter@champion", r"alias 'champion' \(there is candidate\).*section champion"),
        ("models:/lonely-adapter/7", "no version 7 of lonely-adapter"),
    ],
)
def test_what_is_not_there_is_said_with_how_it_comes_about(registry, register, reference, words):
    register(b"lonely", "lonely-adapter")
    with pytest.raises(UnknownArtifact, match=words):
        registry.find(reference)


def test_a_model_of_somebody_else_is_no_adapter(registry, client, tmp_path):
    client.create_registered_model("strange")
    client.create_model_version("strange", str(tmp_path))
    with pytest.raises(UnknownArtifact, match=r"foundry\.digest"):
        registry.find("models:/strange/1")


def test_other_files_than_were_registered_are_refused(registry, register, tmp_path):
    register(b"whole", "damaged-adapter")
    found = registry.find("models:/damaged-adapter@candidate")
    got = tmp_path / "got"
    got.mkdir()
    with pytest.raises(TrackingError, match="not those that were registered"):
        registry.fetch(replace(found, files_digest="0" * 64), got)
    assert list(got.iterdir()) == []


def test_an_adapter_registered_before_files_had_digests_gets_one_when_it_comes_again(
    registry, register, client, tracker
):
    folder = register(b"older", "older-adapter", digest="abc")
    client.delete_model_version_tag("older-adapter", "1", FILES_TAG)
    assert registry.find("models:/older-adapter/1").files_digest == ""
    run = tracker.start("gallery", "again", {})
    run.adapter(folder, "older-adapter", {}, digest="abc")
    run.finish()
    assert registry.find("models:/older-adapter/1").files_digest == folder_digest(folder)


def test_a_registry_that_is_away_is_named_without_its_login(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9 does not give") as told:
        Registry("http://somebody:secret@127.0.0.1:9").find("models:/any@champion")
    assert "secret" not in str(told.value)


def test_what_mlflow_loads_a_model_by_is_laid_beside_it_and_is_no_part_of_the_adapter(
    registry, register, tmp_path
):
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    first = register(b"early", "early-adapter", champion=True)
    before = registry.find("models:/early-adapter@champion")
    register(b"early", "early-adapter", served={"recipe": "name = 'x'", "phase": ""})
    found = registry.find("models:/early-adapter@champion")
    assert found == before
    got = tmp_path / "got"
    got.mkdir()
    registry.fetch(found, got)
    assert folder_digest(got) == folder_digest(first) == found.files_digest
    assert {path.name for path in got.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    whole = Model.load(download_artifacts(found.source, dst_path=str(tmp_path), tracking_uri=registry._uri))
    assert whole.flavors["python_function"]["loader_module"] == "blip_core.wiring.mlflow_model"
    assert whole.signature.inputs.input_names()[:2] == ["image", "question"]

"""What the hub's own tools fetched is linked and checked, not fetched again; a login stays with the hub."""

import hashlib
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from blip_core.errors import CheckpointError
from blip_core.pocket import models_dir
from blip_core.prefetching import Need, damage, read_lock
from blip_core.prefetching.copies import lock_copies
from blip_core.prefetching.fetching import fetch
from blip_core.prefetching.plans import make_plans
from blip_core.wiring import hub_cache
from tests.hub.stand_in import LARGE, Repository, serving

NAME = "owner/model"
NEED = Need(NAME, "", ("finetune.base",))
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"model": {}}',
    "model.safetensors": save({"x": np.arange(3000, dtype=np.float32)}, metadata={"format": "pt"}),
}


def digest(name, data):
    if name.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def fill(cache, repository, only=None, name=NAME):
    """Lay a repository into the cache as the hub's own tools do."""
    folder = cache / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / repository.commit
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    for tag in repository.tags:
        (folder / "refs" / tag).write_text(repository.commit)
    for path, data in repository.files.items():
        if only and path not in only:
            continue
        blob = folder / "blobs" / digest(path, data)
        blob.write_bytes(data)
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(os.path.relpath(blob, (snapshot / path).parent))
    return folder


@pytest.fixture
def repository(stand_in):
    stand_in.repositories[NAME] = Repository(dict(FILES), tags=("main", "v1"))
    return stand_in.repositories[NAME]


@pytest.fixture
def cached(places, tmp_path):
    return replace(places, cache=tmp_path / "hf" / "hub")


def run(needs, places, hub, told):
    return fetch(make_plans(needs, places, hub), places, hub, told)


def test_what_is_in_the_cache_is_linked_and_locked_like_a_download(repository, stand_in, cached, hub, told):
    folder = fill(cached.cache, repository)
    run([NEED], cached, hub, told)
    assert stand_in.fetched() == []
    locked = read_lock(cached.lock)[NAME]
    assert locked.commit == repository.commit
    assert damage(cached.models / NAME, locked, thorough=True) == []
    weights = cached.models / NAME / "model.safetensors"
    assert weights.samefile(folder / "blobs" / digest("model.safetensors", FILES["model.safetensors"]))
    (cached.models / NAME / "config.json").write_text("changed")
    assert (folder / "blobs" / digest("config.json", FILES["config.json"])).read_bytes() == b"{}"


@pytest.mark.parametrize("lost", list(FILES))
def test_only_what_the_cache_lacks_is_fetched(repository, stand_in, cached, hub, told, lost):
    fill(cached.cache, repository, only=set(FILES) - {lost})
    run([NEED], cached, hub, told)
    assert stand_in.fetched() == [lost]


@pytest.mark.parametrize("name", list(FILES))
def test_a_blob_that_is_not_what_its_name_says_is_not_taken(repository, stand_in, cached, hub, told, name):
    folder = fill(cached.cache, repository)
    (folder / "blobs" / digest(name, FILES[name])).write_bytes(bytes(len(FILES[name])))
    run([NEED], cached, hub, told)
    assert stand_in.fetched() == [name]
    assert (cached.models / NAME / name).read_bytes() == FILES[name]


@pytest.mark.parametrize("revision", ["", "main", "v1", "commit"])
def test_without_a_hub_the_cache_knows_commit_and_files(repository, stand_in, cached, hub, told, revision):
    fill(cached.cache, repository)
    stand_in.down = True
    need = replace(NEED, revision=repository.commit if revision == "commit" else revision)
    run([need], cached, hub, told)
    assert read_lock(cached.lock)[NAME].commit == repository.commit
    assert make_plans([need], cached, hub)[0].state == "here"


def test_offline_nobody_is_asked_at_all(repository, stand_in, cached, told):
    fill(cached.cache, repository)
    lock_copies([NEED], cached, told)
    assert stand_in.asked == []
    assert read_lock(cached.lock)[NAME].commit == repository.commit


@pytest.mark.parametrize("member", ["writer", "painter", "llava", "blip2-t5"])
def test_every_kind_of_checkpoint_is_taken_from_the_cache(stand_in, cached, hub, told, member):
    fill(cached.cache, stand_in.add(NAME, models_dir() / member))
    stand_in.down = True
    run([NEED], cached, hub, told)
    taken = {path.relative_to(cached.models / NAME) for path in (cached.models / NAME).rglob("*")}
    assert taken == {path.relative_to(models_dir() / member) for path in (models_dir() / member).rglob("*")}


def test_pickled_weights_of_the_cache_are_converted_and_stay_there(stand_in, cached, told, hub, tmp_path):
    torch.save({"x": torch.arange(3)}, tmp_path / "x.bin")
    files = {name: data for name, data in FILES.items() if name != "model.safetensors"}
    files["pytorch_model.bin"] = (tmp_path / "x.bin").read_bytes()
    stand_in.repositories[NAME] = Repository(files)
    folder = fill(cached.cache, stand_in.repositories[NAME])
    assert run([NEED], cached, hub, told) == [f"{NAME}/model.safetensors"]
    assert stand_in.fetched() == []
    blob = folder / "blobs" / digest("pytorch_model.bin", files["pytorch_model.bin"])
    assert blob.read_bytes() == files["pytorch_model.bin"]


@pytest.mark.parametrize("harm", ["no ref", "a file short", "a link that leads out", "a dangling link"])
def test_what_the_cache_has_in_part_is_not_taken_without_a_hub(repository, cached, told, harm, tmp_path):
    folder = fill(cached.cache, repository)
    weights = folder / "snapshots" / repository.commit / "model.safetensors"
    if harm == "no ref":
        (folder / "refs" / "main").unlink()
    if harm == "a file short":
        weights.unlink()
    if harm == "a link that leads out":
        (tmp_path / "elsewhere").write_bytes(FILES["model.safetensors"])
        weights.unlink()
        weights.symlink_to(tmp_path / "elsewhere")
    if harm == "a dangling link":
        weights.resolve().unlink()
    with pytest.raises(CheckpointError, match=f"{NAME} is not at"):
        lock_copies([NEED], cached, told)


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"HF_HOME": "/a/hf"}, "/a/hf/hub"),
        ({"HF_HOME": "/a/hf", "HF_HUB_CACHE": "/b"}, "/b"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_hubs_own_tools_have_it(monkeypatch, variables, where):
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(hub_cache()) == where


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_token_goes_to_the_hub_and_to_no_other_host(
    repository, stand_in, places, hub, told, monkeypatch, variable
):
    monkeypatch.setenv(variable, "hf_secret")
    with serving() as other:
        other.repositories = stand_in.repositories
        stand_in.store = other.url.replace("127.0.0.1", "localhost")
        run([NEED], places, hub, told)
        assert other.asked
        assert set(other.tokens.values()) == {""}
    assert stand_in.tokens[f"/{NAME}/resolve/{repository.commit}/config.json"] == "Bearer hf_secret"
    assert "hf_secret" not in places.lock.read_text()

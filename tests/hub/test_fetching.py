"""Fetching from a hub: what is chosen, gone on with, refused, locked, and never asked for again."""

import json
from errno import ENOSPC

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors.numpy import save

from blip_core.errors import CheckpointError, FoundryError, HubAway, PlaceError
from blip_core.pocket import models_dir
from blip_core.prefetching import Need, damage, read_lock
from blip_core.prefetching.conversion_process import convert_file
from blip_core.prefetching.copies import lock_copies
from blip_core.prefetching.fetching import fetch
from blip_core.prefetching.hub import Hub
from blip_core.prefetching.plans import make_plans
from tests.hub.stand_in import Repository

NAME = "owner/model"
NEED = Need(NAME, "", ("finetune.base",))
WEIGHTS = save({"x": np.arange(3000, dtype=np.float32)}, metadata={"format": "pt"})
FILES = {
    "config.json": b'{"architectures": ["X"]}',
    "tokenizer.json": b"{}",
    "merges.txt": b"a b",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"pickled",
    "modeling_x.py": b"import os",
    "README.md": b"# X",
    "model.fp16.safetensors": b"variant",
    "onnx/model.onnx": b"onnx",
    "flax_model.msgpack": b"flax",
}
NEEDED = ["config.json", "merges.txt", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def repository(stand_in):
    stand_in.repositories[NAME] = Repository(dict(FILES))
    return stand_in.repositories[NAME]


def run(needs, places, hub, told, **options):
    return fetch(make_plans(needs, places, hub, **options), places, hub, told)


def names(folder):
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in found)


def test_only_needed_files_come_and_all_of_them_are_locked(repository, places, hub, told):
    run([NEED], places, hub, told)

    folder, locked = places.models / NAME, read_lock(places.lock)[NAME]
    assert names(folder) == NEEDED == sorted(locked.files)
    assert locked.commit == repository.commit
    assert damage(folder, locked, thorough=True) == []
    assert names(places.models / ".prefetch") == ["prefetch.lock"]


def test_a_second_time_asks_the_hub_nothing(repository, stand_in, places, hub, told):
    run([NEED], places, hub, told)
    stand_in.asked.clear()

    assert make_plans([NEED], places, hub)[0].state == "here"
    assert stand_in.asked == []


def test_a_locked_name_keeps_its_commit_until_it_is_renewed(repository, stand_in, places, hub, told):
    run([NEED], places, hub, told)
    stand_in.repositories[NAME] = Repository(FILES | {"config.json": b'{"architectures": ["Y"]}'})

    assert make_plans([NEED], places, hub)[0].commit == repository.commit
    stand_in.asked.clear()
    run([NEED], places, hub, told, renew=True)
    assert read_lock(places.lock)[NAME].commit == stand_in.repositories[NAME].commit != repository.commit
    assert stand_in.fetched() == ["config.json"]


def test_a_cut_connection_is_gone_on_with(repository, stand_in, places, hub, told):
    stand_in.cuts["model.safetensors"] = [5000, 3000]

    run([NEED], places, hub, told)

    assert (places.models / NAME / "model.safetensors").read_bytes() == WEIGHTS
    ranges = [path.partition(" ")[2] for path in stand_in.asked if path.startswith("/cdn/")]
    assert ranges == ["", "bytes=5000-", "bytes=8000-"]


def test_what_came_before_the_hub_went_away_is_kept(repository, stand_in, places, hub, told):
    stand_in.cuts["model.safetensors"] = [5000, *[0] * 20]
    with pytest.raises(HubAway, match="what came is kept"):
        run([NEED], places, hub, told)
    assert not (places.models / NAME).exists()
    assert NAME not in read_lock(places.lock)

    stand_in.cuts.clear()
    stand_in.asked.clear()
    run([NEED], places, hub, told)
    assert set(stand_in.fetched()) == {"model.safetensors"}
    assert told.begun[-1] == ("model.safetensors", len(WEIGHTS), 5000)
    assert (places.models / NAME / "model.safetensors").read_bytes() == WEIGHTS


def test_another_file_than_promised_is_thrown_away(repository, stand_in, places, hub, told):
    stand_in.forged.add("model.safetensors")

    with pytest.raises(FoundryError, match=r"model\.safetensors came with another digest"):
        run([NEED], places, hub, told)

    assert not (places.models / NAME).exists()
    assert not [name for name in names(places.models) if "safetensors" in name]


def test_a_small_file_that_differs_is_noticed_too(repository, stand_in, places, hub, told):
    stand_in.forged.add("tokenizer.json")

    with pytest.raises(FoundryError, match=r"tokenizer\.json came with another digest"):
        run([NEED], places, hub, told)


def test_a_damaged_file_is_mended_alone(repository, stand_in, places, hub, told):
    run([NEED], places, hub, told)
    path = places.models / NAME / "model.safetensors"
    path.write_bytes(bytes(len(WEIGHTS)))
    stand_in.asked.clear()

    run([NEED], places, hub, told)
    assert stand_in.fetched() == ["model.safetensors"]
    assert path.read_bytes() == WEIGHTS


def test_a_copy_of_the_same_commit_is_locked_without_a_download(repository, stand_in, places, hub, told):
    folder = places.models / NAME
    folder.mkdir(parents=True)
    for name in NEEDED:
        (folder / name).write_bytes(FILES[name])

    run([NEED], places, hub, told)
    assert stand_in.fetched() == []
    assert read_lock(places.lock)[NAME].commit == repository.commit


def test_a_file_that_does_not_belong_to_it_is_named(repository, places, hub, told):
    folder = places.models / NAME
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")

    with pytest.raises(CheckpointError, match=r"adapter_config\.json, which is not part of"):
        run([NEED], places, hub, told)


def test_shards_come_with_their_index(stand_in, places, hub, told):
    index = json.dumps({"weight_map": {"x": "model-00001-of-00001.safetensors"}}).encode()
    stand_in.repositories[NAME] = Repository(
        {
            "config.json": b"{}",
            "tokenizer.json": b"{}",
            "model.safetensors.index.json": index,
            "model-00001-of-00001.safetensors": WEIGHTS,
            "pytorch_model.bin.index.json": b"{}",
            "pytorch_model-00001-of-00001.bin": b"pickled",
        }
    )
    run([NEED], places, hub, told)
    expected = ["config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json"]
    assert names(places.models / NAME) == [*expected, "tokenizer.json"]


def test_a_pipeline_comes_by_the_components_of_its_index(stand_in, places, hub, told):
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None],
    }
    stand_in.repositories[NAME] = Repository(
        {
            "model_index.json": json.dumps(index).encode(),
            "unet/config.json": b"{}",
            "unet/diffusion_pytorch_model.safetensors": WEIGHTS,
            "unet/diffusion_pytorch_model.fp16.safetensors": WEIGHTS,
            "unet/diffusion_pytorch_model.bin": b"pickled",
            "tokenizer/tokenizer_config.json": b"{}",
            "tokenizer/merges.txt": b"a b",
            "tokenizer/vocab.json": b"{}",
            "safety_checker/config.json": b"{}",
            "safety_checker/pytorch_model.bin": b"pickled",
            "everything-in-one.safetensors": WEIGHTS,
            "everything-in-one.ckpt": b"pickled",
        }
    )
    run([NEED], places, hub, told)
    assert names(places.models / NAME) == [
        "model_index.json",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ]


@pytest.mark.parametrize("member", ["writer", "painter", "llava", "blip2-opt", "blip2-t5"])
def test_every_kind_of_model_that_a_stage_loads_comes_whole(stand_in, places, hub, told, member):
    folder = models_dir() / member
    stand_in.add(
        NAME, folder, **{"README.md": b"card", "training_args.bin": b"pickled", "extra/x.json": b"{}"}
    )
    run([NEED], places, hub, told)
    assert names(places.models / NAME) == names(folder)


def test_a_gguf_file_comes_alone(stand_in, places, hub, told):
    stand_in.repositories[NAME] = Repository({"q4.gguf": b"GGUF4", "q8.gguf": b"GGUF8", "README.md": b""})
    need = Need(NAME, "", ("scenes.model",), safetensors=False, gguf=("q4.gguf",))

    run([need], places, hub, told)
    assert names(places.models / NAME) == ["q4.gguf"]


def test_what_another_recipe_uses_of_the_same_commit_stays(stand_in, places, hub, told):
    stand_in.repositories[NAME] = Repository(FILES | {"q4.gguf": b"GGUF4", "q8.gguf": b"GGUF8"})
    needs = [Need(NAME, "", ("scenes.model",), False, (f"q{bits}.gguf",)) for bits in (4, 8)]
    for need in [NEED, *needs]:
        run([need], places, hub, told)
    assert names(places.models / NAME) == sorted([*NEEDED, "q4.gguf", "q8.gguf"])
    assert [plan.state for plan in make_plans([NEED, *needs], places, hub)] == ["here"] * 3


def test_code_of_its_own_is_refused_before_the_weights_come(stand_in, places, hub, told):
    files = FILES | {"config.json": b'{"auto_map": {"AutoModel": "modeling_x.X"}}'}
    stand_in.repositories[NAME] = Repository(files)

    with pytest.raises(CheckpointError, match="auto_map"):
        run([NEED], places, hub, told)
    assert "model.safetensors" not in stand_in.fetched()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gated": True}, "is gated: accept its terms"),
        ({"files": {"config.json": b"{}", "model.ckpt": b"x"}}, "has no weights under a name that is loaded"),
        ({"files": {"README.md": b""}}, "neither config.json nor model_index.json"),
    ],
)
def test_a_repository_that_cannot_be_used_says_why(stand_in, places, hub, told, change, said):
    stand_in.repositories[NAME] = Repository(**{"files": dict(FILES)} | change)
    with pytest.raises(CheckpointError, match=said):
        run([NEED], places, hub, told)


def test_a_name_that_the_hub_does_not_have_is_named(stand_in, places, hub, told):
    with pytest.raises(CheckpointError, match=f"has no model {NAME}, or it is private"):
        run([NEED], places, hub, told)


def test_a_revision_that_the_hub_does_not_have_is_named(repository, places, hub, told):
    with pytest.raises(CheckpointError, match=f"{NAME} has no revision v9"):
        run([Need(NAME, "v9", ("finetune.base",))], places, hub, told)


def test_without_a_hub_it_says_where_to_copy_to(places, told, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    nowhere = Hub("http://127.0.0.1:9")
    with pytest.raises(HubAway, match=r"does not answer.*copy a snapshot of owner/model to") as caught:
        run([NEED], places, nowhere, told)
    assert str(places.models / NAME) in str(caught.value)
    assert "--offline" in str(caught.value)


def test_a_hub_that_is_away_is_asked_once(stand_in, places, hub, told):
    stand_in.down = True
    needs = [Need(f"owner/{name}", "", ("labels.model",)) for name in "abc"]
    assert [plan.state for plan in make_plans(needs, places, hub)] == ["unknown"] * 3
    assert len(stand_in.asked) == 1


@pytest.mark.parametrize("way", ["hub", "copies"])
@pytest.mark.parametrize("named", ["a", "ab", "abcde"])
def test_several_that_cannot_be_had_are_named_at_once_with_one_remedy(
    stand_in, places, hub, told, way, named
):
    stand_in.down = True
    needs = [Need(f"owner/{name}", "", ("labels.model",)) for name in named]
    with pytest.raises(FoundryError) as caught:
        lock_copies(needs, places, told) if way == "copies" else run(needs, places, hub, told)
    said = str(caught.value)
    assert [said.count(need.id) >= 1 for need in needs] == [True] * len(named)
    assert said.count("copy a snapshot of") == 1
    assert "\n" not in said


def test_two_at_once_are_told_apart(repository, places, hub, told):
    folder = places.models / ".prefetch"
    folder.mkdir(parents=True)
    with FileLock(folder / "prefetch.lock"), pytest.raises(PlaceError, match="another prefetch is at work"):
        run([NEED], places, hub, told)


def test_a_disk_that_fills_up_keeps_what_came(repository, places, hub, told, monkeypatch):
    def full(self, *_):
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Hub, "download", full)
        with pytest.raises(PlaceError, match="is full"):
            run([NEED], places, hub, told)
    run([NEED], places, hub, told)
    assert names(places.models / NAME) == NEEDED


def test_a_hub_that_is_down_is_said_to_be(repository, stand_in, places, hub, told):
    stand_in.down = True
    with pytest.raises(HubAway, match="status 503"):
        run([NEED], places, hub, told)


def test_a_disk_that_is_too_small_is_refused_before_the_download(
    repository, stand_in, places, hub, told, monkeypatch
):
    monkeypatch.setattr("blip_core.prefetching.plans.free_bytes", lambda path: 1_000_000_000)
    with pytest.raises(PlaceError, match="FOUNDRY_MODELS"):
        run([NEED], places, hub, told)
    assert stand_in.fetched() == []


def test_a_copy_by_hand_is_locked_without_a_hub(places, told):
    folder = places.models / NAME
    folder.mkdir(parents=True)
    for name in NEEDED:
        (folder / name).write_bytes(FILES[name])

    lock_copies([NEED], places, told)
    locked = read_lock(places.lock)[NAME]
    assert locked.commit == ""
    assert locked.version.startswith("local-")
    assert sorted(locked.files) == NEEDED


def test_a_copy_that_lacks_its_weights_is_refused(places, told):
    folder = places.models / NAME
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="lacks weights"):
        lock_copies([NEED], places, told)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_copy_that_lacks_a_file_is_not_locked(name, places, told):
    folder = places.models / NAME
    folder.mkdir(parents=True)
    for one in {*NEEDED} - {name}:
        (folder / one).write_bytes(FILES[one])
    with pytest.raises(CheckpointError, match=rf"{NAME} lacks .*; copy all that the repository {NAME} has"):
        lock_copies([NEED], places, told)
    assert NAME not in read_lock(places.lock)


@pytest.mark.parametrize("lost", ["tokenizer.json", "model-00001-of-00001.safetensors", "merges.txt"])
def test_a_repository_that_never_was_whole_is_refused_before_its_weights_come(
    lost, stand_in, places, hub, told
):
    files = {
        "config.json": b"{}",
        "vocab.json": b"{}",
        "merges.txt": b"",
        "model.safetensors.index.json": b'{"weight_map": {"x": "model-00001-of-00001.safetensors"}}',
        "model-00001-of-00001.safetensors": WEIGHTS,
        "model-00002-of-00002.safetensors": WEIGHTS,
    }
    if lost == "tokenizer.json":
        del files["vocab.json"]
    files.pop(lost, None)
    stand_in.repositories[NAME] = Repository(files)
    with pytest.raises(CheckpointError, match=rf"{NAME} lacks .* on the hub"):
        run([NEED], places, hub, told)
    assert not [name for name in stand_in.fetched() if name.endswith("safetensors")]


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json"])
def test_a_clone_that_git_lfs_never_filled_is_not_locked(name, places, told):
    folder = places.models / NAME
    folder.mkdir(parents=True)
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 900\n")

    with pytest.raises(CheckpointError, match=rf"{name} is a git-lfs pointer"):
        lock_copies([NEED], places, told)
    assert not places.lock.exists()


def test_a_file_that_a_newer_commit_has_not_goes(repository, stand_in, places, hub, told):
    run([NEED], places, hub, told)
    stand_in.repositories[NAME] = Repository({name: FILES[name] for name in NEEDED if name != "merges.txt"})
    run([NEED], places, hub, told, renew=True)
    assert names(places.models / NAME) == [name for name in NEEDED if name != "merges.txt"]


@pytest.fixture
def pickled_shards(stand_in, tmp_path, monkeypatch):
    """A repository of two pickled shards, converted in this process, which is quicker."""
    shards = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    files = {"config.json": b"{}", "tokenizer.json": b"{}"}
    for name, weight in zip(shards, "ab", strict=True):
        torch.save({weight: torch.arange(300)}, tmp_path / name)
        files[name] = (tmp_path / name).read_bytes()
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    files["pytorch_model.bin.index.json"] = json.dumps(index).encode()
    stand_in.repositories[NAME] = Repository(files)
    monkeypatch.setattr(
        "blip_core.prefetching.converting._convert_weights", lambda a, b, _: convert_file(a, b)
    )


CONVERTED = [
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
]


def test_pickled_shards_come_as_safetensors_with_their_index(pickled_shards, stand_in, places, hub, told):
    converted = run([NEED], places, hub, told)

    folder, locked = places.models / NAME, read_lock(places.lock)[NAME]
    assert names(folder) == CONVERTED
    assert converted == [f"{NAME}/{name}" for name in CONVERTED[1:4]]
    assert locked.files[CONVERTED[1]].made_from.startswith("pytorch_model-00001-of-00002.bin ")
    assert damage(folder, locked, thorough=True) == []


def test_converted_weights_are_not_fetched_again_when_another_file_is_mended(
    pickled_shards, stand_in, places, hub, told
):
    run([NEED], places, hub, told)
    (places.models / NAME / "config.json").write_text("[]")
    stand_in.asked.clear()
    run([NEED], places, hub, told)
    assert stand_in.fetched() == ["config.json"]
    assert names(places.models / NAME) == CONVERTED


def test_an_interruption_between_two_conversions_loses_neither(
    pickled_shards, stand_in, places, hub, told, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("blip_core.prefetching.converting._convert_weights", interrupted_at("00002"))
        with pytest.raises(KeyboardInterrupt):
            run([NEED], places, hub, told)
    stand_in.asked.clear()
    run([NEED], places, hub, told)
    assert stand_in.fetched() == []
    assert names(places.models / NAME) == CONVERTED


def interrupted_at(shard):
    def convert(source, target, limit_s):
        if f"-{shard}-" in source.name:
            raise KeyboardInterrupt
        convert_file(source, target)

    return convert

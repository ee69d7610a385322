import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from blip_core.errors import CheckpointError
from blip_core.prefetching import converting
from blip_core.prefetching.conversion_process import convert_file
from blip_core.prefetching.converting import check_index, convert, has_whole_set

pytestmark = pytest.mark.slow


class Command:
    """What a hostile checkpoint would have run."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_file_comes_out_of_its_process_with_equal_tensors(tmp_path):
    weights = {"a": torch.randn(3, 4).half(), "b": torch.arange(5), "c": torch.randn(4, 3).T}
    torch.save(weights, tmp_path / "pytorch_model.bin")

    assert convert(tmp_path, "pytorch_model.bin") == "model.safetensors"

    read = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(read[name], weights[name]) for name in weights)
    assert {path.name for path in tmp_path.iterdir()} == {"pytorch_model.bin", "model.safetensors"}


@pytest.mark.parametrize("archive", [True, False])
def test_tensors_that_share_memory_all_keep_their_names(tmp_path, archive):
    table = torch.randn(6, 4)
    weights = {"embed": table, "head": table, "rows": table[2:4]}
    torch.save(weights, tmp_path / "x.bin", _use_new_zipfile_serialization=archive)

    convert_file(tmp_path / "x.bin", tmp_path / "x.safetensors")

    read = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(read[name], weights[name]) for name in weights)


def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path):
    torch.save({"a": Command(f"touch {tmp_path / 'ran'}")}, tmp_path / "pytorch_model.bin")

    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin holds something else than tensors"):
        convert(tmp_path, "pytorch_model.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["pytorch_model.bin"]


def test_a_file_without_named_tensors_is_refused(tmp_path):
    torch.save({"a": 3}, tmp_path / "x.bin")
    with pytest.raises(TypeError, match="'a' is a int, not a tensor"):
        convert_file(tmp_path / "x.bin", tmp_path / "x.safetensors")


def test_a_conversion_that_takes_too_long_is_killed(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="took more than 0 s and was stopped"):
        convert(tmp_path, "pytorch_model.bin", limit_s=0.01)


def test_a_file_that_grows_in_memory_is_refused(tmp_path, monkeypatch):
    huge = torch.zeros(1).expand(1 << 33)  # 4 bytes on the disk, 32 GB when it is laid out
    torch.save({"a": huge}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="GB of memory, which is its limit"):
        convert(tmp_path, "pytorch_model.bin")


def test_the_process_reaches_no_network_and_starts_no_other():
    code = (
        "import socket, subprocess, sys\n"
        "from blip_core.prefetching import conversion_process as process\n"
        "process.limit_resources(1000)\n"
        "process.leave_network()\n"
        "process.forbid_other_programs('a weight file')\n"
        "connect = lambda: socket.create_connection(('127.0.0.1', {port}), 2)\n"
        "for attempt in (connect, lambda: subprocess.run(['true'])):\n"
        "    try:\n"
        "        attempt()\n"
        "        print('reached')\n"
        "    except PermissionError:\n"
        "        print('refused')\n"
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        text = code.format(port=listening.getsockname()[1])
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused", "refused"]


def test_an_index_is_translated_and_checked_against_its_shards(tmp_path):
    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    for name, weight in zip(names, "ab", strict=True):
        torch.save({weight: torch.zeros(1)}, tmp_path / name)
        convert_file(tmp_path / name, tmp_path / converting.converted_name(name))
    index = {"metadata": {"total_size": 8}, "weight_map": dict(zip("ab", names, strict=True))}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))

    made = convert(tmp_path, "pytorch_model.bin.index.json")

    assert made == "model.safetensors.index.json"
    assert json.loads((tmp_path / made).read_text())["weight_map"]["b"] == "model-00002-of-00002.safetensors"
    check_index(tmp_path, made)
    assert has_whole_set(tmp_path)
    index["weight_map"]["c"] = names[0]
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    convert(tmp_path, "pytorch_model.bin.index.json")
    with pytest.raises(
        CheckpointError, match=r"lists c, which model-00001-of-00002\.safetensors does not hold"
    ):
        check_index(tmp_path, made)

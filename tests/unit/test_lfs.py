from pathlib import Path

import pytest

from blip_core.lfs import is_lfs_pointer, is_lfs_pointer_file

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"


@pytest.mark.parametrize(
    "data",
    [
        POINTER,
        POINTER.replace(b"\n", b"\r\n"),
        POINTER.replace(b"oid", b"ext-0-foo sha256:" + b"0" * 64 + b"\noid"),
        POINTER.replace(b"git-lfs.github.com", b"hawser.github.com"),
    ],
)
def test_a_pointer_is_told_however_it_was_written(data: bytes, tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(data)

    assert is_lfs_pointer(data)
    assert is_lfs_pointer_file(tmp_path / "x.bin")


@pytest.mark.parametrize(
    "data", [b"", b"version 1\n", POINTER[:44], POINTER + b"x" * 1_024, b"# about git-lfs\n" + POINTER]
)
def test_other_files_are_none(data: bytes):
    assert not is_lfs_pointer(data)


def test_a_file_that_is_not_there_is_none(tmp_path: Path):
    assert not is_lfs_pointer_file(tmp_path / "absent")
    assert not is_lfs_pointer_file(tmp_path)

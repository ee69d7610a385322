"""What a release holds, and where it comes from; `make test-release` builds it first."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.deployments.templates import reaches_builder

ROOT = Path(__file__).parents[2]
RELEASE = Path(os.environ["RELEASE"])
PACKAGES = ("blip_core", "flows", "tasks", "deployments")
WRITTEN = {"PKG-INFO", "blip_core/COMMIT"}  # by hatchling, and by hatch_build.py
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def git(*asked: str) -> str:
    return subprocess.run(["git", *asked], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def tree() -> set[str]:
    """Every file that is, or would be, committed."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name for name in listed if name and (ROOT / name).exists()}


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    (path,) = RELEASE.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def archive() -> tarfile.TarFile:
    (path,) = RELEASE.glob("*.tar.gz")
    return tarfile.open(path)


def test_the_source_archive_holds_the_tree_and_nothing_else(archive: tarfile.TarFile, tree: set[str]):
    held = {name.partition("/")[2] for name in archive.getnames()}
    assert held - WRITTEN == tree
    assert held >= WRITTEN


def test_the_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile, tree: set[str]):
    ours = {name for name in tree if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == ours | {"blip_core/COMMIT"}


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_are_told_that_a_package_is_typed(wheel: zipfile.ZipFile, package: str):
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_wheel_says_which_pythons_it_is_for(wheel: zipfile.ZipFile):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    told = message_from_bytes(wheel.read(name))
    assert told["Version"] == PROJECT["version"]
    assert told["Requires-Python"] == "<3.14,>=3.11"
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in told.get_all("Classifier", [])


def test_both_name_the_commit_that_they_were_built_from(wheel: zipfile.ZipFile, archive: tarfile.TarFile):
    head = git("rev-parse", "HEAD").strip()
    (written,) = (one for one in archive.getmembers() if one.name.endswith("/blip_core/COMMIT"))
    file = archive.extractfile(written)
    assert file is not None
    assert file.read().decode().strip() == head
    assert wheel.read("blip_core/COMMIT").decode().strip() == head


def test_the_source_archive_builds_the_same_wheel(archive: tarfile.TarFile, tmp_path: Path):
    archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=folder, check=True)
    (again,), (released,) = tmp_path.glob("*.whl"), RELEASE.glob("*.whl")
    assert again.name == released.name
    assert contents(again) == contents(released)


def contents(wheel: Path) -> dict[str, set[bytes]]:
    """By file: its lines, since only the order of the list of files is another."""
    with zipfile.ZipFile(wheel) as opened:
        return {name: set(opened.read(name).splitlines()) for name in opened.namelist()}


def test_the_digests_are_those_of_what_is_released():
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=RELEASE, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_changelog_begins_with_this_version():
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].split()[1] == PROJECT["version"]


def test_the_list_of_parts_names_all_that_the_bare_environment_holds():
    python = Path(os.environ["BARE"]) / "bin" / "python"
    frozen = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    installed = {(one["name"].lower().replace("_", "-"), one["version"]) for one in json.loads(frozen.stdout)}
    told = json.loads((RELEASE / "sbom.json").read_text())
    parts = {(one["name"].lower().replace("_", "-"), one["version"]) for one in told["components"]}
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["name"] == PROJECT["name"]
    own = {(PROJECT["name"], PROJECT["version"])}
    assert installed - parts - own == set()


def test_a_secret_that_lies_in_the_tree_reaches_nothing_that_is_built(tree: set[str], tmp_path: Path):
    source = tmp_path / "source"
    for name in tree:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith(".safetensors"):  # large, and no text
            (source / name).write_bytes((ROOT / name).read_bytes())
    planted = ("secrets.env", "deployments/compose/secrets.env", "blip_core/.env")
    for name in planted:
        (source / name).write_text("POSTGRES_PASSWORD=c4n4ry")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path / "built")]
    subprocess.run(build, cwd=source, check=True)
    for path in (tmp_path / "built").iterdir():
        shutil.unpack_archive(path, tmp_path / path.suffix, "zip" if path.suffix == ".whl" else "gztar")
    unpacked = [path for kind in (".whl", ".gz") for path in (tmp_path / kind).rglob("*") if path.is_file()]
    assert len(unpacked) > 1000
    assert [path for path in unpacked if b"c4n4ry" in path.read_bytes() and path.suffix != ".py"] == []
    assert [name for name in planted if reaches_builder(name)] == []

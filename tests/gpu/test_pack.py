"""The pack: every wheel pinned and explained, repacked wheels valid, its size bounded."""

import ast
import base64
import csv
import hashlib
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.gpu.pack.build import REQUIREMENTS, check_size, readme, wanted
from tests.gpu.pack.install import main as install
from tests.gpu.pack.repack import repack_bitsandbytes

ROOT = Path(__file__).parents[2]
WHEEL = "bitsandbytes-0.50.2-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel as the published one is, in small."""
    path = tmp_path / WHEEL
    info = "bitsandbytes-0.50.2.dist-info"
    libraries = ["cpu", "cuda124", "cuda130", "cuda132", "rocm72", "xpu2026"]
    with ZipFile(path, "w") as content:
        content.writestr("bitsandbytes/__init__.py", "")
        for library in libraries:
            content.writestr(f"bitsandbytes/libbitsandbytes_{library}.so", library * 9)
        content.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: bitsandbytes\nVersion: 0.50.2\n")
        content.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n")
        content.writestr(f"{info}/RECORD", "")
    return path


def test_the_libraries_that_do_not_fit_are_left_out(wheel: Path, tmp_path: Path) -> None:
    packed = repack_bitsandbytes(wheel, tmp_path)

    libraries = {Path(name).name for name in ZipFile(packed).namelist() if name.endswith(".so")}
    assert libraries == {"libbitsandbytes_cpu.so", "libbitsandbytes_cuda130.so"}
    assert packed.name == "bitsandbytes-0.50.2-1cuda130-py3-none-any.whl"


def test_the_record_names_every_file_with_its_digest_and_size(wheel: Path, tmp_path: Path) -> None:
    packed = ZipFile(repack_bitsandbytes(wheel, tmp_path))

    record = next(name for name in packed.namelist() if name.endswith("RECORD"))
    rows = {
        name: (digest, size) for name, digest, size in csv.reader(packed.read(record).decode().splitlines())
    }
    assert rows.pop(record) == ("", "")
    assert rows.keys() == set(packed.namelist()) - {record}
    for name, (digest, size) in rows.items():
        content = packed.read(name)
        own = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (digest, int(size)) == (f"sha256={own}", len(content))


def test_the_same_wheel_is_packed_the_same_each_time(wheel: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()

    one, two = (repack_bitsandbytes(wheel, folder).read_bytes() for folder in folders)

    assert one == two


def test_a_wheel_without_the_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / WHEEL
    with ZipFile(path, "w") as content:
        content.writestr("bitsandbytes/libbitsandbytes_cuda124.so", "")

    with pytest.raises(SystemExit, match="no library for CUDA 130"):
        repack_bitsandbytes(path, tmp_path)


def test_a_pack_is_installed_without_network_into_a_folder_of_its_own(
    wheel: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    repack_bitsandbytes(wheel, pack)
    (pack / "README.md").write_text("# what and why\n", encoding="utf-8")

    install(["--pack", str(pack), "--into", str(tmp_path / "env")])

    assert (tmp_path / "env" / "bitsandbytes" / "libbitsandbytes_cuda130.so").exists()
    assert "# what and why" in capfd.readouterr().out


def test_an_empty_pack_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no wheels; `make gpu-pack` fills it"):
        install(["--pack", str(tmp_path)])


def test_every_package_is_pinned_by_version_and_digest_and_explained() -> None:
    packages = wanted(REQUIREMENTS.read_text(encoding="utf-8"))

    assert {one.name for one in packages} >= {"bitsandbytes", "diffusers", "pydantic"}
    assert all(one.why for one in packages)


def imported_at_once(path: Path) -> set[str]:
    """Packages that a module imports when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    named = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in [*plain, *named]}


def test_what_the_library_imports_at_once_is_carried_or_in_the_image() -> None:
    in_image = (ROOT / "tests/gpu/pack/machine.txt").read_text(encoding="utf-8").lower()
    there = set(re.findall(r"^[\w-]+", in_image, re.MULTILINE))
    there |= {one.name.lower() for one in wanted(REQUIREMENTS.read_text(encoding="utf-8"))}
    there = {name.replace("_", "-") for name in there}
    elsewhere = {"tracking", "gathering", "serving", "ray_actors.py"}  # that no part of the report enters
    modules = [path for path in (ROOT / "blip_core").rglob("*.py") if elsewhere.isdisjoint(path.parts)]
    imported = set().union(*map(imported_at_once, modules)) - {"blip_core", ""} - sys.stdlib_module_names

    distributions = packages_distributions()
    for package in imported:
        owners = {name.lower().replace("_", "-") for name in distributions[package]}
        assert owners & there, f"{package} of {owners}"


def test_versions_are_those_that_were_tested_together() -> None:
    pinned = {line.lower() for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}

    for one in wanted(REQUIREMENTS.read_text(encoding="utf-8")):
        names = {one.name.lower(), one.name.lower().replace("-", "_"), one.name.lower().replace("_", "-")}
        assert pinned & {f"{name}=={one.version}" for name in names}, one


@pytest.mark.parametrize(
    "text", ["a==1 --hash=sha256:" + "0" * 64, "# why\na==1", "# why\na>=1 --hash=sha256:" + "0" * 64]
)
def test_a_line_without_pin_digest_or_reason_is_refused(text: str) -> None:
    with pytest.raises(SystemExit, match="NAME==VERSION --hash"):
        wanted(text)


def test_a_pack_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.whl").write_bytes(b"0" * 11)

    with pytest.raises(SystemExit, match="may travel"):
        check_size(tmp_path, limit=10)


def test_its_page_says_what_is_carried_and_why(tmp_path: Path) -> None:
    (tmp_path / "tomli_w-1.2.0-py3-none-any.whl").write_bytes(b"0" * 10_000)
    packages = wanted("# writes recipes\ntomli_w==1.2.0 --hash=sha256:" + "0" * 64)

    page = readme(packages, tmp_path)

    assert "| tomli_w | 1.2.0 | 0.01 | writes recipes |" in page
    assert "prefect, mlflow" in page


def test_installing_needs_nothing_but_python() -> None:
    """On the machine nothing of ours is installed when it runs."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); "]
    command[-1] += "import tests.gpu.pack.install"

    assert subprocess.run(command, check=False).returncode == 0

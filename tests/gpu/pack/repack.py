"""bitsandbytes with the libraries of one CUDA version alone: a tenth of its size."""

import base64
import csv
import hashlib
import io
import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

CUDA = "130"
BUILD = f"1cuda{CUDA}"
"""Build tag of the wheel's name, so that nobody takes it for the published one."""

_LIBRARY = re.compile(r"bitsandbytes/libbitsandbytes_(?P<kind>\w+)\.so")
_KEPT = {"cpu", f"cuda{CUDA}"}
_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows; the same input gives the same file


def repack_bitsandbytes(wheel: Path, folder: Path) -> Path:
    """Write a wheel without the libraries that do not fit, its record and its name to match.

    Raises:
        SystemExit: The library for this CUDA version is not in it.
    """
    name, version, *tags = wheel.name.split("-")
    packed = folder / "-".join([name, version, BUILD, *tags])
    info = f"{name}-{version}.dist-info"
    with ZipFile(wheel) as source:
        if f"bitsandbytes/libbitsandbytes_cuda{CUDA}.so" not in source.namelist():
            raise SystemExit(f"{wheel.name} has no library for CUDA {CUDA}; choose another in repack.py")
        files = {entry: source.read(entry) for entry in source.namelist() if _is_kept(entry)}
    files[f"{info}/WHEEL"] = files[f"{info}/WHEEL"].rstrip() + f"\nBuild: {BUILD}\n".encode()
    record = f"{info}/RECORD"
    files[record] = _record({entry: content for entry, content in files.items() if entry != record}, record)
    with ZipFile(packed, "w") as target:
        for entry, content in files.items():
            target.writestr(ZipInfo(entry, _DAY), content, ZIP_DEFLATED, 9)
    return packed


def _is_kept(entry: str) -> bool:
    library = _LIBRARY.fullmatch(entry)
    return not entry.endswith("/") and (library is None or library["kind"] in _KEPT)


def _record(files: dict[str, bytes], own: str) -> bytes:
    """Digest and size of every file, as the packaging standard has it."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for entry, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([entry, f"sha256={digest}", len(content)])
    rows.writerow([own, "", ""])
    return text.getvalue().encode()

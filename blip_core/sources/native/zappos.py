"""UT-Zappos50K (Yu and Grauman 2014): catalogue pictures of shoes with their attributes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from blip_core.errors import TableError
from blip_core.recipes.native import ZapposSettings
from blip_core.sources.native.files import csv_rows, read_text_file
from blip_core.sources.native.layout import Layout, NativeRow, Unusable

_DATA = "ut-zap50k-data"
_META, _PATHS = f"{_DATA}/meta-data.csv", f"{_DATA}/image-path"
_COLUMNS = {
    "category": "Category",
    "object": "SubCategory",
    "heel": "HeelHeight",
    "insole": "Insole",
    "closure": "Closure",
    "gender": "Gender",
    "material": "Material",
    "toe": "ToeStyle",
}
_MAT_NAME = "imagepath"  # of the only variable in image-path.mat


def _files(root: Path, settings: ZapposSettings) -> list[Path]:
    del settings
    as_csv = root / f"{_PATHS}.csv"
    return [root / _META, as_csv if as_csv.exists() else root / f"{_PATHS}.mat"]


def _rows(root: Path, settings: ZapposSettings) -> Iterator[NativeRow | Unusable]:
    meta, paths = _files(root, settings)
    told = list(csv_rows(meta, ("CID", *_COLUMNS.values())))
    names = _names_of_mat(paths) if paths.suffix == ".mat" else _names_of_text(paths)
    if len(told) != len(names):
        raise TableError(
            f"{meta} has {len(told)} rows and {paths} has {len(names)}: the n-th path belongs to the n-th "
            "row, so one of them is of another version; fetch both again"
        )
    times = Counter(row["CID"] for row in told)
    for place, (row, name) in enumerate(zip(told, names, strict=True), start=1):
        yield _row(place, row, name, settings, times[row["CID"]])


def _row(
    place: int, row: dict[str, str], name: str, settings: ZapposSettings, times: int
) -> NativeRow | Unusable:
    cid = row["CID"] or f"line-{place}"
    stem = PurePosixPath(name).stem
    if times > 1:
        return Unusable(cid, "repeated-id", f"CID {cid} comes {times} times")
    if stem.replace(".", "-") != cid:  # 100627.72.jpg shows 100627-72
        return Unusable(cid, "contradicting-path", f"its path is {name!r}, of another CID")
    words = {field: _words(row[column]) for field, column in _COLUMNS.items()}
    parts = PurePosixPath(name).parts
    brand = {"brand": parts[-2]} if len(parts) > 1 else {}
    return NativeRow(
        id=cid,
        picture=f"{settings.images}/{name}",
        category=row["SubCategory"] or row["Category"],
        group=cid.partition("-")[0],  # the same shoe in another colour
        attributes={field: word for field, word in {**words, **brand}.items() if word},
    )


def _words(value: str) -> str:
    """Several values of a cell, which semicolons part, as words; lower-cased, as in a sentence."""
    return " and ".join(part.strip().lower() for part in value.split(";") if part.strip())


def _names_of_text(path: Path) -> list[str]:
    lines = (line.strip().strip('"') for line in read_text_file(path).splitlines())
    names = [line for line in lines if line]
    return names[1:] if names and names[0].lower() == _MAT_NAME else names


def _names_of_mat(path: Path) -> list[str]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, variable_names=[_MAT_NAME])
        return [str(cell.item()) for cell in content[_MAT_NAME].ravel()]
    except NotImplementedError as error:
        raise TableError(
            f"{path} is a MATLAB file of version 7.3, and the published one is older; fetch it again, or "
            f"write its paths to {path.with_suffix('.csv').name}, one a line"
        ) from error
    except (MatReadError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise TableError(
            f"{path} cannot be read as a MATLAB file with a list {_MAT_NAME!r}: {error}; fetch it again"
        ) from error


UT_ZAPPOS = Layout(
    "ut-zappos",
    "UT-Zappos50K: shoes with category, material, closure, heel and more",
    ZapposSettings,
    _files,
    _rows,
    "ut-zap50k-images.zip and ut-zap50k-data.zip are at vision.cs.utexas.edu/projects/finegrained/utzap50k",
    "UT-Zappos50K is for academic, non-commercial use alone; its pictures are Zappos.com's.",
)

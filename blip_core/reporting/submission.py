"""What a table's answers are handed out as: a submission, all that was said of each row, refused rows.

A CSV file is opened in spreadsheets, which execute a cell that begins like a formula, and ids come from
strangers. Such a cell gets an apostrophe in front, which spreadsheets take for "this is text"; a plain number
(`-5`) stays as it is. `predictions.parquet` holds every id unchanged.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa

from blip_core.errors import PlaceError
from blip_core.records import EXAMPLE_SCHEMA, Example, Prediction, Rejection, prediction_schema

SUBMISSION = "submission.csv"
PREDICTIONS = "predictions.parquet"
PROBLEMS = "problems.csv"
SCORES = "scores.json"
REPORT = "report.html"
FILES = (REPORT, PREDICTIONS, PROBLEMS, SCORES, SUBMISSION)
"""All that is written, in the order in which it appears: whoever sees a submission sees the rest, too."""

_UNFINISHED = ".unfinished-"
_QUESTION_FIELDS = ("question", "a", "b", "c", "d", "more", "context")
# The second four are what some spreadsheets read as the first; tab and line ends would hide what follows.
_FORMULA_STARTS = tuple("=+-@＝＋－＠\t\r\n")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_BARE = re.compile(r"[\w .:/()#-]*")
_ROW_NUMBER = re.compile(r"row (\d+)")


@dataclass(frozen=True, slots=True)
class Answered(Prediction):
    """A prediction with its margin and the question it answers, so that it can be read by itself."""

    margin: float = 0.0  # a column here; a prediction works it out
    question: str = ""
    a: str = ""
    b: str = ""
    c: str = ""
    d: str = ""
    more: tuple[str, ...] = ()
    context: str = ""

    @classmethod
    def of(cls, example: Example, prediction: Prediction, flag: str = "") -> "Answered":
        """Put a question beside what was said of it, with one more flag where its picture has one."""
        asked = {name: getattr(example, name) for name in _QUESTION_FIELDS}
        said = {one.name: getattr(prediction, one.name) for one in fields(Prediction)}
        said["flags"] = f"{prediction.flags} {flag}".strip()
        return cls(**said, **asked, margin=prediction.margin)


def answered_schema(tasks: Iterable[str]) -> pa.Schema:
    """Schema of a file of answered rows of some kinds."""
    asked = [EXAMPLE_SCHEMA.field(name) for name in _QUESTION_FIELDS]
    return pa.schema([*prediction_schema(tasks), ("margin", pa.float64()), *asked])


def submission_rows(answers: Sequence[Prediction], rejections: Sequence[Rejection]) -> list[tuple[str, str]]:
    """Id and letter, or text, of every row in the table's order; a refused row has none.

    A submission is judged on every id, so that a row that cannot be answered is there nevertheless. An id
    that comes again has no second line.

    Args:
        answers: in the table's order.
        rejections: whose details begin with the number of their row, counted from 1.
    """
    refused = {_row_number(rejection): rejection for rejection in rejections}
    waiting: Iterator[Prediction] = iter(answers)
    rows: dict[str, str] = {}
    for number in range(1, len(answers) + len(refused) + 1):
        if number in refused:
            rows.setdefault(refused[number].id, "")
            continue
        answer = next(waiting)
        rows[answer.id] = answer.ranked if answer.offered else answer.generated
    return list(rows.items())


def _row_number(rejection: Rejection) -> int:
    found = _ROW_NUMBER.match(rejection.detail)
    if found is None:
        raise ValueError(f"the rejection of {rejection.id} does not name its row: {rejection.detail}")
    return int(found[1])


def write_submission(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write ids and letters, or texts, under `id,answer`."""
    _write_csv(path, ("id", "answer"), rows)


def write_problems(path: Path, rejections: Sequence[Rejection]) -> None:
    """Write refused rows under `row,id,reason,detail`; without any, the heading alone."""
    rows = ((str(_row_number(one)), one.id, one.reason, one.detail) for one in rejections)
    _write_csv(path, ("row", "id", "reason", "detail"), rows)


def _write_csv(path: Path, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = (",".join(csv_cell(cell) for cell in row) for row in (heading, *rows))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")


def csv_cell(text: str) -> str:
    """A cell of a CSV file that no spreadsheet executes.

    Whatever is not plain stands in quotes: a spreadsheet that parts cells at semicolons would otherwise begin
    a new one, and a formula, in the midst of a text.
    """
    text = f"'{text}" if is_formula(text) else text
    return text if _BARE.fullmatch(text) else '"' + text.replace('"', '""') + '"'


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula."""
    return text.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)


def check_out(folder: Path, overwrite: bool) -> None:
    """Make sure that answers may be written to a folder: it is new, empty, or holds answers written before.

    Args:
        folder: where to.
        overwrite: whether it may hold other files as well; they stay.

    Raises:
        PlaceError: It may not, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise PlaceError(f"{folder} is a file; name a folder for the answers")
    if overwrite or not folder.exists():
        return
    names = {path.name for path in folder.iterdir() if not path.name.startswith(_UNFINISHED)}
    others = sorted(names - set(FILES))
    if others:
        raise PlaceError(
            f"{folder} holds other files, such as {others[0]}; name a new folder, or allow it with "
            f"--overwrite: then {', '.join(FILES)} are replaced and all else stays"
        )
    if names and PREDICTIONS not in names:
        raise PlaceError(
            f"{folder} holds {', '.join(sorted(names))} that no prediction wrote; name a new folder, or "
            "replace them with --overwrite"
        )


def publish_answers(folder: Path, writers: Mapping[str, Callable[[Path], None]]) -> dict[str, Path]:
    """Write answers into a folder: whoever looks sees each file whole, or as it was before.

    Args:
        folder: made if need be; files of an earlier run that are not written now are removed.
        writers: what writes each of `FILES` that is due, by its name.

    Returns:
        Path by name.

    Raises:
        PlaceError: The folder cannot be written.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as unfinished:
            for name, write in writers.items():
                write(Path(unfinished) / name)
            for name in FILES:
                if name in writers:
                    (Path(unfinished) / name).replace(folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
    return {name: folder / name for name in FILES if name in writers}


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlaceError(
            f"answers cannot be written to {folder}: {error.strerror}; name another folder with --out"
        ) from error

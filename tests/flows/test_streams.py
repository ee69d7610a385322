"""Standard streams of any encoding, closed or cut off: output degrades, and no stack trace ends it."""

import io
import os
import subprocess
import sys

import pytest

from flows.cli import streams
from tests.unit.examples import png, world_pixels

pytestmark = pytest.mark.slow

FOUNDRY = [sys.executable, "-m", "flows.cli.app"]
ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def foundry(*arguments, closed=(), **environment):
    """Run a command; `closed` names streams by their numbers."""
    command = " ".join([*map(_quoted, [*FOUNDRY, *arguments]), *(f"{number}>&-" for number in closed)])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONIOENCODING"} | environment
    return subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=False)


def _quoted(word):
    return "'" + word.replace("'", "'\\''") + "'"


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("utf-8", "✓ 사진 …", "✓ 사진 …".encode()),
        ("ascii", "✓ 12.5–30 % · 사진 …", rb"+ 12.5-30 % - \uc0ac\uc9c4 ..."),
        ("latin-1", "✗ café “no” ± 2", b'x caf\xe9 "no" \xb1 2'),
        ("cp949", "✓ 사진 é", "+ 사진 \\xe9".encode("cp949")),
        ("cp1252", "… × Ω 🎉", "… × \\u03a9 \\U0001f389".encode("cp1252")),
        ("utf-8", "a file named \udcff", rb"a file named \udcff"),
    ],
)
def test_a_sign_that_the_console_lacks_is_written_as_what_resembles_it(monkeypatch, encoding, text, expected):
    sink = io.BytesIO()
    console = io.TextIOWrapper(sink, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", console)
    streams.settle_streams()
    console.write(text)
    console.flush()
    assert sink.getvalue() == expected


def test_help_of_every_command_reaches_an_ascii_console():
    done = foundry("predict", "--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"+- Options ---" in done.stdout


def test_arguments_and_file_names_of_any_script_are_read_under_an_ascii_locale(tmp_path):
    table = tmp_path / "질문.csv"
    table.write_text("사진,질문,가,나,정답\n그림.png,무엇?,개,배,개\n", encoding="utf-8")
    (tmp_path / "그림.png").write_bytes(png(world_pixels(0)))
    columns = ["image=사진", "question=질문", "a=가", "b=나", "answer=정답"]
    named = [part for column in columns for part in ("--column", column)]
    done = foundry(
        "predict", str(table), *named, "--variant", "flan-t5", "--dry-run", "--json",
        **ASCII_LOCALE, FOUNDRY_HOME=str(tmp_path / "홈"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b'"image": "\\uc0ac\\uc9c4"' in done.stdout


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_a_closed_stream_leads_to_nowhere(closed, tmp_path):
    done = foundry("datasets", closed=closed, FOUNDRY_HOME=str(tmp_path / "home"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"" or 1 not in closed


@pytest.mark.parametrize("reader", ["head -c 1", "true", "head -n 1"])
def test_a_reader_that_leaves_early_sees_no_stack_trace(reader):
    command = f"{' '.join(map(_quoted, FOUNDRY))} show gallery-vqa | {reader}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.stderr == b""


def test_a_full_disk_behind_standard_output_is_one_sentence():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [*FOUNDRY, "show", "gallery-vqa"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"foundry: [Errno 28] No space left on device; make room")
    assert done.stderr.count(b"\n") == 1

"""pip-audit, asked about a pin with a known weakness and about ours."""

from pathlib import Path

from tests.audit.__main__ import audit
from tests.audit.advisories import CONSTRAINTS


def test_a_weak_pin_is_named(tmp_path: Path):
    (tmp_path / "weak.txt").write_text("pillow==10.0.0\n")
    done = audit(tmp_path / "weak.txt")
    assert done.returncode == 1
    assert "PYSEC-2023-175" in done.stdout


def test_ours_are_not():
    done = audit(CONSTRAINTS)
    assert done.returncode == 0, done.stdout

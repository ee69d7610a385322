"""What a report has measured so far, and the three files that hold it: whole at every moment."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.gpu.report.page import page

FORMAT = 1
REPORT, PAGE, RATES = "report.json", "report.md", "rates.json"

Status = Literal["waiting", "running", "done", "stopped", "failed", "not started"]


@dataclass(slots=True)
class PartResult:
    """What became of a part.

    Attributes:
        name: of the part.
        title: what it measures.
        bound_s: seconds that it was given.
        status: `stopped` is what ran out of time, `failed` what broke.
        seconds: that it took.
        error: what broke it, in a line.
        figures: measured by then.
    """

    name: str
    title: str
    bound_s: float
    status: Status = "waiting"
    seconds: float = 0.0
    error: str = ""
    figures: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """A report that grows; `save` after every change leaves files that are whole.

    Attributes:
        folder: where they are left.
        size: of what is measured.
        minutes: that it may take.
        date: of its beginning, as 2026-11-30.
        parts: in order.
        status: `running` until its end; that is what a killed one says for ever.
        machine: what it ran on, and with which versions.
        peaks: rates of the card, as `setting.Setting` takes them.
        rates: for `foundry plan`.
    """

    folder: Path
    size: str
    minutes: float
    date: str
    parts: list[PartResult]
    status: str = "running"
    machine: dict[str, Any] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    rates: list[dict[str, Any]] = field(default_factory=list)

    def add(self, part: PartResult, figures: dict[str, Any]) -> None:
        """Keep a measurement of a part."""
        self.peaks |= figures.pop("peaks", {})
        rate = figures.pop("rate", None)
        if rate:
            self.rates.append(rate)
        part.figures.append(figures)
        self.save()

    @property
    def broken_claims(self) -> list[str]:
        """What was claimed and does not hold."""
        return [one["what"] for part in self.parts for one in part.figures if not one.get("holds", True)]

    def to_dict(self) -> dict[str, Any]:
        """The report as programs read it."""
        told = {name: value for name, value in asdict(self).items() if name not in ("folder", "rates")}
        return {"format": FORMAT, **told, "broken_claims": self.broken_claims}

    def save(self) -> None:
        """Write all files anew, each in one step."""
        told = self.to_dict()
        _write(self.folder / REPORT, _json(told))
        _write(self.folder / PAGE, page(told))
        if self.rates:
            measured = {"device": self.machine.get("device", ""), "date": self.date}
            _write(self.folder / RATES, _json({"format": FORMAT, **measured, "rates": self.rates}))


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _write(path: Path, text: str) -> None:
    """Under its own name a file is either the one before or this one."""
    fresh = path.with_name(f".{path.name}")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

"""Pages of runs that are over: on this machine, or in the bucket that several share."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from blip_core.errors import UnknownArtifact
from blip_core.reporting.submission import REPORT
from blip_core.wiring import Workplace
from flows.results.sharing import REPORTS
from tasks.chosen import SHOWN_CHARS


@dataclass(frozen=True, slots=True)
class Report:
    """What a run left to be looked at.

    Attributes:
        run: id of the run in its journal.
        at: when it was written.
        folder: where it lies on this machine; None, it is in the bucket alone.
    """

    run: str
    at: datetime
    folder: Path | None

    @property
    def short(self) -> str:
        """The beginning of the id, as people type it."""
        return self.run[:SHOWN_CHARS]

    @property
    def page(self) -> str:
        """What to open: the run's page, or the folder where it wrote none; empty where it is not here."""
        page = self.folder / REPORT if self.folder else None
        return str(page if page and page.exists() else self.folder or "")

    def to_dict(self) -> dict[str, str]:
        return {"run": self.run, "written": self.at.isoformat(timespec="seconds"), "page": self.page}


def find_reports(place: Workplace) -> list[Report]:
    """Reports of this machine and of the bucket, newest first."""
    here = {path.name: path for path in place.reports.glob("*") if path.is_dir()}
    found = [Report(name, _written(path), path) for name, path in here.items()]
    shelf = place.store.place.shelf
    there = shelf.ages(REPORTS) if shelf is not None else {}
    found += [Report(run, at, None) for run, at in there.items() if run not in here]
    return sorted(found, key=lambda one: one.at, reverse=True)


def bring_report(place: Workplace, beginning: str) -> Report:
    """The report of the run whose id begins so, brought to this machine if need be.

    Raises:
        UnknownArtifact: None does, or several do.
    """
    named = [one for one in find_reports(place) if one.run.startswith(beginning)]
    if len(named) != 1:
        what = f"{len(named)} reports begin" if named else "no report begins"
        raise UnknownArtifact(f"{what} with {beginning!r}; `foundry reports` lists all")
    (report,) = named
    shelf = place.store.place.shelf
    if report.folder or shelf is None:
        return report
    place.reports.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.reports.parent, prefix=".report-") as name:
        brought = Path(name) / report.run
        shelf.bring(f"{REPORTS}/{report.run}", brought)
        brought.rename(place.reports / report.run)
    return Report(report.run, report.at, place.reports / report.run)


def _written(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)

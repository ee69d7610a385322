"""A tracked run: every call is written to its journal, then handed to MLflow."""

import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from blip_core import strict_json
from blip_core.finite import check_finite
from blip_core.tracking.delivery import Delivery
from blip_core.tracking.journal import SUFFIX, Journal, Kind
from blip_core.tracking.mirroring import LiveMirror, mirror_missed
from blip_core.tracking.pages import NOTE_CHARS, NOTE_TAG


class JournalledRun:
    """An open run; safe for threads, as nothing here looks at MLflow's notion of an active run.

    Args:
        journal: where every entry goes first.
        delivery: sends entries on; None for a run that lives in its journal alone.
    """

    def __init__(self, journal: Journal, delivery: Delivery | None) -> None:
        self._journal = journal
        self._delivery = delivery
        self._lock = threading.RLock()
        self._experiment = self._parent = ""
        self._mirrors: tuple[str, ...] = ()
        self._live = LiveMirror(journal.path)
        self._is_finished = False

    @classmethod
    def open(
        cls,
        journal: Journal,
        delivery: Delivery | None,
        experiment: str,
        name: str,
        tags: Mapping[str, str],
        parent: str = "",
        mirrors: Sequence[str] = (),
    ) -> Self:
        """Write the first entry of a run; `parent` is the id of the run it stands below."""
        run = cls(journal, delivery)
        run._experiment, run._parent, run._mirrors = experiment, parent, tuple(mirrors)
        start = {"experiment": experiment, "name": name, "tags": dict(tags), "parent": parent}
        run._write("start", {**start, "mirrors": list(mirrors)} if mirrors else start)
        run.flush()
        return run

    @property
    def id(self) -> str:
        return self._journal.run_id

    @property
    def parent(self) -> str:
        """Id of the run that this one stands below; empty without one."""
        return self._parent

    @property
    def is_delivered(self) -> bool:
        """Whether it is over, and MLflow has all of it."""
        return self._is_finished and self._delivery is not None and not self._delivery.waiting

    @property
    def mlflow_id(self) -> str:
        return self._delivery.mlflow_id if self._delivery else ""

    def page(self, server: str) -> str:
        """Address of the run on an MLflow server (`http://127.0.0.1:5000`); empty while it is unknown."""
        return self._delivery.page(server) if self._delivery else ""

    def file_page(self, server: str, path: str) -> str:
        """Address of a page of an MLflow server that shows a file of this run; empty as `page` is."""
        return self._delivery.file_page(server, path) if self._delivery else ""

    def file_address(self, server: str, path: str) -> str:
        """Address of the bytes of a file of this run on an MLflow server; empty as `page` is."""
        return self._delivery.file_address(server, path) if self._delivery else ""

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings; each is written once and never changes."""
        self._write("params", {"values": {name: str(value) for name, value in values.items()}})

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record values of one step.

        Raises:
            NotANumber: One is none; nothing of the step is recorded.
        """
        check_finite(f"metrics of step {step}", values)
        self._write(
            "metrics", {"values": {name: float(value) for name, value in values.items()}, "step": step}
        )

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags; a later value replaces an earlier one."""
        self._write("tags", {"values": dict(values)})

    def note(self, markdown: str) -> None:
        """Describe the run on its page; a later note replaces an earlier one."""
        cut = markdown if len(markdown) <= NOTE_CHARS else f"{markdown[: NOTE_CHARS - 1]}…"
        self.tags({NOTE_TAG: cut})

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a file, or a folder with all it holds, below `folder`."""
        with self._lock:
            self._write("artifact", {"file": self._journal.keep(path), "folder": folder})

    def dataset(self, name: str, digest: str, path: Path, rows: int, context: str = "training") -> None:
        """Name a dataset the run used, by our own digest."""
        self._write(
            "dataset",
            {"name": name, "digest": digest, "path": str(path.resolve()), "rows": rows, "context": context},
        )

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Keep rows of JSON values as a table that MLflow shows; all rows have the columns of the first."""
        columns = list(rows[0]) if rows else []
        text = strict_json.dumps(
            {"columns": columns, "data": [[row[name] for name in columns] for row in rows]},
            ensure_ascii=False,
        )
        with self._lock:
            name = Path(file)
            folder = "" if name.parent == Path() else str(name.parent)
            self._write("table", {"file": self._journal.keep_text(name.name, text), "folder": folder})

    def adapter(
        self,
        path: Path,
        name: str,
        metrics: Mapping[str, float],
        *,
        digest: str = "",
        champion: bool = False,
        served: Mapping[str, str] | None = None,
    ) -> str:
        """Register the adapter in the folder `path` as a version of the model `name`.

        It gets the alias `candidate`, and `champion` as well when told so. An adapter of a digest that the
        registry knows keeps its version. `served` says how it answers, for who loads it through MLflow: the
        resolved `recipe` as TOML, and the `phase`.

        Returns:
            The version; empty as long as no server has heard of it.

        Raises:
            NotANumber: A metric is none.
        """
        check_finite(f"metrics of {name}", metrics)
        with self._lock:
            values = {"name": name, "metrics": dict(metrics), "digest": digest, "champion": champion}
            if served:
                values["served"] = dict(served)
            number = self._write("adapter", {"file": self._journal.keep(path), **values})
            self.flush()
            return self._delivery.version_of(number) if self._delivery else ""

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> "JournalledRun":
        """Open a run below this one, in the same experiment."""
        journal = Journal(self._journal.path.with_name(f"{uuid.uuid4().hex}{SUFFIX}"))
        delivery = self._delivery.for_journal(journal.path) if self._delivery else None
        return JournalledRun.open(
            journal, delivery, self._experiment, name, tags or {}, parent=self.id, mirrors=self._mirrors
        )

    def flush(self) -> None:
        """Send what waits, unless the server was found to be away a moment ago."""
        with self._lock:
            if self._delivery:
                self._delivery.flush()

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run as FINISHED, FAILED or KILLED; closing it again does nothing."""
        with self._lock:
            if self._is_finished:
                return
            self._write("finish", {"status": status})
            self._is_finished = True
            self._journal.sync()
            self.flush()
            self._journal.close()
            if self._delivery and not self._parent:
                self._delivery.settle()
            if self._mirrors and not self._parent:
                mirror_missed(self._journal.path.parent)

    def _write(self, kind: Kind, data: Mapping[str, Any]) -> int:
        with self._lock:
            entry = self._journal.append(kind, data)
            if self._delivery:
                self._delivery.add(entry)
            self._live.add(entry)
            return entry.number

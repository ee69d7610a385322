"""What was asked before and what came of it, kept in the folder that is filled: nothing is asked twice."""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.gathering.fetching import Answer, Web
from blip_core.gathering.hosts import Address, address_of
from blip_core.gathering.refused import Refused
from blip_core.store.durable import sync

STATE = ".web"
PICTURES = "pictures"
_JOURNAL = "visits.jsonl"
_SETTINGS_CHARS = 16
_ENDINGS = {"jpeg": "jpg", "svg+xml": "svg", "x-ms-bmp": "bmp"}  # where they differ from the media type


@dataclass(frozen=True, slots=True)
class _Visit:
    """One line of the journal; of several about one address the last counts."""

    asked: str
    address: str = ""
    kind: str = ""
    charset: str = ""
    robots_tag: str = ""
    file: str = ""
    reason: str = ""
    detail: str = ""
    passing: bool = False
    under: str = ""


class Visits:
    """Asks the web, or remembers.

    Args:
        folder: to keep the answers in: pictures below `pictures`, the rest below `.web`.
        web: that is asked.
        settings: what refusals hang on, such as hosts and limits: under others is asked again.
    """

    def __init__(self, folder: Path, web: Web, settings: str = "") -> None:
        self.folder = folder
        self.web = web
        self._settings = hashlib.sha256(settings.encode()).hexdigest()[:_SETTINGS_CHARS]
        self._journal = folder / STATE / _JOURNAL
        self._visits = {visit.asked: visit for visit in _read(self._journal)}
        for name in (STATE, PICTURES):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def get(
        self, address: Address, max_bytes: int, kinds: Iterable[str], may: Callable[[Address], float]
    ) -> Answer:
        """The answer of an address, see `Web.get`; refusals are remembered, too, unless they may pass."""
        self.web.allowed.check(address)
        visit = self._visits.get(str(address))
        if visit is not None and visit.reason and not visit.passing and visit.under == self._settings:
            raise Refused(visit.reason, visit.detail)
        if visit is not None and not visit.reason and (kept := self._kept(visit)):
            return kept
        try:
            answer = self.web.get(address, max_bytes, kinds, may)
        except Refused as refused:
            self.refuse(address, refused)
            raise
        self._keep(address, answer)
        return answer

    def file_of(self, answer: Answer) -> str:
        """Where an answer lies below the folder: under the digest of its bytes."""
        digest = hashlib.sha256(answer.content).hexdigest()
        family, _, name = answer.kind.partition("/")
        if family != "image":
            return f"{STATE}/{digest}"
        ending = "".join(filter(str.isalnum, _ENDINGS.get(name, name)))
        return f"{PICTURES}/{digest}.{ending}"

    def refuse(self, address: Address, refused: Refused) -> None:
        """Remember that an address, or what it gave, is not taken."""
        self._note(
            _Visit(
                str(address),
                reason=refused.reason,
                detail=str(refused),
                passing=refused.passing,
                under=self._settings,
            )
        )

    def drop(self, address: Address, answer: Answer, refused: Refused) -> None:
        """Remember that what an address gave is not taken, and forget the bytes."""
        self.refuse(address, refused)
        (self.folder / self.file_of(answer)).unlink(missing_ok=True)

    def _keep(self, address: Address, answer: Answer) -> None:
        file = self.file_of(answer)
        write_whole(self.folder / file, answer.content)
        self._note(
            _Visit(
                str(address),
                str(answer.address),
                answer.kind,
                answer.charset,
                answer.headers.get("x-robots-tag", ""),
                file,
            )
        )

    def _kept(self, visit: _Visit) -> Answer | None:
        """What lies there still, as it came; None where it is gone or was changed."""
        try:
            content = (self.folder / visit.file).read_bytes()
            address = address_of(visit.address)
        except (OSError, Refused):
            return None
        headers = {"x-robots-tag": visit.robots_tag}
        answer = Answer(address, visit.kind, visit.charset, headers, content)
        return answer if self.file_of(answer) == visit.file else None

    def _note(self, visit: _Visit) -> None:
        self._visits[visit.asked] = visit
        with self._journal.open("ab") as journal:
            journal.write(strict_json.dumps({k: v for k, v in asdict(visit).items() if v}).encode() + b"\n")
            journal.flush()
            os.fsync(journal.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    sync(unfinished)
    unfinished.replace(path)


def _read(journal: Path) -> list[_Visit]:
    """The lines of a journal; one that a kill cut, or that somebody edited, is asked for again."""
    try:
        lines = journal.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [visit for line in lines if (visit := _visit(line)) is not None]


def _visit(line: bytes) -> _Visit | None:
    try:
        content: dict[str, Any] = strict_json.loads(line)
        visit = _Visit(**content)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = {name: value for name, value in asdict(visit).items() if name != "passing"}
    return visit if all(isinstance(value, str) for value in texts.values()) else None

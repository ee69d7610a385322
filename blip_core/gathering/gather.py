"""Pictures with their texts, from pages on the web into a folder that recipes read without any network."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from blip_core import strict_json
from blip_core.errors import PictureError, PlaceError, TableError, UserMistake
from blip_core.gathering.fetching import Web
from blip_core.gathering.hosts import Address, address_of
from blip_core.gathering.pages import Page, Shown, read_page
from blip_core.gathering.refused import Refused
from blip_core.gathering.robots import Robots, unwanted
from blip_core.gathering.visits import STATE, Visits, write_whole
from blip_core.images import check_stranger

INDEX = "alt-texts.jsonl"  # as the layout `alt-texts` of published sets has it
REFUSED = "refused.jsonl"
HTML = ("text/html", "application/xhtml+xml")
_LOCK = "lock"

Progress = Callable[[int, int], None]  # pages read, pictures kept


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pictures are wanted.

    Attributes:
        depth: how many links away from the first pages; 0, these alone.
        without_texts: whether also those that the page says nothing of.
        min_side_px: of the shorter side; smaller ones are signs and dots.
    """

    depth: int = 0
    without_texts: bool = False
    min_side_px: int = 64


class Gathered(NamedTuple):
    """What came of it.

    Attributes:
        pages: that were read.
        pictures: that lie in the folder now.
        refused: addresses and pictures that were not taken, by reason.
        requests: that were sent this time.
        ended: which limit ended it; empty where all was seen.
    """

    pages: int
    pictures: int
    refused: dict[str, int]
    requests: int
    ended: str


class _LimitReached(Exception):
    """Names the limit."""


def gather(
    pages: Sequence[str],
    folder: Path,
    web: Web,
    wanted: Wanted | None = None,
    on_progress: Progress = lambda read, kept: None,
) -> Gathered:
    """Fill a folder with the pictures of pages; a second time nothing is asked that came before.

    `alt-texts.jsonl` has a line a picture: its file, text, address, page, licence and digest;
    `refused.jsonl` one for whatever was not taken, with its reason.

    Args:
        pages: addresses of the first pages.
        folder: new, empty, or filled by an earlier call.
        web: with the hosts that may be asked, and the limits.
        wanted: which pictures.
        on_progress: told after each page and picture.

    Raises:
        UserMistake: A first page is no address, or its host is not allowed.
        PlaceError: The folder holds something else, or is being filled by another process.
        TableError: No picture was found that could be taken.
    """
    first = [_first(text, web) for text in pages]
    with _taken(folder):
        wanted = wanted or Wanted()
        settings = f"{web.allowed} {web.limits} {wanted.min_side_px}"
        crawl = _Crawl(Visits(folder, web, settings), wanted, on_progress)
        ended = crawl.run(first)
        crawl.write()
    reasons = dict(Counter(line["reason"] for line in crawl.refused).most_common())
    if not crawl.rows:
        raise TableError(_nothing(crawl.refused, reasons))
    return Gathered(crawl.pages, len(crawl.rows), reasons, web.requests, ended)


@dataclass
class _Crawl:
    """The pages that are still to be read, and what was found so far."""

    visits: Visits
    wanted: Wanted
    on_progress: Progress
    pages: int = 0
    rows: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _robots: Robots = field(init=False)

    def __post_init__(self) -> None:
        self._robots = Robots(self.visits)

    def run(self, first: Sequence[Address]) -> str:
        """Read pages, the nearest first; gives the limit that ended it, or nothing."""
        waiting = deque((address, 0) for address in first)
        self._seen.update(map(str, first))
        try:
            while waiting:
                address, depth = waiting.popleft()
                links = self._page(address)
                if depth < self.wanted.depth:
                    waiting.extend((link, depth + 1) for link in self._new(links, str(address)))
        except _LimitReached as reached:
            return str(reached)
        return ""

    def write(self) -> None:
        """Write what was found."""
        for name, lines in ((INDEX, self.rows), (REFUSED, self.refused)):
            text = "".join(strict_json.dumps(line) + "\n" for line in lines)
            write_whole(self.visits.folder / name, text.encode("utf-8"))

    def _page(self, address: Address) -> Sequence[str]:
        """Take the pictures of a page; gives its links."""
        limits = self.visits.web.limits
        if self.pages >= limits.pages:
            raise _LimitReached(f"{limits.pages:,} pages")
        self._check_bytes()
        try:
            answer = self.visits.get(address, limits.page_bytes, HTML, self._robots.may)
            page = read_page(answer)
        except Refused as refused:
            self._refuse(str(address), str(address), refused)
            return ()
        self.pages += 1
        no_pictures, no_links = unwanted(answer, page.robots)
        if no_pictures:
            self._refuse(str(address), str(address), Refused("robots", "the page asks not to be taken from"))
        else:
            self._pictures(page, str(address))
        self.on_progress(self.pages, len(self.rows))
        return () if no_links else page.links

    def _pictures(self, page: Page, place: str) -> None:
        for shown in page.pictures:
            if shown.address in self._seen:
                continue
            self._seen.add(shown.address)
            try:
                self._picture(shown, place)
            except Refused as refused:
                self._refuse(shown.address, place, refused)
            self.on_progress(self.pages, len(self.rows))

    def _picture(self, shown: Shown, place: str) -> None:
        limits = self.visits.web.limits
        if not shown.text and not self.wanted.without_texts:
            raise Refused("without-text", "the page says nothing of it")
        if len(self.rows) >= limits.pictures:
            raise _LimitReached(f"{limits.pictures:,} pictures")
        self._check_bytes()
        address = address_of(shown.address)
        answer = self.visits.get(address, limits.picture_bytes, ("image/",), self._robots.may)
        file = self.visits.file_of(answer)
        if any(row["file"] == file for row in self.rows):
            raise Refused("same-picture", f"it is {file}, which was taken before")
        try:
            self._check_picture(answer.content, shown.address)
        except Refused as refused:
            self.visits.drop(address, answer, refused)
            raise
        self.rows.append(
            {
                "file": file,
                "alt": shown.text,
                "address": str(answer.address),
                "page": place,
                "licence": shown.licence,
                "sha256": Path(file).stem,
            }
        )

    def _check_picture(self, content: bytes, name: str) -> None:
        try:
            width_px, height_px = check_stranger(content, name)
        except PictureError as error:
            raise Refused(error.reason, str(error)) from error
        if min(width_px, height_px) < self.wanted.min_side_px:
            size = f"{width_px} x {height_px}"
            raise Refused("too-small", f"it has {size} pixels; {self.wanted.min_side_px} are wanted")

    def _new(self, links: Sequence[str], place: str) -> Iterator[Address]:
        """Links that were not seen yet and may be asked."""
        for link in links:
            try:
                address = address_of(link)
                self.visits.web.allowed.check(address)
            except Refused:
                continue  # links lead everywhere; only pictures are told one by one
            if str(address) not in self._seen:
                self._seen.add(str(address))
                yield address

    def _check_bytes(self) -> None:
        web = self.visits.web
        if web.taken_bytes >= web.limits.total_bytes:
            raise _LimitReached(f"{web.limits.total_bytes:,} bytes")

    def _refuse(self, address: str, place: str, refused: Refused) -> None:
        line = {"address": address, "page": place, "reason": refused.reason, "detail": str(refused)}
        self.refused.append(line)


def _first(text: str, web: Web) -> Address:
    try:
        address = address_of(text)
        web.allowed.check(address)
    except Refused as refused:
        raise UserMistake(f"{refused}; name another page, or allow its host (--host)") from refused
    return address


@contextmanager
def _taken(folder: Path) -> Iterator[None]:
    """Hold a folder that is ours to fill."""
    state = folder / STATE
    if folder.exists() and not state.is_dir() and any(folder.iterdir()):
        raise PlaceError(
            f"{folder} holds something else; name a folder that is new, empty or gathered before"
        )
    try:
        state.mkdir(parents=True, exist_ok=True)
        with FileLock(state / _LOCK, timeout=0):
            yield
    except Timeout as error:
        raise PlaceError(
            f"{folder} is being filled by another process; wait for it, or name another"
        ) from error
    except OSError as error:
        raise PlaceError(f"{folder} cannot be written: {error}") from error


def _nothing(refused: Sequence[dict[str, str]], reasons: dict[str, int]) -> str:
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "no page shows any"
    example = f"; such as {refused[0]['address']}: {refused[0]['detail']}" if refused else ""
    return f"no picture was found that could be taken: {told}{example}"

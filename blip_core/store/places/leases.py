"""Locks among machines: an object that its holder renews, and that others take over when nobody does.

They spare the losers of a race their work. What is right never hangs on them: that does on the manifest
alone, which is written where there is none.
"""

import logging
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from blip_core import strict_json
from blip_core.errors import StoreError
from blip_core.store.places.objects import Content, Found, Objects
from blip_core.store.places.place import Taken

LEASE_S = 30.0
"""A lease that was not renewed for so long is over, by the server's clock."""
_RENEWALS = 3  # in the time of a lease
_PAUSES_S = (0.1, 0.2, 0.5, 1.0)
_FOLDER, CLOCK = "leases", "clock"
_LOG = logging.getLogger(__name__)


class Leases:
    """Leases by name: `leases/NAME.json`.

    Args:
        objects: of the store.
        machine: whose processes keep each other out by locks of their own, so that a lease which one of them
            left behind is over at once.
        lease_s: see `LEASE_S`; at least 3, for servers count in seconds.
    """

    def __init__(self, objects: Objects, machine: str, lease_s: float = LEASE_S) -> None:
        self._objects = objects
        self._machine = machine
        self._lease_s = lease_s
        self._ahead: timedelta | None = None  # of the server's clock, before this machine's

    @contextmanager
    def held(self, name: str, wait: bool = True) -> Iterator[None]:
        """See `Place.locked`.

        Raises:
            Taken: Somebody elsewhere is inside, and nobody waits.
        """
        mine = strict_json.dumps({"machine": self._machine, "token": uuid.uuid4().hex}).encode()
        tag = self._take(name, mine, wait)
        over = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(name, mine, tag, over), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            over.set()
            renewing.join()
            self._leave(name, mine)

    def names(self, here: Collection[str]) -> list[str]:
        """Names of leases that somebody keeps; those that are over go.

        Args:
            here: names of the locks that processes of this machine hold.
        """
        found = []
        for one in self._objects.list(_FOLDER):
            name = one.name.removeprefix(f"{_FOLDER}/").removesuffix(".json")
            if name in here or not self._is_left(one):
                found.append(name)
            else:
                self._objects.delete([one.name])
        return found

    def _is_left(self, found: Found) -> bool:
        """Whether whoever held it has left or died; nobody of this machine is inside."""
        there = self._objects.get(found.name)
        return there is None or self._is_over(there)

    def _take(self, name: str, mine: bytes, wait: bool) -> str:
        tries = 0
        while True:
            try:
                return self._objects.create(_object(name), mine)
            except Taken:
                there = self._objects.get(_object(name))
            if there is not None and self._is_over(there):
                try:
                    return self._objects.replace(_object(name), mine, there.tag)
                except Taken:
                    there = None  # somebody was quicker
            if there is not None and not wait:
                raise Taken(name)
            if not tries:
                _LOG.info("another machine is making %s; waiting for it", name)
            time.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
            tries += 1

    def _is_over(self, lease: Content) -> bool:
        return self._machine_of(lease) == self._machine or self._is_old(lease.at)

    def _machine_of(self, lease: Content) -> str:
        try:
            return str(strict_json.loads(lease.content)["machine"])
        except (ValueError, TypeError, KeyError):
            return ""

    def _is_old(self, at: datetime) -> bool:
        return self.now() - at > timedelta(seconds=self._lease_s)

    def now(self) -> datetime:
        """The server's time: no two machines need clocks that agree."""
        here = datetime.now().astimezone()
        if self._ahead is None:
            name = f"{CLOCK}/{uuid.uuid4().hex}"
            self._objects.put(name, b"?")
            asked = self._objects.get(name)
            self._objects.delete([name])
            self._ahead = (asked.at if asked else here) - here
        return here + self._ahead

    def _renew(self, name: str, mine: bytes, tag: str, over: threading.Event) -> None:
        while not over.wait(self._lease_s / _RENEWALS):
            try:
                tag = self._objects.replace(_object(name), mine, tag)
            except Taken:
                _LOG.warning("another machine took %s over; what it makes first is what counts", name)
                return
            except StoreError as error:
                _LOG.warning("the lease of %s was not renewed: %s", name, error)

    def _leave(self, name: str, mine: bytes) -> None:
        """Let go of it, if it is still ours; one that cannot be removed is over by itself."""
        try:
            there = self._objects.get(_object(name))
            if there is not None and there.content == mine:
                self._objects.delete([_object(name)])
        except StoreError as error:
            _LOG.warning("the lease of %s stays until it is over: %s", name, error)


def _object(name: str) -> str:
    return f"{_FOLDER}/{name}.json"

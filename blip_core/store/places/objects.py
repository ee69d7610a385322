"""Objects of a bucket, through obstore, with what can go wrong in plain words.

Credentials and endpoint come from the environment alone, as obstore reads them (`AWS_*`).
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from blip_core.connecting import without_password
from blip_core.errors import PlaceError, StoreError
from blip_core.store.manifest import FileRecord
from blip_core.store.places.place import Taken

if TYPE_CHECKING:
    from obstore.store import S3Store

SCHEME = "s3://"
PATIENCE_S = 30.0
"""How long a server that has answered before is asked again before a run stops."""
_RETRIES: dict[str, Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=2.5)}
_CONNECT_TIMEOUT, _FIRST_TIMEOUT = "1500ms", "4s"
_TIMEOUT = "300s"  # of one part of a large file, on a slow line
_PAUSE_S = 0.5
_PART_BYTES = 8 * 1024 * 1024
_PASSING = ("HTTP error", "status code: 5", "error sending request", "retries,")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Found:
    """An object that a listing names: size in bytes, when it was written by the server's clock, its tag."""

    name: str
    size: int
    at: datetime
    tag: str


@dataclass(frozen=True, slots=True)
class Content:
    """What an object holds, with its tag and when it was written by the server's clock."""

    content: bytes
    tag: str
    at: datetime


class Objects:
    """Objects below one address.

    Args:
        address: `s3://BUCKET` or `s3://BUCKET/PREFIX`.
        allow_http: whether its endpoint may be a plain http address.
        patience_s: see `PATIENCE_S`.

    Raises:
        PlaceError: The address is none, or obstore is not installed.
    """

    def __init__(self, address: str, allow_http: bool = False, patience_s: float = PATIENCE_S) -> None:
        self.address = address.rstrip("/")
        parts = urlsplit(self.address)
        self._bucket = parts.hostname or ""
        if parts.scheme != "s3" or parts.netloc != self._bucket or not self._bucket or parts.query:
            raise PlaceError(
                f"{without_password(address)} is no address of a store; write s3://BUCKET/PREFIX, with "
                "credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the endpoint in AWS_ENDPOINT_URL"
            )
        prefix = parts.path.strip("/")
        self._first, self._later = (
            _open(self._bucket, prefix, allow_http, timeout) for timeout in (_FIRST_TIMEOUT, _TIMEOUT)
        )
        self._patience_s = patience_s
        self._has_answered = False
        self._process = os.getpid()

    @property
    def _store(self) -> "S3Store":
        """A client that is patient with large parts, once the server has shown that it is there."""
        return self._later if self._has_answered else self._first

    def get(self, name: str) -> Content | None:
        """What an object holds; None where there is none."""
        import obstore

        def ask() -> Content:
            found = obstore.get(self._store, name)
            meta = found.meta
            return Content(bytes(found.bytes()), meta["e_tag"] or "", meta["last_modified"])

        return self._unless_absent(ask)

    def fetch(self, name: str, path: Path) -> FileRecord | None:
        """Bring an object into a file; gives its size and digest, None where there is none."""
        import obstore

        def ask() -> FileRecord:
            digest, size = hashlib.sha256(), 0
            with path.open("wb") as file:
                for part in obstore.get(self._store, name).stream(min_chunk_size=_PART_BYTES):
                    file.write(part)
                    digest.update(part)
                    size += len(part)
            return FileRecord(size, digest.hexdigest())

        return self._unless_absent(ask)

    def put(self, name: str, content: bytes | Path) -> None:
        """Write an object, whatever was there."""
        import obstore

        self._ask(lambda: obstore.put(self._store, name, content, chunk_size=_PART_BYTES))

    def create(self, name: str, content: bytes) -> str:
        """Write an object where there is none; gives its tag.

        Args:
            name: of the object.
            content: that nobody else writes: a lost answer is told from a lost race by it.

        Raises:
            Taken: There is one.
        """
        import obstore

        try:
            return self._ask(lambda: obstore.put(self._store, name, content, mode="create"))["e_tag"] or ""
        except Taken:
            return self._ours(name, content)

    def replace(self, name: str, content: bytes, tag: str) -> str:
        """Write an object where the one with this tag still is; gives its tag.

        Raises:
            Taken: It is gone, or another.
        """
        import obstore

        try:
            put = self._ask(lambda: obstore.put(self._store, name, content, mode={"e_tag": tag}))
            return put["e_tag"] or ""
        except (Taken, FileNotFoundError):
            return self._ours(name, content)

    def _ours(self, name: str, content: bytes) -> str:
        """The tag of what we wrote ourselves when the first answer was lost on its way."""
        there = self.get(name)
        if there is None or there.content != content:
            raise Taken(name)
        return there.tag

    def copy(self, name: str, to: str) -> None:
        """Copy an object within the bucket."""
        import obstore

        self._ask(lambda: obstore.copy(self._store, name, to))

    def list(self, folder: str, after: str = "") -> Iterator[Found]:
        """Objects below a folder, by name, from some name on."""
        import obstore

        listed = obstore.list(self._store, folder, offset=after or None, chunk_size=1000)
        nothing: Sequence[Any] = ()
        while chunk := self._ask(lambda: next(listed, nothing)):
            for one in chunk:
                yield Found(one["path"], one["size"], one["last_modified"], one["e_tag"] or "")

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; those that are gone already are passed over."""
        import obstore

        if names:
            try:
                self._ask(lambda: obstore.delete(self._store, list(names)))
            except FileNotFoundError:
                return

    def _unless_absent(self, ask: Callable[[], Answer]) -> Answer | None:
        try:
            return self._ask(ask)
        except FileNotFoundError:
            return None

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, again and again for a while where nobody answers.

        Raises:
            FileNotFoundError: There is no such object.
            Taken: A condition does not hold.
            PlaceError: The bucket, the credentials or the endpoint are wrong.
            StoreError: Nobody answers, or the server refuses.
        """
        from obstore import exceptions

        self._refuse_after_fork()
        began = time.monotonic()
        while True:
            try:
                answer = ask()
                self._has_answered = True
                return answer
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
                raise Taken(str(error)) from None
            except FileNotFoundError as error:
                self._explain(error)
                raise
            except exceptions.BaseError as error:
                patience = self._patience_s if self._has_answered else 0.0
                if not _is_passing(error) or time.monotonic() - began >= patience:
                    self._explain(error)
                    raise StoreError(
                        f"the object store {self.address} does not answer ({_first_line(error)}); what was "
                        "finished is kept: see to the server and to AWS_ENDPOINT_URL, and run again"
                    ) from None
                time.sleep(_PAUSE_S)

    def _explain(self, error: Exception) -> None:
        """Raise what its reader can mend."""
        from obstore import exceptions

        said = str(error)
        if "NoSuchBucket" in said:
            raise PlaceError(
                f"there is no bucket {self._bucket} for {self.address}; create it, or name another in "
                "FOUNDRY_STORE"
            ) from None
        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
            raise PlaceError(
                f"the object store {self.address} refuses the credentials in AWS_ACCESS_KEY_ID and "
                f"AWS_SECRET_ACCESS_KEY ({_first_line(error)}); mend them, or what they are allowed"
            ) from None
        if "169.254." in said or "redential" in said:
            raise PlaceError(
                f"there are no credentials for the object store {self.address}; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            ) from None
        if "builder error" in said:
            raise PlaceError(
                f"the endpoint of the object store {self.address} is refused: it is no https address; where "
                "plain http is meant, set AWS_ALLOW_HTTP=true"
            ) from None

    def _refuse_after_fork(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(
                f"a forked process cannot use the object store {self.address}: its client would wait for "
                "ever; start processes by spawn"
            )


def _open(bucket: str, prefix: str, allow_http: bool, timeout: str) -> "S3Store":
    try:
        from obstore import exceptions
        from obstore.store import S3Store
    except ImportError as error:
        raise PlaceError(
            "a store on S3 needs obstore, which is not installed; pip install 'blip-foundry[s3]'"
        ) from error
    options: dict[str, Any] = {
        "prefix": prefix or None,
        "retry_config": _RETRIES,
        "client_options": {"connect_timeout": _CONNECT_TIMEOUT, "timeout": timeout, "allow_http": allow_http},
    }
    try:
        return S3Store(bucket, **options)
    except (exceptions.BaseError, ValueError) as error:
        raise PlaceError(
            f"the store s3://{bucket}/{prefix} cannot be opened ({_first_line(error)}); look at the AWS_ "
            "variables"
        ) from None


def _is_passing(error: Exception) -> bool:
    said = str(error)
    return any(sign in said for sign in _PASSING)


def _first_line(error: Exception) -> str:
    """What happened, without what the library adds for its own people."""
    line = str(error).partition("\n")[0]
    if "<Code>" in str(error):
        return str(error).partition("<Code>")[2].partition("</Code>")[0]
    return line.rpartition(" - ")[2][:200]

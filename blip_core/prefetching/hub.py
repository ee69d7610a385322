"""The hub, through the public calls of `huggingface_hub`; its errors in plain words.

Downloads go through its `http_get`, which tries again after a cut and can go on from where a file ends. Its
`hf_hub_download` throws away what an interrupted process had, which hurts with ten gigabytes a file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, logging  # type: ignore[attr-defined]

from blip_core.errors import CheckpointError, FoundryError, HubAway
from blip_core.prefetching.needs import Need
from blip_core.prefetching.selecting import (
    PIPELINE_INDEX,
    RemoteFile,
    Selection,
    component_folders,
    select,
)

ANSWER_SECONDS = 20.0
_NOT_WHOLE = "Consistency check failed"  # how http_get says that a file ended early


class Watcher(Protocol):
    """Is told how far downloads and conversions are."""

    def begin(self, name: str, size: int, have: int) -> None:
        """A file of so many bytes is begun; `have` of them are there already."""

    def advance(self, size: int) -> None:
        """So many bytes more have come."""

    def end(self, whole: bool) -> None:
        """The file that was begun last is over; whole, it is here and its digest is right."""

    def say(self, line: str) -> None:
        """A line for people."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit, and the licence that its card names; may be empty."""

    commit: str
    files: Sequence[RemoteFile]
    licence: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit.

    Attributes:
        commit: 40 hex digits.
        selection: the files that are needed.
    """

    commit: str
    selection: Selection


class Hub:
    """Reads repositories of the hub, with the login that the user has stored.

    Args:
        endpoint: address of another hub than the environment's `HF_ENDPOINT`.
        kind: of its repositories.
    """

    def __init__(self, endpoint: str = "", kind: Literal["model", "dataset"] = "model") -> None:
        self._kind = kind
        self.endpoint = endpoint or constants.ENDPOINT
        # A cut that is mended by another try is not worth a line.
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]

    def snapshot(self, need: Need, revision: str) -> Snapshot:
        """Resolve a name to a commit and choose the files that are needed; empty, the newest is meant.

        Raises:
            CheckpointError: There is no such repository or revision, or it lacks what is needed.
            HubAway: It cannot be reached.
        """
        with self._explained(need.id, revision):
            info = HfApi(self.endpoint).model_info(
                need.id, revision=revision or None, files_metadata=True, timeout=ANSWER_SECONDS
            )
        files = [_remote_file(sibling) for sibling in info.siblings or []]
        commit = str(info.sha)
        parts: set[str] = set()
        if any(file.name == PIPELINE_INDEX for file in files) and need.safetensors:
            parts = component_folders(self._read(need.id, commit, PIPELINE_INDEX), need.id)
        return Snapshot(commit, select(need, files, parts))

    def data_files(self, repository: str, revision: str) -> Listing:
        """The files of a data set; empty, the newest commit is meant.

        Raises:
            CheckpointError: There is no such repository or revision.
            HubAway: It cannot be reached.
        """
        with self._explained(repository, revision):
            info = HfApi(self.endpoint).dataset_info(
                repository, revision=revision or None, files_metadata=True, timeout=ANSWER_SECONDS
            )
        licence = info.card_data.get("license") if info.card_data else ""
        files = [_remote_file(sibling) for sibling in info.siblings or []]
        return Listing(
            str(info.sha), files, ", ".join(licence) if isinstance(licence, list) else licence or ""
        )

    def download(self, repository: str, commit: str, file: RemoteFile, part: Path, watcher: Watcher) -> None:
        """Download a file into `part`, going on from where it ends.

        Raises:
            CheckpointError: The repository is gated, or the file is gone.
            HubAway: It cannot be reached, or broke off; what came is kept.
            FoundryError: It sent something else than it had promised.
        """
        have = part.stat().st_size if part.exists() else 0
        if have > file.size:
            part.unlink()
            have = 0
        watcher.begin(file.name, file.size, have)
        whole = False
        try:
            with self._explained(repository, commit), part.open("ab") as stream:
                http_get(
                    self._url(repository, commit, file.name),
                    stream,
                    resume_size=have,
                    headers=build_hf_headers(),
                    expected_size=file.size,
                    tqdm_class=partial(_Bar, watcher),  # type: ignore[arg-type]  # called, never looked at
                )
            whole = is_file(part, file)
        finally:
            watcher.end(whole)
        if not whole:
            part.unlink()
            raise FoundryError(
                f"{repository}: {file.name} came with another digest than the hub promises for it and was "
                "thrown away; what is whole is kept. Run it again; if that does not help, something between "
                "here and the hub changes what is sent"
            )

    def _read(self, repository: str, commit: str, name: str) -> bytes:
        buffer = BytesIO()
        with self._explained(repository, commit):
            http_get(
                self._url(repository, commit, name),
                buffer,
                headers=build_hf_headers(),
                tqdm_class=partial(_Bar, _Silent()),  # type: ignore[arg-type]
            )
        return buffer.getvalue()

    def _url(self, repository: str, commit: str, name: str) -> str:
        return hf_hub_url(repository, name, repo_type=self._kind, revision=commit, endpoint=self.endpoint)

    @contextmanager
    def _explained(self, repository: str, revision: str) -> Iterator[None]:
        try:
            yield
        except GatedRepoError as error:
            raise CheckpointError(
                f"{repository} is gated: accept its terms at {self.endpoint}/{repository} with your account, "
                "log in here with `hf auth login`, and run it again"
            ) from error
        except RevisionNotFoundError as error:
            raise CheckpointError(
                f"{repository} has no revision {revision}; name a commit, tag or branch that it has"
            ) from error
        except RemoteEntryNotFoundError as error:
            raise CheckpointError(f"{repository} lacks a file that it lists: {error.request.url}") from error
        except RepositoryNotFoundError as error:
            raise CheckpointError(
                f"{self.endpoint} has no {self._kind} {repository}, or it is private; check the name, or log "
                "in with `hf auth login`"
            ) from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            raise HubAway(f"{self.endpoint} answered with status {status} for {repository}") from error
        except OfflineModeIsEnabled as error:
            raise HubAway("HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, which forbids it") from error
        except HTTPError as error:
            raise HubAway(f"{self.endpoint} does not answer ({error or type(error).__name__})") from error
        except OSError as error:
            if not str(error).startswith(_NOT_WHOLE):
                raise
            raise HubAway(f"{self.endpoint} broke off in the middle of a file") from error


def is_file(path: Path, file: RemoteFile) -> bool:
    """Whether a file on the disk is the one on the hub."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        if file.sha256:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
        blob = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        blob.update(stream.read())  # git keeps small files alone
    return blob.hexdigest() == file.git_oid


def _remote_file(sibling: Any) -> RemoteFile:
    sha256 = sibling.lfs.sha256 if sibling.lfs else ""
    return RemoteFile(sibling.rfilename, sibling.size or 0, sha256, sibling.blob_id or "")


class _Bar:
    """Stands where `http_get` expects a progress bar of tqdm's."""

    def __init__(self, watcher: Watcher, **options: object) -> None:
        del options
        self._watcher = watcher

    def update(self, size: int) -> None:
        self._watcher.advance(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The watcher is told by whoever began the file."""


class _Silent:
    """A watcher that shows nothing."""

    def begin(self, name: str, size: int, have: int) -> None: ...

    def advance(self, size: int) -> None: ...

    def end(self, whole: bool) -> None: ...

    def say(self, line: str) -> None: ...

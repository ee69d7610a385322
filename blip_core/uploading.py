"""Files go to the hub in one commit, through the public calls of `huggingface_hub`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HTTPError,
    OfflineModeIsEnabled,
)

from blip_core.errors import HubAway, UserMistake

Kind = Literal["model", "dataset"]

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REFUSED = (401, 403)
_MESSAGES = {"model": "Upload adapter", "dataset": "Upload dataset"}


@dataclass(frozen=True, slots=True)
class Upload:
    """What goes to the hub: a file a name.

    Attributes:
        repository: `owner/name`.
        is_private: whether a repository that is made for it is private.
        files: by name in the repository.
        kind: of repository.
    """

    repository: str
    is_private: bool
    files: dict[str, Path]
    kind: Kind = "model"

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def check_repository(name: str) -> None:
    """Refuse what can be no repository's name.

    Raises:
        UserMistake: It is not of the form `owner/name`.
    """
    if not _REPOSITORY.fullmatch(name):
        raise UserMistake(f"{name!r} is not a repository name of the hub; write it as OWNER/NAME")


def push(upload: Upload, endpoint: str = "") -> str:
    """Upload in one commit, with the login that the user has stored; gives the commit's address.

    Raises:
        HubAway: The hub cannot be reached.
        UserMistake: There is no login, or it may not write there.
    """
    api = HfApi(endpoint or constants.ENDPOINT)
    if not get_token():
        raise UserMistake(
            "you are not logged in to the hub: log in with `hf auth login`, with a token that may write, and "
            "run it again"
        )
    operations = [CommitOperationAdd(name, str(path)) for name, path in upload.files.items()]
    with _explained(api.endpoint, upload.repository):
        api.create_repo(upload.repository, repo_type=upload.kind, private=upload.is_private, exist_ok=True)
        commit = api.create_commit(
            upload.repository, operations, commit_message=_MESSAGES[upload.kind], repo_type=upload.kind
        )
    return str(commit.commit_url)


@contextmanager
def _explained(endpoint: str, repository: str) -> Iterator[None]:
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in _REFUSED:
            raise UserMistake(
                f"{endpoint} does not let your login write to {repository} (status {status}); check the "
                "owner's name, or log in with `hf auth login` and a token that may write"
            ) from error
        raise HubAway(f"{endpoint} answered with status {status} for {repository}") from error
    except OfflineModeIsEnabled as error:
        raise HubAway("HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, which forbids it") from error
    except (HTTPError, OSError) as error:
        raise HubAway(f"{endpoint} does not answer ({error or type(error).__name__})") from error
    except ValueError as error:
        raise UserMistake(f"{endpoint} does not take the card: {error}") from error

"""Every error that blip-foundry raises on purpose.

FoundryError                 exit code 1
|-- UserMistake              exit code 2: the person who typed or wrote the input can mend it
|   |-- RecipeError          unknown recipe, profile or field; a value out of bounds
|   |-- CheckpointError      a model that is missing, unsafe to load or of the wrong architecture
|   |-- TableError           a table or picture that was handed in and cannot be read
|   |   `-- PictureError     the picture, with a reason that counts can be made by
|   |-- ReviewAwaited        rows that wait for people's decisions
|   |-- RequestRefused       what a client of ours sent, as the server tells it
|   |-- UnknownArtifact      a dataset, adapter or row that was named and is not in the store
|   `-- PlaceError           a folder that cannot be written, a port that is taken
|       `-- DatabaseAway     a server of databases that does not answer
|-- StoreError               an artefact that is damaged or contested
|   `-- CorruptArtifact
|-- StageFailure             a stage that could not deliver what it owes
|   |-- EmptyDataset
|   |-- BudgetSpent          as much was asked, or as long worked, as is allowed
|   |-- DoubtfulDataset      rows of which too many are likely to be wrong
|   |-- ServerAway           a server of models that cannot be reached
|   |-- NotANumber           a weight, probability, loss or score that is NaN or infinite
|   `-- TrainingFailure
|-- BackupError              a backup that cannot be made or read
|-- TrackingError            the tracking server refused what it was sent
`-- HubAway                  the hub of checkpoints cannot be reached, or broke off
"""

UNREADABLE_PICTURE = "unreadable-picture"
LFS_POINTER = "git-lfs-pointer"
NO_DECODER = "no-decoder"
LEADS_OUT = "link-leads-out"


class FoundryError(Exception):
    """Base of all errors raised on purpose; its text is shown without a stack trace.

    Messages quote what nobody checked: what would steer a terminal, or is no UTF-8, is written as an escape.
    """

    exit_code = 1

    def __str__(self) -> str:
        text = super().__str__()
        return "".join(char if char.isprintable() or char == "\n" else escaped(char) for char in text)


class UserMistake(FoundryError):
    """Something in the input that its author can mend."""

    exit_code = 2


class RecipeError(UserMistake):
    """A recipe, profile or override that does not hold."""


class CheckpointError(UserMistake):
    """A checkpoint that is missing, unsafe to load or not of the architecture a stage needs."""


class TableError(UserMistake):
    """A table, dataset folder or picture that cannot be read."""


class PictureError(TableError):
    """A picture that cannot be read, with a short stable reason."""

    def __init__(self, message: str, reason: str = UNREADABLE_PICTURE) -> None:
        super().__init__(message)
        self.reason = reason


class ReviewAwaited(UserMistake):
    """Rows that people are to decide about before a run can go on; what is made so far is kept.

    Attributes:
        rows: digest of the rows.
        path: of the file of decisions that is awaited.
    """

    def __init__(self, message: str, rows: str = "", path: str = "") -> None:
        super().__init__(message)
        self.rows = rows
        self.path = path


class RequestRefused(UserMistake):
    """A request that a server of ours does not answer.

    Attributes:
        status: of HTTP.
        code: what it is, as a short stable slug.
        param: field of the request that is meant; empty, the whole.
        wait_s: after how many seconds it may be sent again; 0 where that changes nothing.
    """

    def __init__(
        self, message: str, status: int = 400, code: str = "invalid_request", param: str = "", wait_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.wait_s = wait_s


class UnknownArtifact(UserMistake):
    """A dataset, adapter or row that somebody named and the store does not hold."""


class PlaceError(UserMistake):
    """A folder that cannot be written or a port that is taken."""


class DatabaseAway(PlaceError):
    """A server of databases that does not answer."""


class StoreError(FoundryError):
    """The artefact store could not keep or find what it should."""


class CorruptArtifact(StoreError):
    """A published artefact whose bytes no longer match its manifest."""


class StageFailure(FoundryError):
    """A stage that could not deliver what it owes; finished work is kept."""


class EmptyDataset(StageFailure):
    """Nothing, or too little, is left to train or to judge on."""


class DoubtfulDataset(StageFailure):
    """Too many of a dataset's answers are likely to be wrong, so that it replaces no earlier version."""


class NotANumber(StageFailure, ValueError):
    """A value that is NaN or infinite where a number is owed; names the row and the part.

    Also a `ValueError`, as Python has it for JSON with such a value.

    Attributes:
        place: of the row in its batch, from 0, where only the caller knows the row's name.
    """

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message)
        self.place = place


class BudgetSpent(StageFailure):
    """As much was asked, or as long worked, as is allowed."""


class ServerAway(StageFailure):
    """A server of models that cannot be reached."""


class TrainingFailure(StageFailure):
    """Training that moved nothing, diverged or could not be resumed."""


class BackupError(FoundryError):
    """A backup that cannot be made, is damaged, or is none."""


class TrackingError(FoundryError):
    """The tracking server refused what it was sent."""


class HubAway(FoundryError):
    """The hub of checkpoints cannot be reached, or broke off."""


def escaped(char: str) -> str:
    """A character by its number, as Python writes it in a literal."""
    return char.encode("unicode_escape").decode()

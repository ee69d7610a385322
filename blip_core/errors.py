"""Every error that blip-foundry raises on purpose.

FoundryError                 exit code 1
|-- UserMistake              exit code 2: the person who typed or wrote the input can mend it
|   |-- RecipeError          unknown recipe, profile or field; a value out of bounds
|   |-- CheckpointError      a model that is missing, unsafe to load or of the wrong architecture
|   |-- TableError           a table or picture that was handed in and cannot be read
|   `-- PlaceError           a folder that cannot be written, a port that is taken
|-- StoreError               an artefact that is damaged or contested
|   `-- CorruptArtifact
|-- StageFailure             a stage that could not deliver what it owes
|   |-- EmptyDataset
|   `-- TrainingFailure
`-- TrackingError            the tracking server refused what it was sent
"""


class FoundryError(Exception):
    """Base of all errors raised on purpose; its text is shown without a stack trace."""

    exit_code = 1


class UserMistake(FoundryError):
    """Something in the input that its author can mend."""

    exit_code = 2


class RecipeError(UserMistake):
    """A recipe, profile or override that does not hold."""


class CheckpointError(UserMistake):
    """A checkpoint that is missing, unsafe to load or not of the architecture a stage needs."""


class TableError(UserMistake):
    """A table, dataset folder or picture that cannot be read."""


class PlaceError(UserMistake):
    """A folder that cannot be written or a port that is taken."""


class StoreError(FoundryError):
    """The artefact store could not keep or find what it should."""


class CorruptArtifact(StoreError):
    """A published artefact whose bytes no longer match its manifest."""


class StageFailure(FoundryError):
    """A stage that could not deliver what it owes; finished work is kept."""


class EmptyDataset(StageFailure):
    """Nothing, or too little, is left to train or to judge on."""


class TrainingFailure(StageFailure):
    """Training that moved nothing, diverged or could not be resumed."""


class TrackingError(FoundryError):
    """The tracking server refused what it was sent."""

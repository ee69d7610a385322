import inspect
import re

import pytest

from blip_core import errors


def _exported():
    return {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.FoundryError)
    }


def test_the_error_names_that_others_rely_on_are_these():
    assert sorted(_exported()) == [
        "BackupError",
        "BudgetSpent",
        "CheckpointError",
        "CorruptArtifact",
        "DatabaseAway",
        "DoubtfulDataset",
        "EmptyDataset",
        "FoundryError",
        "HubAway",
        "NotANumber",
        "PictureError",
        "PlaceError",
        "RecipeError",
        "RequestRefused",
        "ReviewAwaited",
        "ServerAway",
        "StageFailure",
        "StoreError",
        "TableError",
        "TrackingError",
        "TrainingFailure",
        "UnknownArtifact",
        "UserMistake",
    ]


@pytest.mark.parametrize("name", ["RecipeError", "CheckpointError", "TableError", "PlaceError"])
def test_a_users_mistake_ends_with_exit_code_two(name):
    assert _exported()[name].exit_code == 2


@pytest.mark.parametrize(
    "name", ["StoreError", "CorruptArtifact", "StageFailure", "TrackingError", "HubAway"]
)
def test_a_failure_ends_with_exit_code_one(name):
    assert _exported()[name].exit_code == 1


def test_the_drawn_tree_names_every_error_below_its_parent():
    drawn = re.findall(r"^[ |`-]*(\w+)", errors.__doc__.partition("\n\n")[2], re.MULTILINE)
    assert sorted(drawn) == sorted(_exported())


def test_a_message_steers_no_terminal_and_can_always_be_printed():
    told = str(errors.TableError("row 1: \x1b[2J \u202e \ud800\nrow 2: \u00e4\u4e00"))
    assert told == r"row 1: \x1b[2J \u202e \ud800" + "\nrow 2: \u00e4\u4e00"

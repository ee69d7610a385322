"""A forge for the session, tiny models, and what an undisturbed run leaves: all kills are measured by it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.doubles import small_recipe
from tests.faults.forge import Forge
from tests.faults.instants import read_instants
from tests.faults.serving import PrefectServer
from tests.faults.stages import DIGESTS, NOTE, WORK
from tests.tiny_blip2 import FolderOf

MODULES = (
    "tests.faults.stages",
    "tests.faults.growing",
    "scipy.stats",
    "tests.faults.runs",
    "blip_core.inference",
    "blip_core.training",
    "mlflow",
)


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nobody disturbs."""

    home: Path
    recipe: list[str]
    digests: dict[str, str]
    instants: list[str]


@pytest.fixture(scope="session")
def stopped_server(migrated_prefect: Path, tmp_path_factory: pytest.TempPathFactory) -> PrefectServer:
    """A Prefect server that nobody has started yet; the forge has to know where it will be."""
    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(migrated_prefect, home)
    return PrefectServer(home)


@pytest.fixture(scope="session")
def forge(stopped_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    log = tmp_path_factory.mktemp("forge") / "forge.log"
    with Forge(MODULES, log, stopped_server.environment) as forge:
        yield forge


@pytest.fixture(scope="session")
def server(stopped_server: PrefectServer) -> Iterator[PrefectServer]:
    stopped_server.start()
    yield stopped_server
    stopped_server.kill()


@pytest.fixture(scope="session")
def models(tiny_blip2: FolderOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in ("opt", "t5"):
        (folder / family).symlink_to(tiny_blip2(family))
    return folder


@pytest.fixture(scope="session")
def undisturbed(forge: Forge, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    home, recipe = tmp_path_factory.mktemp("undisturbed"), small_recipe(models)
    assert forge.run(WORK, home=str(home), overrides=recipe) == 0, forge.log.read_text()
    digests = json.loads((home / DIGESTS).read_text())
    return Undisturbed(home, recipe, digests, read_instants(home / NOTE))

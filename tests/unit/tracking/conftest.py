import shutil
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from blip_core.tracking import MlflowTracker, artifact_root, prepare_store

PREPARE = """
import sys
from pathlib import Path
from blip_core.tracking import prepare_store
prepare_store(Path(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def exit_codes(home):
    """Those of two processes that prepared the store of all these tests at once."""
    processes = [subprocess.Popen([sys.executable, "-c", PREPARE, str(home)]) for _ in range(2)]
    return [process.wait() for process in processes]


@pytest.fixture(scope="session")
def pristine(home, exit_codes, tmp_path_factory):
    """The store as it was before the first run, to be copied: making one takes seconds."""
    assert exit_codes == [0, 0]
    return shutil.copytree(home, tmp_path_factory.mktemp("pristine") / "mlflow")


@pytest.fixture(scope="session")
def uri(home, pristine):
    return prepare_store(home)


@pytest.fixture
def client(uri):
    return MlflowClient(uri, registry_uri=uri)


@pytest.fixture
def tracker(uri, home, tmp_path):
    return MlflowTracker(uri, tmp_path / "journal", artifact_root(home))

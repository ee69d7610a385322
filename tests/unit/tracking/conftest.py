import pytest
from mlflow import MlflowClient

from blip_core.tracking import MlflowTracker, artifact_root, prepare_store


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def uri(home):
    return prepare_store(home)


@pytest.fixture
def client(uri):
    return MlflowClient(uri, registry_uri=uri)


@pytest.fixture
def tracker(uri, home, tmp_path):
    return MlflowTracker(uri, tmp_path / "journal", artifact_root(home))

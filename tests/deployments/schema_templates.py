"""The templates by the schemas and linters of those who read them; `make test-templates` installs these."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deployments.templates import COMPOSE, DOCKERFILE, KUBERNETES, UNITS

BIN = Path(sys.executable).parent
NOT_INSTALLED = re.compile(r"Command /opt/blip-foundry/bin/python is not executable: No such file")


def refused(*command: str | Path) -> str:
    """What a linter has to say; empty where all is well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}"


def test_the_compose_file_is_one():
    schema = ("--builtin-schema", "vendor.compose-spec")
    assert refused(BIN / "check-jsonschema", *schema, COMPOSE) == ""


def test_the_schema_of_compose_files_refuses_what_is_none(tmp_path: Path):
    content = yaml.safe_load(COMPOSE.read_text())
    content["services"]["worker"]["comand"] = ["true"]
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(content))
    schema = ("--builtin-schema", "vendor.compose-spec")
    assert "comand" in refused(BIN / "check-jsonschema", *schema, tmp_path / "compose.yaml")


def test_the_dockerfile_has_nothing_that_a_linter_finds():
    assert refused(BIN / "hadolint", DOCKERFILE) == ""


def pods(path: Path, folder: Path) -> list[Path]:
    """Pods of a cluster's groups, each as an object of its own: its kind is no part of Kubernetes itself."""
    spec = yaml.safe_load(path.read_text())["spec"]
    written = []
    for number, group in enumerate([spec["headGroupSpec"], *spec["workerGroupSpecs"]]):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{number}"},
            "spec": group["template"]["spec"],
        }
        written.append(folder / f"{number}.yaml")
        written[-1].write_text(yaml.safe_dump(pod))
    return written


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_objects_of_kubernetes_are_of_its_schema(path: Path, tmp_path: Path):
    kind = yaml.safe_load(path.read_text())["kind"]
    files = pods(path, tmp_path) if kind == "RayCluster" else [path]
    assert refused(BIN / "kubernetes-validate", *files) == ""


def test_units_are_understood_by_systemd():
    environment = os.environ | {"SYSTEMD_COLORS": "0"}
    target = UNITS[0].with_name("blip-foundry.target")
    done = subprocess.run(
        ["systemd-analyze", "verify", *UNITS, target],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert [line for line in told if not NOT_INSTALLED.search(line)] == []

"""Images, compose, Kubernetes and systemd: closed to strangers, without a secret, and of a piece."""

import configparser
import importlib.util
import re

import pytest
import yaml

from tests.deployments.templates import (
    COMPOSE,
    DEPLOYMENTS,
    DOCKERFILE,
    KUBERNETES,
    UNITS,
    example,
    filled,
    reaches_builder,
    services,
    variables,
)

OURS = {name: service for name, service in services().items() if name != "postgres"}
SERVERS = ("postgres", "prefect", "mlflow")
_MODULE = re.compile(r"-m,? (deployments[\w.]*)")


def pods():
    """Specifications of pods in the templates of Kubernetes, by where they stand."""
    for path in KUBERNETES:
        spec = yaml.safe_load(path.read_text())["spec"]
        groups = [spec, spec.get("headGroupSpec", {}), *spec.get("workerGroupSpecs", [])]
        yield from ((path.name, group["template"]["spec"]) for group in groups if "template" in group)


def lines_of(unit):
    read = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    read.optionxform = str
    read.read(unit)
    return read


def test_ports_are_open_on_loopback_alone():
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_secrets_come_from_the_environment_file_and_are_asked_for_by_name():
    told = dict(variables(COMPOSE.read_text()))
    secrets = {name for name in told if re.search("PASSWORD|TOKEN|SECRET|LOGIN", name)}
    assert secrets == {
        "POSTGRES_PASSWORD",
        "PREFECT_LOGIN",
        "MLFLOW_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "RAY_AUTH_TOKEN",
    }
    assert secrets <= example().keys()
    assert {example()[name] for name in secrets} <= {"", "foundry:"}  # no value that somebody might keep


def test_compose_does_not_start_without_the_secrets_of_its_servers():
    for name in ("POSTGRES_PASSWORD", "PREFECT_LOGIN", "MLFLOW_PASSWORD"):
        given = {"POSTGRES_PASSWORD": "p", "PREFECT_LOGIN": "a:b", "MLFLOW_PASSWORD": "m"} | {name: ""}
        with pytest.raises(AssertionError, match=name):
            filled(COMPOSE.read_text(), given)


@pytest.mark.parametrize("name", services())
def test_every_service_says_whether_it_is_well(name):
    assert services()[name]["healthcheck"]


@pytest.mark.parametrize("name", OURS)
def test_services_may_do_little(name):
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["read_only"] is True
    assert "no-new-privileges:true" in OURS[name]["security_opt"]


def test_images_are_not_root_and_hold_no_builder():
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)
    runtime = next(stage for stage in stages if " AS runtime" in stage.splitlines()[0])
    assert re.findall(r"^USER (\S+)", runtime, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in runtime
    assert "pip install" not in runtime
    assert {stage.split(" AS ")[1].split()[0] for stage in stages[1:]} >= {"cpu", "cuda"}


def test_bases_of_images_can_be_given_by_their_digests():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert set(bases) == {"${PYTHON_IMAGE}", "runtime"}


def test_secrets_never_reach_the_builder_of_images():
    for path in (
        "secrets.env",
        "deployments/compose/secrets.env",
        ".git/config",
        ".env",
        "flows/x.pem",
        "store/a",
    ):
        assert not reaches_builder(path), path
    for path in ("pyproject.toml", "blip_core/api.py", "deployments/prefect.yaml", "hatch_build.py"):
        assert reaches_builder(path), path


@pytest.mark.parametrize(("where", "pod"), list(pods()))
def test_pods_may_do_little(where, pod):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]
        assert container["envFrom"] == [{"secretRef": {"name": "foundry"}}]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_units_may_do_little(unit):
    service = lines_of(unit)["Service"]
    assert service["User"] == "foundry"
    for option in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID"):
        assert service[option] == "true"
    assert service["ProtectSystem"] == "strict"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_servers_of_units_listen_on_loopback(unit):
    hosts = re.findall(r"--host (\S+)", unit.read_text())
    assert set(hosts) <= {"127.0.0.1"}


def test_commands_of_templates_are_there():
    texts = [path.read_text() for path in (COMPOSE, *KUBERNETES, *UNITS)]
    named = {module for text in texts for module in _MODULE.findall(text)}
    assert named >= {"deployments.local.worker", "deployments.local.prefect_server", "deployments.probe"}
    assert [module for module in named if importlib.util.find_spec(module) is None] == []


def test_templates_name_the_version_that_is_built():
    version = re.search(
        r'^version = "(.+)"', (DEPLOYMENTS.parent / "pyproject.toml").read_text(), re.MULTILINE
    )
    named = re.findall(
        r"blip-foundry:(\d[\w.]*)", "".join(path.read_text() for path in (COMPOSE, *KUBERNETES))
    )
    assert version
    assert set(named) == {version.group(1)}

"""The templates of `deployments`, read."""

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
DOCKERFILE = DEPLOYMENTS / "image" / "Dockerfile"
IGNORED = DEPLOYMENTS / "image" / "Dockerfile.dockerignore"
COMPOSE = DEPLOYMENTS / "compose" / "compose.yaml"
SECRETS = DEPLOYMENTS / "compose" / "secrets.env.example"
KUBERNETES = sorted((DEPLOYMENTS / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOYMENTS / "systemd").glob("*.service"))

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:[?+-])((?:[^{}]|\$\{[^{}]*\})*))?\}")


def services() -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return read


def variables(text: str) -> Iterator[tuple[str, str]]:
    """Names in `${NAME}`, and what is said of each where it is not set."""
    for found in _VARIABLE.finditer(text):
        yield found.group(1), found.group(2) or ""


def filled(text: str, values: dict[str, str]) -> str:
    """A text as compose fills it in."""

    def value(found: re.Match[str]) -> str:
        name, operator, otherwise = found.groups()
        given = values.get(name, "")
        if operator == ":+":
            return filled(otherwise, values) if given else ""
        if given or operator is None:
            return given
        if operator == ":?":
            raise AssertionError(f"{name} is not set: {otherwise}")
        return filled(otherwise, values)

    return _VARIABLE.sub(value, text)


def example() -> dict[str, str]:
    """The environment file that people copy, also what stands in comments, with its values."""
    lines = re.findall(r"^#?([A-Z][A-Z_]*)=(.*)$", SECRETS.read_text(), re.MULTILINE)
    return dict(lines)


def reaches_builder(path: str) -> bool:
    """Whether a file of the tree goes into the image's build context."""
    kept = False
    for line in IGNORED.read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        holds = pattern == "*" or path == pattern or path.startswith(f"{pattern}/")
        if pattern.startswith("**/"):
            holds = any(fnmatch.fnmatch(part, pattern[3:]) for part in Path(path).parts)
        if holds:
            kept = line.strip().startswith("!")
    return kept

"""Which weaknesses are known of a version, after a list in OSV's form.

`python -m tests.audit.advisories FOLDER DATE` takes from a checkout of the advisory database of the Python
Packaging Authority what it says of the packages in constraints.txt.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("advisories.json")
CONSTRAINTS = ROOT / "constraints.txt"
_KEPT = ("id", "aliases", "summary", "published")
_DETAILS_CHARS = 300

Advisory = Mapping[str, Any]


def pins() -> dict[str, str]:
    """By canonical name: the version that is pinned."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def affecting(listed: Mapping[str, list[Advisory]], name: str, version: str) -> list[Advisory]:
    """Advisories on a version of a package."""
    return [one for one in listed.get(canonicalize_name(name), []) if _affects(one, name, Version(version))]


def _affects(advisory: Advisory, name: str, version: Version) -> bool:
    parts = [
        one
        for one in advisory["affected"]
        if canonicalize_name(one["package"]["name"]) == canonicalize_name(name)
    ]
    return any(
        _is_listed(part, version) or any(_is_within(one["events"], version) for one in part["ranges"])
        for part in parts
    )


def _is_listed(part: Mapping[str, Any], version: Version) -> bool:
    return any(_version(one) == version for one in part["versions"])


def _is_within(events: list[Mapping[str, str]], version: Version) -> bool:
    """Whether a range that opens and closes, in any order of its events, holds a version."""
    holds = False
    steps = [(kind, _version(value)) for event in events for kind, value in event.items()]
    for kind, at in sorted(steps, key=lambda step: step[1]):
        if kind == "introduced" and at <= version:
            holds = True
        if (kind == "fixed" and at <= version) or (kind == "last_affected" and at < version):
            holds = False
    return holds


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:  # of an age before PEP 440: none that is pinned
        return Version("0.dev0")


def kept(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Advisories of a checkout on packages that are pinned, as far as they are used here."""
    listed: dict[str, list[dict[str, Any]]] = {}
    for name in sorted(pins()):
        files = sorted((folder / "vulns" / name).glob("*.yaml"))
        read = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
        if holding := [_slim(one) for one in read if "withdrawn" not in one]:
            listed[name] = holding
    return listed


def _slim(advisory: Mapping[str, Any]) -> dict[str, Any]:
    said = " ".join(str(advisory.get("details", "")).split())[:_DETAILS_CHARS]
    slim = {key: advisory[key] for key in _KEPT if key in advisory}
    return {**slim, "details": said, "affected": list(_affected(advisory))}


def _affected(advisory: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in advisory["affected"]:
        ranges = [part for part in one.get("ranges", []) if part["type"] == "ECOSYSTEM"]
        package = {"name": canonicalize_name(one["package"]["name"]), "ecosystem": "PyPI"}
        # Ranges tell all that the list of versions does, where there are any.
        versions = [] if ranges else [str(version) for version in one.get("versions", [])]
        yield {"package": package, "ranges": ranges, "versions": versions}


def main() -> None:
    folder, date = sys.argv[1:]
    listed = kept(Path(folder))
    told = {"source": "PyPA advisory database, CC-BY-4.0", "date": date, "advisories": listed}
    LIST.write_text(json.dumps(told, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""No pinned version has a weakness that the kept list knows; `make audit` lets pip-audit say the same."""

import json

import pytest

from tests.audit.advisories import LIST, affecting, pins

LISTED = json.loads(LIST.read_text(encoding="utf-8"))["advisories"]


def ids(name: str, version: str) -> set[str]:
    return {one["id"] for one in affecting(LISTED, name, version)}


def test_no_pin_has_a_known_weakness():
    weak = {name: ids(name, version) for name, version in pins().items()}
    assert {name: found for name, found in weak.items() if found} == {}


def test_a_version_before_the_fix_is_found_and_the_fixed_one_is_not():
    assert "PYSEC-2023-175" in ids("Pillow", "10.0.0")
    assert "PYSEC-2023-175" not in ids("Pillow", "10.0.1")


@pytest.mark.parametrize(("version", "holds"), [("1.0", False), ("1.1", True), ("1.9", True), ("2.0", False)])
def test_a_range_holds_from_its_beginning_to_its_fix(version: str, holds: bool):
    events = [{"fixed": "2.0"}, {"introduced": "1.1"}]
    package = {"name": "x", "ecosystem": "PyPI"}
    one = {"id": "A", "affected": [{"package": package, "ranges": [{"events": events}], "versions": []}]}
    assert bool(affecting({"x": [one]}, "x", version)) is holds


def test_the_list_speaks_of_what_is_pinned_alone():
    assert LISTED.keys() <= pins().keys()
    assert len(LISTED) > 20

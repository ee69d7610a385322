"""A ratio holds for one kind of processor: results keep an entry for each kind, and texts quote the lowest.

A part of what is gained is products through oneDNN in place of torch's own library, see decision 10. How slow
that library is depends on the processor, and with it the ratio.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

ENTRIES = "cpu"
ORIGIN = "origin"
"""Where the figures of an entry are from that is not the whole of a run; it has ratios alone."""

_MARKS = re.compile(r"\((?:R|TM|tm|C)\)|@.*|\b\d+-Core\b|\bProcessor\b|\bCPU\b|\bw/ .*")

Entry = Mapping[str, Any]


def plain_name(model: str) -> str:
    """A processor's name without marks, clock and cores: `Intel Xeon` of `Intel(R) Xeon(R) CPU @ 2.20GHz`."""
    return " ".join(_MARKS.sub(" ", model).split())


def kind_of(entry: Entry) -> str:
    """What an entry holds for, in words: name, family, cores and instructions of its processor.

    The family tells generations of one name apart, whose products differ in speed by more than twice.
    """
    machine = entry["machine"]
    family = f" ({machine['family']})" if machine.get("family") else ""
    cores = f"{machine['cores']} cores" if machine.get("cores") else ""
    return ", ".join(filter(None, [machine["cpu"] + family, cores, machine.get("capability", "")]))


def is_whole(entry: Entry) -> bool:
    """Whether an entry holds all that a run measures."""
    return ORIGIN not in entry


def with_measured(kept: Mapping[str, Any], measured: Entry) -> dict[str, Any]:
    """Results with a run's own entry in the place of the one that its processor had; all others stay.

    A whole run also takes the place of ratios alone that are known of a processor of the same name.
    """
    others = [one for one in kept.get(ENTRIES, ()) if not _is_replaced(one, measured)]
    entries = sorted([*others, measured], key=kind_of)
    return {**kept, ENTRIES: entries, "gpu": kept.get("gpu")}


def _is_replaced(old: Entry, measured: Entry) -> bool:
    if is_whole(old):
        return kind_of(old) == kind_of(measured)
    return bool(old["machine"]["cpu"] == measured["machine"]["cpu"])


def lowest(entries: Sequence[Entry], *path: str) -> dict[str, Any]:
    """The ratio with the lowest median among entries that have one at a path of keys."""
    found = [at for one in entries if (at := _at(one, path)) is not None]
    least: dict[str, Any] = min(found, key=lambda ratio: float(ratio["median"]))
    return least


def _at(entry: Any, path: Sequence[str]) -> dict[str, Any] | None:
    for key in path:
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    return entry


def spread_words(ratio: Mapping[str, Any]) -> str:
    """Lowest and highest of a ratio's pairs; empty where they are not known."""
    return f"{ratio['low']} to {ratio['high']}" if "low" in ratio else ""

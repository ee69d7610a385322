"""What the store takes and can do without, for people and as JSON values."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blip_core.reporting.lineage_tables import size_words
from blip_core.store.copying import Copied
from blip_core.store.pruning import Prunable, Usage

_NAMED = 5  # of what was not copied
_SHOWN = 20  # of what can go, one a line; the rest is summed up by kind


def show_usage(console: Console, address: str, used: Sequence[Usage]) -> None:
    """Print a row a kind, the largest first, and the sum."""
    table = _table("kind", "artefacts", "size", "oldest", "newest")
    for one in used:
        table.add_row(
            one.kind, f"{one.artifacts:,}", size_words(one.bytes), f"{one.oldest:%F}", f"{one.newest:%F}"
        )
    console.print(table)
    total = sum(one.bytes for one in used)
    console.print(f"{escape(address)}: {size_words(total)}", highlight=False, soft_wrap=True)


def show_prunable(console: Console, found: Sequence[Prunable], is_removed: bool) -> None:
    """Print what can go, or went, and what that frees."""
    if not found:
        console.print("There is nothing to remove by these rules.", highlight=False)
        return
    table = _table("artefact", "size", "made", "why")
    for one in found[:_SHOWN]:
        table.add_row(escape(one.key), size_words(one.bytes), f"{one.at:%F}", one.why)
    console.print(table)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for one in found:
        by_kind[one.kind].append(one.bytes)
    for kind, sizes in sorted(by_kind.items(), key=lambda named: -sum(named[1])):
        console.print(f"{kind:<20} {len(sizes):>7,}   {size_words(sum(sizes))}", highlight=False)
    total = size_words(sum(one.bytes for one in found))
    done = f"Removed {total}." if is_removed else f"{total} could be removed; --apply does it."
    console.print(done, highlight=False)


def copied_lines(done: Copied) -> list[str]:
    """What a copy did, and what it left alone and why."""
    lines = [
        f"copied {len(done.copied):,} artefacts ({size_words(done.bytes)}); {len(done.there):,} were there"
    ]
    told = {
        "are there with another content and stay as they are": done.differing,
        "are damaged where they are and were not copied": done.damaged,
        "tell other versions of a dataset there and stay as they are": done.notes,
    }
    return lines + [
        f"{len(names):,} {words}: {', '.join(names[:_NAMED])}{' ...' if len(names) > _NAMED else ''}"
        for words, names in told.items()
        if names
    ]


def usage_entry(used: Usage) -> dict[str, Any]:
    """What one kind takes as JSON values."""
    return {
        "kind": used.kind,
        "artifacts": used.artifacts,
        "bytes": used.bytes,
        "oldest": used.oldest.isoformat(timespec="seconds"),
        "newest": used.newest.isoformat(timespec="seconds"),
    }


def prunable_entry(one: Prunable) -> dict[str, Any]:
    """Something that can go as JSON values."""
    made = one.at.isoformat(timespec="seconds")
    return {"key": one.key, "kind": one.kind, "bytes": one.bytes, "made": made, "why": one.why}


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number in (0, len(headings) - 1) else "right")
    return table

"""What a person sees of the store: its datasets, its adapters, and where each came from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from blip_core.records import SPLITS
from blip_core.reporting.words import reasons_words, share_words, stage_words

DIGEST_CHARS = 12
"""Of a digest: enough to tell the artefacts of one store apart."""
UNKNOWN = "unknown"

_NAME_WIDTH = 11
_UNITS = ("B", "kB", "MB", "GB", "TB")

Entry = Mapping[str, Any]


def show_datasets(console: Console, entries: Sequence[Entry]) -> None:
    """Print a row a dataset, newest first, and below where each lies and what was tuned on it."""
    headings = ("digest", "recipe", "train", "val.", "test", "refused", "size", "made")
    table = _table(headings, left={"digest", "recipe", "made"})
    for one in entries:
        splits = [f"{one['splits'].get(split, 0):,}" for split in SPLITS]
        refused = f"{sum(one['rejected'].values()):,}"
        cells = (short(one["digest"]), one["recipe"] or UNKNOWN, *splits, refused, *_size_and_time(one))
        table.add_row(*map(escape, cells))
    console.print(table)
    console.print()
    for one in entries:
        _line(console, f"{short(one['digest'])}  {one['path']}")
        if one.get("version") and one["version"]["extends"]:
            _line(console, f"{'':<{DIGEST_CHARS}}  extends {short(one['version']['extends'])}")
        if one["adapters"]:
            _line(console, f"{'':<{DIGEST_CHARS}}  tuned on it: {', '.join(map(short, one['adapters']))}")


def show_adapters(console: Console, entries: Sequence[Entry]) -> None:
    """Print a row an adapter, newest first, and below where each lies."""
    headings = ("digest", "base", "dataset", "steps", "weights", "val. loss", "accuracy")
    table = _table(headings, left={"digest", "base", "dataset"})
    for one in entries:
        cells = (
            short(one["digest"]),
            one["base"] or UNKNOWN,
            short(one["dataset"]),
            _count(one["steps"]),
            _count(one["trainable"]),
            _loss(one["validation_loss"]),
            _newest_accuracy(one["scores"]),
        )
        table.add_row(*map(escape, cells))
    console.print(table)
    console.print()
    for one in entries:
        _line(console, f"{short(one['digest'])}  {one['path']}")


def show_entry(console: Console, entry: Entry, above: Sequence[Entry], below: Sequence[Entry]) -> None:
    """Print one artefact, what it was made from down to the first stage, and what it became."""
    console.print(f"[bold]{entry['kind']} {short(entry['digest'])}[/bold]", highlight=False)
    for name, text in _facts(entry).items():
        _line(console, f"  {name:<{_NAME_WIDTH}} {text}", style="")
    origin = _origin(entry, above)
    console.print(_tree(f"made from{origin}", above))
    none_yet = "nothing yet" if entry["made_from"] is not None else "nothing that is known"
    console.print(_tree("became" if below else f"became: {none_yet}", below))


def short(digest: str | None) -> str:
    """The beginning of a digest, as people type it."""
    return digest[:DIGEST_CHARS] if digest else UNKNOWN


def size_words(size_bytes: int) -> str:
    """A size with a decimal unit and two digits at least, such as `3.3 MB` or `154 kB`."""
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit and size < 10 else f"{size:.0f} {_UNITS[unit]}"


def time_words(made: str) -> str:
    """A time in ISO 8601 as the clock on the wall shows it, to the minute."""
    return datetime.fromisoformat(made).astimezone().strftime("%Y-%m-%d %H:%M")


def score_words(score: Entry) -> str:
    """Variant and accuracy, such as `finetuned 76.3 % of 2,080`; of texts, its measure."""
    if score["accuracy"] is None:
        return f"{score['variant']} {UNKNOWN}"
    return f"{score['variant']} {_value_words(score, score['accuracy'])} of {score['n']:,}"


def entry_words(entry: Entry) -> str:
    """What came of the stage that made an artefact."""
    if entry["kind"] == "scores":
        return ", ".join(f"{name} {_value_words(one, one['value'])}" for name, one in entry["scores"].items())
    if entry["kind"] == "adapter":
        steps = f"{_count(entry['steps'])} steps on {entry['base'] or UNKNOWN}"
        return f"{steps}, validation loss {_loss(entry['validation_loss'])}"
    if entry["kind"] == "predictions":
        judged = f", judged on: {entry['evaluation']}" if entry.get("evaluation") else ""
        return f"{entry.get('variant', UNKNOWN)}, {stage_words('predict', entry)}{judged}"
    return stage_words(entry["kind"], entry)


def _facts(entry: Entry) -> dict[str, str]:
    facts = {"recipe": entry["recipe"] or UNKNOWN}
    if entry["kind"] == "dataset":
        splits = ", ".join(f"{split} {count:,}" for split, count in entry["splits"].items())
        facts["rows"] = f"{entry['rows']:,}: {splits}"
        facts["refused"] = reasons_words(entry["rejected"]) or "none"
    else:
        facts["base"] = entry["base"] or UNKNOWN
        facts["tuned"] = f"{_count(entry['steps'])} steps, {_count(entry['trainable'])} weights"
        facts["loss"] = f"{_loss(entry['validation_loss'])} on validation rows"
        facts["accuracy"] = ", ".join(map(score_words, entry["scores"])) or "not judged"
    size, made = _size_and_time(entry)
    return facts | {"made": f"{made}, {size}", "folder": entry["path"]}


def _origin(entry: Entry, above: Sequence[Entry]) -> str:
    if above:
        return ""
    if entry["made_from"] is None:
        return f": {UNKNOWN}, it was made before lineage was kept"
    gone = ", ".join(entry["made_from"].values())
    return f": {gone}, which the store no longer holds" if gone else ": nothing in the store"


def _tree(title: str, entries: Sequence[Entry]) -> Tree:
    tree = Tree(title, guide_style="dim")
    _grow(tree, entries, set())
    return tree


def _grow(tree: Tree, entries: Sequence[Entry], shown: set[str]) -> None:
    """Add a branch for each entry; one that several lead to is told where it comes first."""
    for entry in entries:
        named = f"{entry['kind']} {short(entry['digest'])}"
        if entry["key"] in shown:
            tree.add(escape(f"{named}   see above"), style="dim")
            continue
        shown.add(entry["key"])
        branch = tree.add(escape(f"{named}   {entry_words(entry)}"))
        _grow(branch, entry["next"], shown)
        if not entry["next"] and entry["made_from"] is None:
            branch.add(f"{UNKNOWN}: it was made before lineage was kept", style="dim")


def _newest_accuracy(scores: Sequence[Entry]) -> str:
    known = [score for score in scores if score["accuracy"] is not None]
    return _value_words(known[0], known[0]["accuracy"]) if known else "–"


def _value_words(score: Mapping[str, Any], value: float) -> str:
    """An accuracy as per cent; of another measure, its name and value."""
    return f"{score['measure']} {value:.2f}" if "measure" in score else share_words(value)


def _size_and_time(entry: Entry) -> tuple[str, str]:
    return size_words(entry["size_bytes"]), time_words(entry["made"])


def _table(headings: Sequence[str], left: set[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(
            heading,
            style="bold" if heading == "digest" else None,
            justify="left" if heading in left else "right",
            no_wrap=True,
        )
    return table


def _line(console: Console, text: str, style: str = "dim") -> None:
    """A line that a terminal may fold and a copy of which is still one path."""
    console.print(escape(text), style=style or None, highlight=False, soft_wrap=True)


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _loss(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"

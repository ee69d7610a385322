"""What a person sees of a table that was read, and of the answers to it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blip_core.reporting.words import reasons_words, share_words

MAX_NAMES_SHOWN = 12  # of columns
MAX_NAME_CHARACTERS = 40  # of each


def show_table(
    console: Console,
    form: str,
    columns: str,
    answers: str,
    unused: Sequence[str],
    warnings: Sequence[str] = (),
) -> None:
    """Print how a table is written, which column is what, how answers are read, what is not used, and what to
    beware of.

    Args:
        console: where to.
        form: as `TableFacts.describe` tells it.
        columns: as `Columns.describe` tells it.
        answers: as `AnswerReading.describe` tells it.
        unused: names of columns.
        warnings: a line each.
    """
    _line(console, "table", form)
    _line(console, "columns", columns)
    _line(console, "answers", answers)
    if unused:
        more = [f"and {len(unused) - MAX_NAMES_SHOWN} more"] if len(unused) > MAX_NAMES_SHOWN else []
        names = [name[:MAX_NAME_CHARACTERS] for name in unused[:MAX_NAMES_SHOWN]]
        _line(console, "not used", ", ".join([*map(repr, names), *more]))
    for warning in warnings:
        _line(console, "beware", warning)


def show_usable(
    console: Console,
    usable: int,
    refused: Mapping[str, int],
    flagged: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Print how many rows can be answered, what is odd about them, and why others cannot."""
    odd = f"; {reasons_words(flagged)}" if flagged else ""
    _line(console, "rows", f"{usable:,} can be used{odd}{refused_words(refused)}")


def show_answers(console: Console, summary: Mapping[str, Any]) -> None:
    """Print what was answered, the scores where there are any, and the files.

    Args:
        console: where to.
        summary: what the flow `predict` gives.
    """
    console.print()
    _line(
        console,
        "answered",
        f"{summary['answered']:,} of {summary['rows']:,} rows by {summary['variant']}"
        + refused_words(summary["refused"]),
    )
    if summary["scores"] is not None:
        show_scores(console, summary["scores"])
        if summary["note"]:
            console.print(escape(summary["note"]), highlight=False)
    if summary["escaped_ids"]:
        count = f"{summary['escaped_ids']:,}"
        _line(
            console, "escaped", f"{count} ids begin like a formula; the CSV files put an apostrophe in front"
        )
    for name, path in summary["files"].items():
        _line(console, name, path)


def show_scores(console: Console, scores: Mapping[str, Any]) -> None:
    """Print accuracy over all and in parts, circular accuracy, calibration, free answers and other modes.

    What `scores` lacks has no line.
    """
    if "main" in scores:
        show_measures(console, scores)
        return
    _line(console, "accuracy", _with_interval(scores["accuracy"]))
    if "circular" in scores:
        _line(console, "circular", f"{_with_interval(scores['circular'])} right in every rotation")
    if "calibration" in scores:
        _line(console, "calibration", _calibration_words(scores["calibration"]))
    free = scores.get("free_generation")
    if free:
        written = f"{share_words(free['accuracy'])} right, {share_words(free['invalid'])} name no letter"
        _line(console, "free text", written)
    for mode, one in scores.get("ablations", {}).items():
        _line(console, mode, _with_interval(one))
    for part in ("by_kind", "by_category"):
        for name, one in scores[part].items():
            _line(console, "", f"{name}: {share_words(one['value'])} (n {one['n']:,})")
    console.print(_letters(scores["per_letter"]))


def show_measures(console: Console, scores: Mapping[str, Any]) -> None:
    """Print what texts reached by the measure that ranks them, over all and in parts, and every measure."""
    _line(console, "score", measure_words(scores))
    for part in ("by_kind", "by_category"):
        for name, one in scores[part].items():
            _line(console, "", f"{name}: {one['value']:.3f} (n {one['n']:,})")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("measure")
    table.add_column("mean", justify="right")
    for name, mean in scores["measures"].items():
        table.add_row(escape(name), f"{mean:.3f}")
    console.print(table)


def measure_words(scores: Mapping[str, Any]) -> str:
    """Such as `VQA accuracy 0.713 (95 % interval 0.650 to 0.776; n 200)`."""
    found = scores["main"]
    interval = f"95 % interval {found['low']:.3f} to {found['high']:.3f}; n {found['n']:,}"
    return f"{scores['measure']['words']} {found['value']:.3f} ({interval})"


def _with_interval(share: Mapping[str, Any]) -> str:
    interval = f"95 % interval {share_words(share['low'])} to {share_words(share['high'])}"
    return f"{share_words(share['value'])} ({interval}; n {share['n']:,})"


def _calibration_words(found: Mapping[str, Any]) -> str:
    points = f"{100 * found['ece']:.1f} points off on average"
    return f"probabilities are {points} (expected calibration error); Brier score {found['brier']:.2f}"


def refused_words(refused: Mapping[str, int]) -> str:
    """Such as `; refused 3 empty-text, 1 repeated-id`; empty where none was."""
    return f"; refused {reasons_words(refused)}" if refused else ""


def _letters(letters: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("letter", "chosen", "right answer", "of these found"):
        table.add_column(heading, justify="left" if heading == "letter" else "right", no_wrap=True)
    for letter, one in letters.items():
        recall = "–" if one["recall"] is None else share_words(one["recall"])
        table.add_row(letter, f"{one['chosen']:,}", f"{one['right']:,}", recall)
    return table


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<11}[/bold] {escape(text)}", highlight=False, soft_wrap=True)

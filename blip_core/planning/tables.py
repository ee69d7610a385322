"""A plan as people read it, in tables that take 100 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from blip_core.planning.advice import Advice
from blip_core.planning.cards import (
    BANDWIDTH_SHARE,
    CARD_SIZES_GB,
    CONTEXT_BYTES,
    GB,
    LAUNCH_SECONDS,
    PEAK_SHARE,
)
from blip_core.planning.plan import Plan
from blip_core.planning.rates import MEASURED_ELSEWHERE
from blip_core.planning.timing import DERIVED, UNKNOWN, Timing
from blip_core.prefetching import served_models

_MINUTE, _HOUR = 60, 3600
_MB = 10**6
_MILLION = 10**6


def show(console: Console, plan: Plan) -> None:
    """Print a plan; of the phases before the last one their rows and their time."""
    for one in plan.before:
        _head(console, one)
        _times(console, one, one.of_rows_and_tuning)
    _head(console, plan)
    _parameters(console, plan)
    _memory(console, plan)
    if plan.where == "cuda":
        _cards(console, plan)
        _dense(console, plan)
    _disk(console, plan)
    _times(console, plan, plan.timings)
    if plan.before:
        _line(console, f"All {len(plan.before) + 1} phases: {plan.device_hours:.2f} device hours.", "bold")


def size_words(count: float) -> str:
    """Bytes in the unit that reads best: 512 MB, 4.17 GB."""
    if count < GB:
        return f"{count / _MB:,.0f} MB"
    return f"{count / GB:,.2f} GB" if count < 10 * GB else f"{count / GB:,.1f} GB"


def time_words(seconds: float) -> str:
    """A length of time in the unit that reads best: 12 s, 3.4 min, 2.1 h."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s" if seconds >= 1 else "< 1 s"
    return f"{seconds / _MINUTE:.1f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"


def _table(title: str, left: Sequence[str], right: Sequence[str], last: Sequence[str] = ()) -> Table:
    """A table whose figures stand on the right, between words on the left."""
    table = Table(
        title=title,
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title_justify="left",
        title_style="bold",
    )
    sides: list[tuple[str, JustifyMethod]] = [(name, "left") for name in left]
    sides += [(name, "right") for name in right]
    sides += [(name, "left") for name in last]
    for name, side in sides:
        table.add_column(name, justify=side, no_wrap=name not in last)
    return table


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(escape(text), style=style or None, highlight=False)


def _head(console: Console, plan: Plan) -> None:
    counts = plan.counts
    made = f"{counts.scenes:,} scenes, " if counts.scenes else ""
    phase = f", phase {plan.recipe.phase}" if plan.recipe.phase else ""
    _line(console, f"{plan.recipe.title} ({plan.recipe.profile}{phase})", "bold")
    _line(
        console,
        f"{made}{counts.pictures:,} pictures, {counts.labels:,} rows: {counts.train:,} to learn, "
        f"{counts.validation:,} to watch, {counts.judged:,} to judge; none refused",
    )
    if plan.where == "cpu":
        _line(console, "Models run on the CPU: what they hold is main memory, and no GPU is used.")
    for name, note in {one.id: one.note for one in plan.architectures.values() if one.note}.items():
        _line(console, f"{name}: {note}.")
    console.print()


def _parameters(console: Console, plan: Plan) -> None:
    counted = plan.parameters
    table = _table(
        f"Parameters of {escape(plan.recipe.finetune.base.id)} with its adapter",
        ("part", "before", "as loaded"),
        ("parameters", "bytes before", "bytes", "trained"),
    )
    for part in counted.parts:
        table.add_row(
            escape(part.module),
            part.before_dtype,
            part.dtype,
            f"{part.parameters:,}",
            size_words(part.before_bytes),
            size_words(part.bytes),
            f"{part.trainable:,}" if part.trainable else "",
        )
    console.print(table)
    _line(
        console,
        f"before quantisation {counted.before:,}, after {counted.after:,}; trained {counted.trainable:,} "
        f"({100 * counted.trainable_share:.2f} %)",
    )
    console.print()


def _memory(console: Console, plan: Plan) -> None:
    on_gpu = plan.where == "cuda"
    table = _table(
        f"Peak memory of each stage on the {'GPU' if on_gpu else 'CPU'} (derived)",
        ("stage", "at once"),
        ("weights", "kept", "working", "peak", *(["main memory"] if on_gpu else [])),
    )
    for stage in plan.stages:
        one = stage.footprint
        sizes = [size_words(size) for size in (one.weights, one.kept, one.working, one.total)]
        table.add_row(
            escape(stage.name),
            escape(stage.batch) + (", coarse" if stage.footprint.is_coarse else ""),
            *sizes,
            *([size_words(plan.host[stage.group])] if on_gpu else []),
        )
    console.print(table)
    coarse = [stage.name for stage in plan.stages if stage.footprint.is_coarse]
    if coarse:
        _line(
            console,
            f"Coarse: {', '.join(coarse)}. Its weights are exact; kept and working memory are not traced but "
            "bounded from above, and real peaks are lower.",
        )
    for field, model in served_models(plan.recipe):
        words = (
            f"{field} is {model.served_model} at {model.url}: a server works it, nothing of it is held here."
        )
        _line(console, words)
    _line(
        console,
        "Weights are exact; the rest is the peak of the operations themselves, traced without memory, "
        "texts at their longest.",
        "dim",
    )
    if on_gpu:
        _line(console, f"A CUDA context takes some {size_words(CONTEXT_BYTES)} besides.", "dim")
    else:
        whole = max(plan.host.values())
        each = "" if plan.recipe.device.executor == "serial" else ", and so does each worker of shards"
        _line(
            console,
            f"A process with its libraries and rows holds {size_words(whole)} at the most{each}.",
            "dim",
        )
    console.print()


def _cards(console: Console, plan: Plan) -> None:
    table = _table("Cards that hold it", ("stage",), [f"{size} GB" for size in CARD_SIZES_GB])
    fitting = {size: plan.fitting(size) for size in CARD_SIZES_GB}
    for stage in plan.peaks:
        marks = ["yes" if fitting[size][stage] else "[red]no[/red]" for size in CARD_SIZES_GB]
        table.add_row(stage, *marks)
    console.print(table)
    smallest = plan.smallest_gb
    if smallest is not None:
        _line(console, f"As it is, everything fits a card with {smallest} GB.")
    else:
        _line(console, "As it is, not every stage fits one card.")
    for size in reversed(CARD_SIZES_GB):
        _advise(console, size, [one for one in plan.advice if one.card_gb == size])
    console.print()


def _advise(console: Console, size: int, advice: Sequence[Advice]) -> None:
    for one in advice:
        if one.changes:
            _line(
                console, f"  {size:>3} GB: {' '.join(one.sets)}   ({one.stage} {size_words(one.peak_bytes)})"
            )
        else:
            _line(
                console,
                f"  {size:>3} GB: no setting helps {one.stage}, whose model alone takes "
                f"{size_words(one.peak_bytes)}; choose a smaller one",
            )


def _dense(console: Console, plan: Plan) -> None:
    dense = plan.dense
    if dense.is_dense:
        _line(console, "Variants answer with a dense language model as it is.")
        console.print()
        return
    saved = 100 * (1 - dense.seconds / dense.packed_seconds) if dense.packed_seconds else 0.0
    needs = f"{size_words(dense.peak_bytes)} instead of {size_words(dense.packed_bytes)}"
    if not dense.fits(plan.card.memory_gb):
        least = (
            f"a card with {dense.smallest_gb} GB" if dense.smallest_gb else "more than any card listed here"
        )
        _line(
            console,
            f"A dense language model for answering takes {needs}: it does not fit here; it takes {least}.",
        )
    else:
        _line(
            console,
            f"A dense language model for answering takes {needs}: it fits (from {dense.smallest_gb} GB on) "
            f"and would save about {saved:.0f} % of the time (derived): --set inference.dense=auto",
        )
    console.print()


def _disk(console: Console, plan: Plan) -> None:
    table = _table("Disk", ("what",), ("bytes",), ("how it is known",))
    for name, size in plan.downloads.items():
        words = "to download: weights in the hub's type" if size else "is here"
        table.add_row(escape(name), size_words(size) if size else "", words)
    disk = plan.disk
    table.add_row("pictures", size_words(disk.pictures), "estimated: PNG, three copies")
    if disk.features:
        table.add_row("vision features", size_words(disk.features), "computed: once a picture")
    table.add_row("training checkpoints", size_words(disk.checkpoints), "computed: until the tuning is over")
    table.add_row("rows", size_words(disk.rows), "estimated")
    table.add_row("[bold]in all[/bold]", f"[bold]{size_words(disk.total)}[/bold]", "")
    console.print(table)
    console.print()


def _times(console: Console, plan: Plan, timings: Sequence[Timing]) -> None:
    device = "GPU" if plan.where == "cuda" else "CPU"
    table = _table(
        "Time",
        ("stage",),
        ("rows", "rows/s", "time", f"{device} hours"),
        ("where the rate is from",),
    )
    for timing in timings:
        rate = _rate_words(timing.rows / timing.seconds) if timing.seconds else ""
        table.add_row(
            escape(timing.stage),
            f"{timing.rows:,.0f}",
            rate,
            time_words(timing.seconds) if timing.seconds else "",
            f"{timing.device_hours:.2f}" if timing.is_known else "",
            escape(origin_words(timing)),
        )
    whole = sum(timing.seconds for timing in timings)
    table.add_row(
        f"[bold]{'in all' if all(timing.is_known for timing in timings) else 'what is known'}[/bold]",
        "",
        "",
        f"[bold]{time_words(whole)}[/bold]",
        f"[bold]{sum(timing.device_hours for timing in timings):.2f}[/bold]",
        "",
    )
    console.print(table)
    if any(timing.origin == DERIVED for timing in timings):
        _line(
            console,
            f"Derived: each operation at {100 * PEAK_SHARE:.0f} % of the peak or "
            f"{100 * BANDWIDTH_SHARE:.0f} % of the bandwidth of {plan.card.name}, at least "
            f"{LAUNCH_SECONDS * _MILLION:.0f} µs, texts at their longest. Assumptions, not measurements.",
            "dim",
        )


def _rate_words(rate: float) -> str:
    return f"{rate:,.1f}" if rate >= 1 else f"{rate:.2g}"


def origin_words(timing: Timing) -> str:
    """Where a rate is from: measured here on 2026-11-30, on a card by somebody, or derived for a card."""
    if timing.origin == UNKNOWN:
        return "not known until it has run here"
    if timing.origin == DERIVED:
        return f"derived for {timing.device}"
    if timing.origin == MEASURED_ELSEWHERE:
        return f"measured on {timing.device}, {timing.date}"
    return f"{timing.origin} on {timing.date}" + (f", {timing.device}" if timing.device else "")

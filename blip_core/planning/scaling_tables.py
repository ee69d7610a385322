"""A plan on several GPUs as people read it."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from blip_core.planning.scaling import MACHINE_GPUS, Scaled, Share
from blip_core.planning.tables import size_words, time_words
from blip_core.planning.timing import SECONDS_AN_HOUR


def show_scaled(console: Console, scaled: Scaled) -> None:
    """Print what GPUs together take, and what breaks first."""
    console.print(_shares(scaled))
    for line in _lines(scaled):
        console.print(line, highlight=False, markup=False)
    console.print()
    console.print("What breaks first", style="bold")
    for number, limit in enumerate(scaled.limits, start=1):
        console.print(f"{number}. {limit.what}: {limit.size}.", highlight=False, markup=False)
        console.print(f"   {limit.remedy}", style="dim", highlight=False, markup=False)


def hours_words(share: Share) -> str:
    """How long a stage takes."""
    return "not known" if share.hours is None else time_words(share.hours * SECONDS_AN_HOUR)


def _shares(scaled: Scaled) -> Table:
    table = Table(
        title=f"On {scaled.gpus:,} GPUs (derived)",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title_justify="left",
        title_style="bold",
    )
    for name in ("stage", "GPUs", "time", "price", "why no more GPUs"):
        table.add_column(name, justify="left" if name in ("stage", "why no more GPUs") else "right")
    for share in scaled.shares:
        price = "" if share.gpu_hours is None else f"{share.gpu_hours * scaled.price:,.2f}"
        table.add_row(share.stage, f"{share.gpus:,}", hours_words(share), price, share.why)
    whole = time_words(scaled.hours * SECONDS_AN_HOUR)
    table.add_row("[bold]in all[/bold]", "", f"[bold]{whole}[/bold]", _price(scaled), "")
    return table


def _price(scaled: Scaled) -> str:
    return f"[bold]{scaled.gpu_hours * scaled.price:,.2f}[/bold]"


def _lines(scaled: Scaled) -> list[str]:
    slowest, store = scaled.bottleneck, scaled.traffic
    asked = ", ".join(f"{count:,} {kind}" for kind, count in store.requests.items())
    return [
        f"Price: {scaled.price:g} an hour and GPU, with --gpu-price your own; "
        f"{scaled.hours * scaled.gpus * scaled.price:,.2f} if all {scaled.gpus:,} are held to the end.",
        *([f"Slowest: {slowest.stage}, {hours_words(slowest)}."] if slowest else []),
        f"A store in a bucket takes {size_words(store.put_bytes)} and {store.shards:,} shards: {asked}.",
        "Assumed: N workers take the N-th part of the time of one, and wait for nobody; tuning takes the "
        f"GPUs of one machine, {MACHINE_GPUS} at the most.",
    ]

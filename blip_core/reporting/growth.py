"""What came of extending a dataset, in words."""

from collections.abc import Iterator

from blip_core.reporting.markdown import bullets, table
from blip_core.reporting.summary import GrowthSummary
from blip_core.reporting.words import share_words

_SHOWN_CHARS = 12  # of a digest, as everywhere


def growth_lines(growth: GrowthSummary) -> list[str]:
    """What came, what was refused, how the balance moved, why it ended, and what to look at; a line each."""
    return list(_lines(growth))


def growth_page(growth: GrowthSummary) -> str:
    """The same as Markdown, with what to look at first."""
    alerts = [f"**Look at this:** {alert}" for alert in growth.alerts]
    drift = [["new rows against the version before", "distance"]]
    drift += [[name, f"{distance:.3f}"] for name, distance in growth.drift.items()]
    told = bullets(_told(growth))
    return "\n\n".join(filter(None, [*alerts, told, table(drift) if growth.drift else ""]))


def _lines(growth: GrowthSummary) -> Iterator[str]:
    yield from _told(growth)
    if growth.drift:
        moved = ", ".join(f"{name} {distance:.3f}" for name, distance in growth.drift.items())
        yield f"drift of the new rows (0 none, 1 all): {moved}"
    yield from (f"look at this: {alert}" for alert in growth.alerts)


def _told(growth: GrowthSummary) -> list[str]:
    version = growth.version[:_SHOWN_CHARS]
    if not growth.is_new:
        lines = [f"{growth.line}: nothing came; version {version} with {growth.rows:,} rows stays the last"]
    else:
        after = f"after {growth.parent[:_SHOWN_CHARS]}" if growth.parent else "the first of its line"
        lines = [
            f"{growth.line}: {growth.added:,} rows came; version {version}, {after}, has {growth.rows:,}",
            f"refused: {share_words(growth.refused_share)} of {growth.asked:,} questions that were asked",
        ]
    lines.append(f"balance of letters and categories: {growth.balance:.2f} (rarest over commonest)")
    return lines + ([f"ended before its target: {growth.stopped}"] if growth.stopped else [])

"""What a run found, in the Markdown that the pages of MLflow and Prefect show."""

from collections.abc import Mapping, Sequence
from typing import Any

from blip_core.reporting.answers import measure_words
from blip_core.reporting.findings import finding_sentences, findings_cells
from blip_core.reporting.funnel import count_cells
from blip_core.reporting.ladder import Ladder
from blip_core.reporting.ladder_table import champion_words, ladder_cells, otherwise_cells
from blip_core.reporting.published import published_cells, published_sentences
from blip_core.reporting.summary import AdapterSummary, DatasetSummary, Summary
from blip_core.reporting.words import loss_words, p_words, reasons_words, share_words

Links = Mapping[str, str]


def run_note(summary: Summary, ladder: Ladder, links: Links, note: str = "") -> str:
    """What a run means in one sentence, its ladder, and where everything lies; for a page's description.

    Args:
        summary: the run as programs see it; what it did not make is left out.
        ladder: its variants side by side.
        links: addresses by the text that leads to them; those that are empty are left out.
        note: what a reader has to know of the scores.
    """
    parts = [
        ladder.verdict,
        table(ladder_cells(ladder)) if ladder.rungs else "",
        *_titled("Published and measured", bullets(published_sentences(summary.published))),
        *_titled("What was expected", bullets(finding_sentences(summary.findings))),
        *_remarks(summary, ladder, note),
    ]
    return _joined([*parts, _places(summary, links)])


def run_page(summary: Summary, ladder: Ladder, links: Links, note: str = "", picture: str = "") -> str:
    """The same at full length: with the ladder's picture, every comparison, and other ways of asking.

    Args:
        summary: see `run_note`.
        ladder: see `run_note`.
        links: see `run_note`.
        note: see `run_note`.
        picture: address of the ladder as a picture, for a page that can reach it; empty shows none.
    """
    parts = [f"**{ladder.verdict}**" if ladder.verdict else ""]
    if ladder.rungs:
        parts += [f"![the ladder]({picture})" if picture else "", table(ladder_cells(ladder))]
        parts += _titled("Published and measured", table(published_cells(summary.published)))
        parts += _titled("What was expected", table(findings_cells(summary.findings)))
        parts += _titled("Every comparison", comparisons_table(ladder) if ladder.comparisons else "")
        parts += _titled("Asked in other ways", table(otherwise_cells(ladder)))
    funnel = count_cells(summary.dataset.gates) if summary.dataset else []
    parts += _titled("What the gates refused", table(funnel))
    return _joined([*parts, *_remarks(summary, ladder, note), _places(summary, links)])


def answers_markdown(summary: Mapping[str, Any], links: Links) -> str:
    """What a variant answered of a table, and where the answers lie.

    Args:
        summary: the run as programs see it.
        links: addresses by the text that leads to them; those that are empty are left out.
    """
    parts = [answers_words(summary)]
    if summary["refused"]:
        refused = [[reason, f"{count:,}"] for reason, count in summary["refused"].items()]
        parts.append(table([["refused because", "rows"], *refused]))
    parts += [summary["note"]] if summary["note"] and summary["scores"] else []
    files = [f"{name}: {_code(path)}" for name, path in summary["files"].items()]
    return "\n\n".join([*parts, bullets([*files, *link_lines(links)])])


def answers_words(summary: Mapping[str, Any]) -> str:
    """One sentence on answers to a table, with their accuracy where the table knows what is right."""
    said = f"{summary['variant']} answered {summary['answered']:,} of {summary['rows']:,} rows"
    if not summary["scores"]:
        return f"{said}."
    if "main" in summary["scores"]:
        return f"{said}; {measure_words(summary['scores'])}."
    found = summary["scores"]["accuracy"]
    ends = f"95 % interval {100 * found['low']:.1f} to {100 * found['high']:.1f}, n {found['n']:,}"
    return f"{said}; {share_words(found['value'])} of those whose answer is known are right ({ends})."


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its heading; empty without rows."""
    if not rows:
        return ""
    heading, *others = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join([heading, "|" + "---|" * len(rows[0]), *others])


def comparisons_table(ladder: Ladder) -> str:
    """Every paired comparison, in points of accuracy."""
    rows = [["variant", "against", "difference (95 %)", "p", "p adj.", "questions that differ"]]
    for one in ladder.comparisons:
        ends = f"({100 * one.low:+.1f} to {100 * one.high:+.1f})"
        told = f"{100 * one.difference:+.1f} {ends}"
        rows.append([one.b, one.a, told, p_words(one.p_value), p_words(one.p), f"{one.discordant:,}"])
    return table(rows)


def bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def link_lines(links: Links) -> list[str]:
    """A link a line; an address that is empty is left out."""
    return [f"[{text}]({address})" for text, address in links.items() if address]


def dataset_words(dataset: DatasetSummary) -> str:
    """Rows by split and what was refused, such as `train 300, test 40; refused 3 duplicate`."""
    rows = ", ".join(f"{split} {count:,}" for split, count in dataset.rows.items())
    refused = reasons_words(dataset.rejected)
    return rows + (f"; refused {refused}" if refused else "")


def adapter_words(adapter: AdapterSummary) -> str:
    """How it learnt, such as `loss 2.00 to 0.50 in 120 steps, best validation loss 0.48`; may be empty."""
    said = loss_words(adapter.training)
    best = adapter.training.get("best_validation_loss")
    return said if best is None or not said else f"{said}, best validation loss {best:.3f}"


def _titled(title: str, content: str) -> list[str]:
    return [f"**{title}**", content] if content else []


def _remarks(summary: Summary, ladder: Ladder, note: str) -> list[str]:
    champion = champion_words(summary.champion) if summary.champion else ""
    return [champion, note if ladder.rungs else ""]


def _places(summary: Summary, links: Links) -> str:
    return bullets([*_facts(summary), *link_lines(links)])


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _facts(summary: Summary) -> list[str]:
    facts = []
    if summary.dataset:
        facts.append(f"dataset: {dataset_words(summary.dataset)}<br>{_code(summary.dataset.path)}")
    if summary.adapter:
        told = adapter_words(summary.adapter)
        facts.append(
            f"adapter: {told}<br>{_code(summary.adapter.path)}" if told else _code(summary.adapter.path)
        )
    facts += [
        f"adapter of {name}: {adapter_words(adapter)}<br>{_code(adapter.path)}"
        for name, adapter in summary.earlier_adapters.items()
    ]
    if summary.report:
        facts.append(f"report: {_code(summary.report)}")
    return facts


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

"""A report for people, in Markdown."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import shown, table

_STATUS = {
    "done": "done in {seconds:.0f} s",
    "stopped": "stopped after {seconds:.0f} s, its bound; what it had measured is below",
    "failed": "failed after {seconds:.0f} s: {error}",
    "running": "running, or killed with the whole report",
    "waiting": "not begun",
    "not started": "not started: no time was left",
}


def page(report: Mapping[str, Any]) -> str:
    """Everything that a report holds."""
    return "\n".join([*_head(report), *(line for part in report["parts"] for line in _part(part))])


def _head(report: Mapping[str, Any]) -> list[str]:
    machine, broken = report["machine"], report["broken_claims"]
    claims = [one for part in report["parts"] for one in part["figures"] if "holds" in one]
    versions = ", ".join(f"{name} {number}" for name, number in machine.get("versions", {}).items())
    lines = [
        f"# {machine.get('device', 'No device yet')}, {report['date']}",
        "",
        f"Sizes: {report['size']}. Status: {report['status']}. {versions}",
        "",
        f"**{len(claims) - len(broken)} of {len(claims)} claims hold.**",
        *(f"- does not hold: {what}" for what in broken),
        "",
    ]
    return [*lines, *table(("part", "status"), [(one["title"], _status(one)) for one in report["parts"]]), ""]


def _status(part: Mapping[str, Any]) -> str:
    return _STATUS[part["status"]].format(**part).replace("|", "/")


def _part(part: Mapping[str, Any]) -> list[str]:
    if not part["figures"]:
        return []
    columns = list(dict.fromkeys(name for one in part["figures"] for name in one if name != "what"))
    heads = ("", *(name.replace("_", " ") for name in columns))
    rows = [(_cell(one["what"]), *(_cell(one.get(name)) for name in columns)) for one in part["figures"]]
    return [f"## {part['title']}", "", *table(heads, rows), ""]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return shown(value).replace("|", "/").replace("\n", " ")

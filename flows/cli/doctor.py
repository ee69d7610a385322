"""Examines a machine and a workplace, one line a check, and says how to mend what is wrong."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from blip_core.errors import FoundryError
from flows.cli.checks import machine, models, records, serving
from flows.cli.checks.finding import Case, Finding, State
from flows.cli.checks.workers import workers

Check = Callable[[Case], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    machine.python,
    machine.packages,
    machine.disk,
    machine.memory,
    machine.gpu,
    machine.four_bit,
    workers,
    records.store,
    records.artefacts,
    records.kept_features,
    models.checkpoints,
    records.mlflow,
    records.waiting_journals,
    serving.models,
    records.prefect_records,
    serving.prefect,
    serving.ports,
)

_MARKS: dict[State, str] = {
    "ok": "[green]ok[/]     ",
    "warning": "[yellow]warning[/]",
    "problem": "[bold red]problem[/]",
}
_NAME_WIDTH = 14


def examine(case: Case, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Run every check; what one refuses on purpose is its problem, and the others go on."""
    for check in checks:
        try:
            yield from check(case)
        except FoundryError as error:
            yield Finding(check.__name__.replace("_", " "), "problem", str(error))


def show(console: Console, finding: Finding) -> None:
    """Print a finding, its remedy below it."""
    name = escape(f"{finding.check:<{_NAME_WIDTH}}")
    console.print(f"{_MARKS[finding.state]} {name} {escape(finding.said)}")
    if finding.remedy:
        console.print(f"{'':<{_NAME_WIDTH + 8}} to mend it: {escape(finding.remedy)}", style="dim")


def verdict(findings: Sequence[Finding]) -> str:
    """How many of which, in words."""
    problems = sum(finding.state == "problem" for finding in findings)
    warnings = sum(finding.state == "warning" for finding in findings)
    if not problems and not warnings:
        return "All is well."
    return f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

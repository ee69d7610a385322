"""The page of what gates catch, from its results."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import machine_line, table
from tests.benchmarks.gates_world import FAULTS

NONE = "–"
ROWS = (
    "The bundled labeller labels composed, shifted pictures, whose truth is known (W). X and Y are the same "
    "rows with planted faults, a third of each kind: another option is called right, the whole label is "
    "another picture's, the description is.\n\n"
    "A row is bad where its answer or its description is wrong. Scores are held against that: the area under "
    "the curve, and the share of bad rows that are refused where a tenth of the good ones may be lost. All "
    "of it speaks of the pocket world alone, where labels are short and of one form: the bounds of other "
    "labellers are their own."
)


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    costs = results["cpu_seconds_per_1000_rows"]
    kept = results["kept_equals_rescored"]
    return "\n".join(
        [
            "# What gates on labels catch",
            "",
            "Written by `make gates`, from [gates.json](gates.json).",
            "",
            ROWS,
            "",
            "## What scores tell",
            "",
            *table(("gate", "AUC W", "AUC X", "recall W", "recall X", *FAULTS), _scores(results["gates"])),
            "",
            "The last three columns are the shares of planted faults that are refused in X.",
            "",
            "## How many answers are wrong, and how many the alarm says",
            "",
            *table(
                ("set", "rows", "bad rows", "wrong answers", "by confidence", "by stuck answers"),
                _sets(results["sets"]),
            ),
            "",
            "Rows of which a labeller is stuck on one text, and what the counter estimates: "
            + ", ".join(f"{share} {value:.1%}" for share, value in results["stuck"].items())
            + ". It needs 15 rows in which the text is offered.",
            "",
            "## The gates themselves, calibrated on the first rows",
            "",
            *table(
                (
                    "gate",
                    "kept",
                    "planted faults refused",
                    "bad rows",
                    "good rows lost",
                    "by groups in the picture",
                ),
                _shipped(results),
            ),
            "",
            "## Measured, not refused",
            "",
            *table(
                ("what", "share"),
                [(name, f"{value:.3f}") for name, value in results["measured_blind"].items()],
            ),
            "",
            "## Cost",
            "",
            *table(("what", "CPU s for 1,000 rows"), list(costs.items())),
            "",
            "Confidence is kept while labels are written, and costs next to nothing then. Read again, "
            f"{kept['tokens']:,} tokens have the same log-probability within {kept['largest_difference']}.",
            "",
            machine_line(results),
            "",
        ]
    )


def _scores(gates: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            name,
            *(found[key][figure] for figure in ("auc", "recall") for key in ("W", "X")),
            *(found["X"].get(fault, NONE) for fault in FAULTS),
        )
        for name, found in gates.items()
    ]


def _sets(sets: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            name,
            found["rows"],
            f"{found['bad']:.1%}",
            f"{found['wrong_answers']:.1%}",
            f"{found['estimated by confidence']:.1%}",
            f"{found['estimated by stuck-answers']:.1%}",
        )
        for name, found in sets.items()
    ]


def _shipped(results: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    rows = [
        (
            f"confidence by both, {name}",
            found["kept"],
            found.get("planted", NONE),
            found["recall"],
            found["loss"],
            ", ".join(f"{groups}: {share:.0%}" for groups, share in found["refused_by_groups"].items()),
        )
        for name, found in results["as_shipped"].items()
    ]
    judge = results["second_judge_as_shipped"]
    figures = judge["planted"], judge["recall"], judge["loss"]
    return [*rows, ("second judge by likelihood, in strata, a fifth of X", NONE, *figures, NONE)]

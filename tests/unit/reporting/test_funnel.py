"""The funnel in words, metrics and rows, and back from a dataset's metadata."""

from dataclasses import asdict

from blip_core import strict_json
from blip_core.curation import GateCount, GateSample
from blip_core.reporting.funnel import count_cells, funnel_cells, funnel_metrics, funnel_rows, sample_cells

GATES = [
    GateCount(
        *("lengths", 1_000, 3, "short texts", {"too-short": 2, "empty-text": 1}),
        refused_samples=(
            GateSample("x", "What?", "a frog", "too-short: 1 word"),
            GateSample("z", "", "", "empty-text: question is empty"),
        ),
    ),
    GateCount("balance", 997, 0, kept_samples=(GateSample("y", "What?", "a bus"),)),
]


def test_gates_come_back_from_metadata_as_they_were():
    told = strict_json.loads(strict_json.dumps([asdict(gate) for gate in GATES]))

    assert [GateCount.from_dict(one) for one in told] == GATES
    assert GateCount.from_dict({"gate": "old", "seen": 3, "refused": 1}).kept == 2


def test_each_gate_has_a_line_a_metric_and_its_reasons():
    assert funnel_cells(GATES)[1:] == [
        ["lengths", "1,000", "3", "997", "too-short 2, empty-text 1"],
        ["balance", "997", "0", "997", ""],
    ]
    assert count_cells({"lengths": (1_000, 3)})[1:] == [["lengths", "1,000", "3"]]
    assert funnel_metrics(GATES)["gates/lengths/refused"] == 3.0
    assert [(row["gate"], row["reason"], row["refused"]) for row in funnel_rows(GATES)] == [
        ("lengths", "too-short", 2),
        ("lengths", "empty-text", 1),
        ("balance", "", 0),
    ]
    assert funnel_rows(GATES)[1]["for instance"] == "z: empty-text: question is empty"


def test_rows_before_and_after_stand_side_by_side():
    assert [line[1] for line in sample_cells(GATES)[1:]] == ["x", "z", "y"]
    assert sample_cells(GATES[1:]) == funnel_cells([]) == count_cells({}) == []

from typing import Any

import pytest

from tests.benchmarks import finetune_page, inference_page, measuring
from tests.benchmarks.processors import ENTRIES, ORIGIN, is_whole, kind_of, lowest, plain_name, with_measured

EPYC: dict[str, Any] = {
    "machine": {"cpu": "AMD EPYC", "cores": 2, "capability": "AVX512"},
    "ratio_cpu": {"median": 5.7},
}
XEON: dict[str, Any] = {
    "machine": {"cpu": "Intel Xeon", "cores": 4, "capability": "AVX2"},
    "ratio_cpu": {"median": 3.9},
}
TOLD: dict[str, Any] = {"machine": {"cpu": "Intel Xeon"}, ORIGIN: "a report", "ratio_cpu": {"median": 3.8}}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "Intel Xeon"),
        ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "Intel Xeon Platinum 8481C"),
        ("13th Gen Intel(R) Core(TM) i7-1370P", "13th Gen Intel Core i7-1370P"),
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654"),
        ("AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics", "AMD Ryzen 7 PRO 7840U"),
        ("AMD EPYC", "AMD EPYC"),
        ("Apple M2", "Apple M2"),
        ("aarch64", "aarch64"),
    ],
)
def test_a_processor_is_named_without_marks_clock_and_cores(model: str, name: str) -> None:
    assert plain_name(model) == name


def test_a_kind_is_a_name_with_cores_and_instructions_where_they_are_known() -> None:
    assert kind_of(EPYC) == "AMD EPYC, 2 cores, AVX512"
    assert kind_of(TOLD) == "Intel Xeon"


def test_a_run_writes_its_own_entry_and_keeps_the_others() -> None:
    kept = {"command": "make it", ENTRIES: [EPYC, TOLD], "gpu": {"device": "one"}}
    again = EPYC | {"ratio_cpu": {"median": 6.0}}
    other = EPYC | {"machine": EPYC["machine"] | {"cores": 64}}

    assert with_measured(kept, again) == kept | {ENTRIES: [again, TOLD]}
    assert with_measured(kept, other) == kept | {ENTRIES: [EPYC, other, TOLD]}
    assert with_measured({}, EPYC) == {ENTRIES: [EPYC], "gpu": None}


def test_a_whole_run_takes_the_place_of_what_was_merely_told_of_its_processor() -> None:
    assert with_measured({ENTRIES: [EPYC, TOLD]}, XEON)[ENTRIES] == [EPYC, XEON]
    assert with_measured({ENTRIES: [TOLD]}, EPYC)[ENTRIES] == [EPYC, TOLD]


def test_the_lowest_ratio_is_found_where_there_is_one() -> None:
    cases = [
        {"ratio_cpu": {"a": {"median": 2.0}}},
        {"ratio_cpu": {"a": {"median": 1.5}, "b": {"median": 9.0}}},
    ]

    assert lowest(cases, "ratio_cpu", "a") == {"median": 1.5}
    assert lowest(cases, "ratio_cpu", "b") == {"median": 9.0}


@pytest.mark.parametrize(
    ("name", "page"), [("finetune", finetune_page.page), ("inference", inference_page.page)]
)
def test_the_page_on_file_is_that_of_the_results_on_file(name: str, page: Any) -> None:
    file = measuring.RESULTS / f"{name}.json"
    results = measuring.read(file)

    assert file.with_suffix(".md").read_text(encoding="utf-8") == page(results)
    for entry in results[ENTRIES]:
        assert kind_of(entry) in page(results)
        assert (f"## {kind_of(entry)}\n" in page(results)) is is_whole(entry)

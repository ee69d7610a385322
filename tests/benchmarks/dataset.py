"""Scenes, labels and pictures in batches against the row-by-row way: `make bench-dataset`.

Both sides make the same rows under the same seeds, which are compared first; then CPU seconds. `PARTS` says
what is measured: a stage adds its own there. Gates have no row-by-row way: of them time a row and memory are
measured, see `dataset_gates`.
"""

import argparse
import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from transformers.utils import logging

from tests.benchmarks import dataset_gates, dataset_models, dataset_page, measuring, ratios_figure
from tests.benchmarks.dataset_pictures import pictures
from tests.benchmarks.dataset_texts import Texts, labels, scenes
from tests.benchmarks.dataset_work import Work
from tests.benchmarks.processors import ENTRIES, kind_of, with_measured

RESULTS = measuring.RESULTS / "dataset.json"
PAIRS = 3
ROWS, LARGER_ROWS, LARGER_TOKENS = 32, 8, 64

Parts = Mapping[str, Callable[[Path], Work]]

# By stage, at the size of the bundled family.
PARTS: Parts = {
    "scenes": partial(scenes, Texts(ROWS)),
    "labels": partial(labels, Texts(ROWS)),
    "pictures": partial(pictures, ROWS),
}
# Larger models, whose products weigh more beside what every step costs.
LARGER: Parts = {
    "scenes": partial(
        scenes,
        Texts(LARGER_ROWS, LARGER_ROWS, LARGER_TOKENS, dataset_models.build_writer, dataset_models.WORDS),
    ),
    "labels": partial(
        labels,
        Texts(LARGER_ROWS, LARGER_ROWS, LARGER_TOKENS, dataset_models.build_labeller, dataset_models.WORDS),
    ),
}


def measure_part(name: str, work: Work, pairs: int) -> dict[str, Any]:
    """Whether both sides make the same rows, the ratio of their CPU seconds, and their rates.

    Raises:
        SystemExit: They do not: there is nothing to compare.
    """
    measuring.tell(f"{name}: rows of both sides")
    if not work.are_equal(work.batched(), work.one_by_one()):
        sys.exit(f"{name}: both sides made other rows; nothing was timed")
    seconds: dict[str, list[float]] = {"batched": [], "row_by_row": []}
    measured = measuring.abba_pairs(
        name,
        partial(_timed, work.one_by_one, seconds["row_by_row"]),
        partial(_timed, work.batched, seconds["batched"]),
        pairs,
    )
    rates = {side: round(work.rows / statistics.median(spent), 2) for side, spent in seconds.items()}
    return {
        **measuring.spread([alone / together for alone, together in measured]),
        "rows": work.rows,
        "rows_per_cpu_second": rates,
        "method": work.method,
    }


def _timed(work: Callable[[], object], seconds: list[float]) -> float:
    gc.collect()
    seconds.append(measuring.cpu_seconds(work))
    return seconds[-1]


def measure(parts: Parts, larger: Parts, pairs: int, threads: int = 1) -> dict[str, Any]:
    """All CPU figures, which hold for this kind of processor."""
    ratios: dict[str, dict[str, Any]] = {}
    for title, asked in (("", parts), (" (larger)", larger)):
        ratios[title] = {}
        for name, build in asked.items():
            with tempfile.TemporaryDirectory() as place, measuring.threads(threads):
                ratios[title][name] = measure_part(name + title, build(Path(place)), pairs)
    return {
        "machine": measuring.machine(threads),
        "versions": measuring.versions(),
        "product_gflops": measuring.product_gflops(),
        "equal_rows": True,  # or nothing was timed
        "ratio_cpu": ratios[""],
        "ratio_cpu_larger": ratios[" (larger)"],
    }


def measure_gates(sizes: Sequence[int]) -> dict[str, Any]:
    """Rows through the gates, by how many they are."""
    with tempfile.TemporaryDirectory() as place:
        return dataset_gates.measure(Path(place), sizes)


def entry_of_this_kind(results: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured before on such a processor.

    Raises:
        SystemExit: Nothing was.
    """
    own = kind_of({"machine": measuring.machine(1)})
    found = next((one for one in results.get(ENTRIES, ()) if kind_of(one) == own), None)
    if found is None:
        sys.exit(f"nothing was measured on {own} yet: leave --gates-alone out")
    return dict(found)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the results and their page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--gates-alone", action="store_true", help="keep the ratios as they are")
    parser.add_argument("--gate-rows", type=int, nargs="+", default=dataset_gates.SIZES)
    asked = parser.parse_args(arguments)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    kept = {"command": "make bench-dataset"} | measuring.read(asked.out)
    if asked.gates_alone:
        measured = entry_of_this_kind(kept)
    else:
        measured = measure(PARTS, LARGER, asked.pairs, asked.threads)
    results = with_measured(kept, {**measured, "gates": measure_gates(asked.gate_rows)})
    page = dataset_page.page(results)
    measuring.write(asked.out, results, page)
    ratios_figure.draw(asked.out.parent)
    sys.stdout.write(page)


if __name__ == "__main__":
    main(sys.argv[1:])

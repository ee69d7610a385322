"""Answering against the row-by-row way of the source documents: `make bench-inference`.

Both sides answer the same questions with the same random BLIP-2: describe, then rank the letters. Outputs are
compared first, also where letters are written freely and where descriptions end of themselves; then CPU
seconds. `--gpu` measures the published size on a GPU instead and fills that part of the results.
"""

import argparse
import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers.utils import logging

from blip_core.inference import answer, predict, predict_row_by_row
from blip_core.modeling import Blip2Bundle, load_blip2
from blip_core.modeling.features import distinct_pictures
from blip_core.records import Example, Prediction
from tests.benchmarks import inference_page, measuring, ratios_figure, rungs
from tests.benchmarks.processors import with_measured
from tests.benchmarks.questions import prompt_settings, random_examples
from tests.benchmarks.random_blip2 import save_random_blip2
from tests.benchmarks.shapes import SHAPES

RESULTS = measuring.RESULTS / "inference.json"
PROBABILITY_TOLERANCE = 1e-4  # float32 sums in another order
RAGGED_END_SCALE = 2.0
DESCRIPTION_TOKENS = 64
PICTURE_PX = 256
ORACLE_STRIDE = 4  # row by row a row takes as long however many there are: every fourth one is timed


@dataclass(frozen=True, slots=True)
class Case:
    """A size of model, so many rows, so many questions a picture."""

    size: str
    rows: int
    questions: int

    @property
    def name(self) -> str:
        return f"{self.size}_{self.questions}q"

    def examples(self) -> list[Example]:
        return random_examples(self.rows // self.questions, self.questions, PICTURE_PX)

    def timed_alone(self) -> list[Example]:
        """The rows that are timed row by row, about all pictures in turn."""
        return self.examples()[::ORACLE_STRIDE]


CASES = (Case("8M", 64, 1), Case("8M", 64, 4), Case("55M", 32, 1), Case("55M", 32, 4))
LARGE_TOWER_CASES = (Case("8M-large-tower", 64, 1), Case("8M-large-tower", 64, 4))


@dataclass(frozen=True, slots=True)
class Campaign:
    """All that is measured.

    Attributes:
        cases: ratios are measured for.
        large_tower: likewise, with models whose vision tower is most of the work.
        ladder: case whose ratio is taken apart.
        batch_size: our rows a batch.
        description_tokens: longest description.
        pairs: of measurements, for each ratio.
        threads: of torch.
    """

    cases: Sequence[Case] = CASES
    large_tower: Sequence[Case] = LARGE_TOWER_CASES
    ladder: Case = CASES[1]
    batch_size: int = 128
    description_tokens: int = DESCRIPTION_TOKENS
    pairs: int = 5
    threads: int = 1

    def settings(self, **changes: object) -> Any:
        fixed = {"max_new_tokens": self.description_tokens, "batch_size": self.batch_size}
        return prompt_settings(**{"free_generation": False, **fixed, **changes})


def compare_outputs(bundle: Blip2Bundle, case: Case, campaign: Campaign) -> dict[str, Any]:
    """Whether both sides say the same: descriptions, free answers and their letters, ranked letters."""
    examples, settings = case.examples(), campaign.settings(free_generation=True)
    ours = predict(bundle, examples, settings, case.name)
    theirs = predict_row_by_row(bundle, examples, settings, case.name)
    pairs = list(zip(ours, theirs, strict=True))
    difference = max(_probability_difference(mine, other) for mine, other in pairs)
    return {
        "descriptions": all(mine.description == other.description for mine, other in pairs),
        "generated_letters": all(
            (mine.generated, mine.generated_letter) == (other.generated, other.generated_letter)
            for mine, other in pairs
        ),
        "ranking": difference < PROBABILITY_TOLERANCE
        and all(mine.ranked == other.ranked for mine, other in pairs),
        "largest_probability_difference": difference,
        "distinct_descriptions": len({mine.description for mine in ours}),
    }


def _probability_difference(one: Prediction, other: Prediction) -> float:
    mine, theirs = ((p.p_a, p.p_b, p.p_c, p.p_d) for p in (one, other))
    return max(abs(chance - other_chance) for chance, other_chance in zip(mine, theirs, strict=True))


def compare_speed(bundle: Blip2Bundle, case: Case, campaign: Campaign) -> dict[str, Any]:
    """Ratio of CPU seconds in pairs, and the rows a CPU second of both sides."""
    examples, alone, settings = case.examples(), case.timed_alone(), campaign.settings()
    seconds: dict[str, list[float]] = {"oracle": [], "ours": []}
    of_all = case.rows / len(alone)
    pairs = measuring.abba_pairs(
        case.name,
        _kept(seconds["oracle"], lambda: predict_row_by_row(bundle, alone, settings, case.name), of_all),
        _kept(seconds["ours"], lambda: predict(bundle, examples, settings, case.name)),
        campaign.pairs,
    )
    rates = {side: round(case.rows / statistics.median(times), 2) for side, times in seconds.items()}
    return measuring.spread([theirs / ours for theirs, ours in pairs]) | {"rows_per_cpu_second": rates}


def _kept(seconds: list[float], work: Callable[[], object], of_all: float = 1.0) -> Callable[[], float]:
    """Work that is timed: CPU seconds of all rows, which are so many times those that are worked."""

    def once() -> float:
        gc.collect()
        seconds.append(of_all * measuring.cpu_seconds(work))
        return seconds[-1]

    return once


def count_work(bundle: Blip2Bundle, case: Case, campaign: Campaign) -> dict[str, Any]:
    """What our side does: counts that hold on every machine.

    Raises:
        SystemExit: A picture goes through the vision tower more than once, or stage two decodes on.
    """
    examples = case.examples()
    flops = measuring.product_flops(lambda: predict(bundle, examples, campaign.settings(), case.name))
    with measuring.counted_vision(bundle) as vision:
        both = answer(bundle, examples, campaign.settings(), case.name).counts
    stage_two = answer(bundle, examples, campaign.settings(describe_prompt=""), case.name).counts
    steps = (stage_two.prefills + stage_two.decoder_steps) / stage_two.prefills
    distinct = len(distinct_pictures(examples))
    if vision.forwards != distinct or steps != 1:
        sys.exit(f"{vision.forwards} vision forwards for {distinct} pictures, {steps:g} steps in stage two")
    return {
        "rows": case.rows,
        "distinct_pictures": distinct,
        "vision_forwards": vision.forwards,
        "padded_share": round(both.padded_share, 4),
        "decoder_steps_stage_two": int(steps),
        "written_tokens_per_row": round(both.written_tokens / case.rows, 1),
        "product_gflop": round(flops / 1e9, 1),
    }


def climb(bundle: Blip2Bundle, case: Case, campaign: Campaign) -> list[dict[str, Any]]:
    """Ratio of each rung to the lowest, one measurement each, then ours."""
    examples, alone, settings = case.examples(), case.timed_alone(), campaign.settings()
    measuring.tell(f"{case.name}: where it comes from")
    seconds: list[tuple[str, float]] = []
    for rung in rungs.ladder(campaign.batch_size):
        rows = examples if rung.batch_size > 1 else alone
        spent = measuring.cpu_seconds(partial(rungs.answer_by, rung, bundle, rows, settings))
        seconds.append((rung.what, spent * len(examples) / len(rows)))
    ours = measuring.cpu_seconds(lambda: predict(bundle, examples, settings, case.name))
    seconds.append(("our own loop in place of `generate`", ours))
    return [{"what": what, "ratio_cpu": round(seconds[0][1] / spent, 2)} for what, spent in seconds]


def measure(campaign: Campaign) -> dict[str, Any]:
    """All CPU figures, which hold for this kind of processor."""
    ratios, counts, outputs = {}, {}, {}
    with tempfile.TemporaryDirectory() as place, measuring.threads(campaign.threads):
        for case in (*campaign.cases, *campaign.large_tower):
            bundle = _loaded(case, Path(place))
            measuring.tell(f"{case.name}: outputs of both sides")
            outputs[case.name] = compare_outputs(bundle, case, campaign)
            counts[case.name] = count_work(bundle, case, campaign)
            ratios[case.name] = compare_speed(bundle, case, campaign)
        ladder = climb(_loaded(campaign.ladder, Path(place)), campaign.ladder, campaign)
        bundle = _loaded(campaign.ladder, Path(place), RAGGED_END_SCALE)
        outputs["ragged"] = compare_outputs(bundle, campaign.ladder, campaign)
        ragged = count_work(bundle, campaign.ladder, campaign) | compare_speed(
            bundle, campaign.ladder, campaign
        )
    return {
        "machine": measuring.machine(campaign.threads),
        "versions": measuring.versions(),
        "product_gflops": measuring.product_gflops(),
        "method": method(campaign),
        "equal_outputs": {
            name: all(one[name] for one in outputs.values())
            for name in ("descriptions", "generated_letters", "ranking")
        },
        "outputs": outputs,
        "ratio_cpu": {case.name: ratios[case.name] for case in campaign.cases},
        "ratio_cpu_large_tower": {case.name: ratios[case.name] for case in campaign.large_tower},
        "ratio_cpu_ragged": ragged,
        "ablation": {"case": campaign.ladder.name, "ladder": ladder},
        "counts": counts,
    }


def _loaded(case: Case, place: Path, end_scale: float = 1.0) -> Blip2Bundle:
    folder = place / f"{case.size}-{end_scale:g}"
    return load_blip2(save_random_blip2(SHAPES[case.size], folder, end_scale=end_scale))


def method(campaign: Campaign) -> dict[str, Any]:
    """What was done, for whoever reads the figures."""
    return {
        "model": "BLIP-2 T5 with random weights in the published proportions, float32; its texts hardly ever "
        "end by themselves",
        "oracle": "one row at a time, the picture encoded anew for each of the two stages; every "
        f"{ORACLE_STRIDE}th row is timed",
        "ours": f"each picture encoded once, up to {campaign.batch_size} rows a batch",
        "stages": f"a description of {campaign.description_tokens} tokens, then letters ranked in one pass",
        "time": "CPU time of the process; pairs in ABBA order; reading the checkpoint left out",
        "probability_tolerance": PROBABILITY_TOLERANCE,
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the results and their page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=Campaign().pairs)
    parser.add_argument("--threads", type=int, default=Campaign().threads)
    parser.add_argument("--gpu", action="store_true", help="measure the published size on a GPU instead")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    logging.set_verbosity_error()  # every T5 whose head is its own makes transformers explain that
    kept = {"command": "make bench-inference"} | measuring.read(asked.out)
    if asked.gpu:
        from tests.benchmarks.gpu_inference import measure_on_gpu

        results = kept | {"gpu": measure_on_gpu()}
    else:
        results = with_measured(kept, measure(Campaign(pairs=asked.pairs, threads=asked.threads)))
    page = inference_page.page(results)
    measuring.write(asked.out, results, page)
    ratios_figure.draw(asked.out.parent)
    sys.stdout.write(page)


if __name__ == "__main__":
    main(sys.argv[1:])

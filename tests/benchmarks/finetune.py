"""Tuning against the row-by-row way of the source documents: `make bench-finetune`.

Both sides tune the same adapter on the same random BLIP-2 with the same rows for the same epochs. First the
losses are shown to be equal, batch for batch, where both take three rows at a time without dropout; then each
side runs as it would, and CPU seconds are compared. `--gpu` measures the published size on a GPU instead and
fills that part of the results.
"""

import argparse
import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers.utils import logging

from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.modeling import Blip2Bundle, load_blip2
from blip_core.modeling.features import distinct_pictures, picture_key
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.text import letter_target_ids, prompt_ids, target_ids
from blip_core.recipes import load_recipe
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from blip_core.training import TrainingResult, finetune
from blip_core.training.rows import RowSource, TrainingRow, plan_batches, steps_per_epoch
from tests.benchmarks import finetune_page, measuring, ratios_figure
from tests.benchmarks.finetune_parts import DROPPING, ELEMENTS, PRODUCTS, plainly
from tests.benchmarks.oracle_finetune import BATCH_SIZE, OracleSettings, TextRow, tune_through_pixels
from tests.benchmarks.processors import with_measured
from tests.benchmarks.questions import prompt_settings, random_examples
from tests.benchmarks.random_blip2 import save_random_blip2
from tests.benchmarks.shapes import SHAPES

RESULTS = measuring.RESULTS / "finetune.json"
SEED = 0
# Both sides add the same numbers in another order; over some tens of steps the last bits grow this far.
LOSS_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Case:
    """What is tuned, and for how long."""

    size: str = "8M-large-tower"
    published_size: str = "8M"
    pictures: int = 32
    questions: int = 4
    picture_px: int = 256
    epochs: int = 10
    equal_epochs: int = 2
    batch_size: int = 16
    pairs: int = 5
    published_pairs: int = 2
    threads: int = 1

    @property
    def samples(self) -> int:
        return self.pictures * self.questions * self.epochs

    def examples(self) -> list[Example]:
        return random_examples(self.pictures, self.questions, self.picture_px)


def tuning_settings(epochs: int, batch_size: int, dropout: float) -> Finetune:
    """The gallery recipe's tuning in full precision."""
    settings = load_recipe("gallery-vqa").finetune
    return settings.model_copy(
        update={
            "adapter": settings.adapter.model_copy(update={"dropout": dropout}),
            "quantisation": "none",
            "epochs": float(epochs),
            "batch_size": batch_size,
        }
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One tuning that was measured."""

    losses: list[float]
    cpu_seconds: float
    vision_forwards: int
    padded_share: float


def run_ours(folder: Path, case: Case, settings: Finetune) -> Run:
    """Tune by the library; reading the checkpoint is not counted on either side."""
    bundle = load_blip2(folder)
    states = FreshVisionStates(bundle) if settings.features == "fresh" else None
    examples, prompts = case.examples(), prompt_settings()
    gc.collect()
    results: list[TrainingResult] = []
    with tempfile.TemporaryDirectory() as place, measuring.counted_vision(bundle) as vision:
        seconds = measuring.cpu_seconds(
            lambda: results.append(
                finetune(bundle, examples, [], settings, prompts, SEED, Path(place), states=states)
            )
        )
    losses = [row["loss"] for row in results[0].curve if "loss" in row]
    return Run(losses, seconds, vision.forwards, results[0].counts.padded_share)


def run_oracle(folder: Path, case: Case, settings: Finetune, batches: list[list[TextRow]]) -> Run:
    """Tune as the sources do."""
    bundle = load_blip2(folder)
    losses: list[list[float]] = []
    gc.collect()
    with measuring.counted_vision(bundle) as vision:
        seconds = measuring.cpu_seconds(
            lambda: losses.append(
                tune_through_pixels(
                    bundle.model, bundle.processor, batches, oracle_settings(settings, len(batches))
                )
            )
        )
    return Run(losses[0], seconds, vision.forwards, _padded_share(bundle, batches))


def oracle_settings(settings: Finetune, steps: int) -> OracleSettings:
    """The same tuning in the sources' terms."""
    return OracleSettings(
        r=settings.adapter.r,
        alpha=settings.adapter.alpha,
        dropout=settings.adapter.dropout,
        learning_rate=settings.learning_rate,
        warmup_steps=round(settings.warmup_share * steps),
        max_grad_norm=settings.max_grad_norm,
        seed=SEED,
    )


def _padded_share(bundle: Blip2Bundle, batches: Sequence[Sequence[TextRow]]) -> float:
    """Share of pads among all places of prompts and targets."""
    used = places = 0
    for rows in batches:
        for texts in ([row.prompt for row in rows], [row.target for row in rows]):
            lengths = [len(bundle.tokenizer(text)["input_ids"]) for text in texts]
            used += sum(lengths)
            places += max(lengths) * len(lengths)
    return 1.0 - used / places


def row_source(bundle: Blip2Bundle, case: Case, settings: Finetune, prompts: Inference) -> RowSource:
    """The rows that our tuning draws, without having been asked to tune."""
    return RowSource(
        bundle, case.examples(), prompts, settings.describe_share, {}, settings.max_text_tokens, SEED
    )


def our_batches(folder: Path, case: Case, settings: Finetune) -> list[list[TextRow]]:
    """What our tuning takes, batch for batch, as the sources' loop would be given it."""
    bundle, prompts = load_blip2(folder), prompt_settings()
    source = row_source(bundle, case, settings, prompts)
    steps = round(settings.epochs * steps_per_epoch(len(source.examples), settings.batch_size))
    return _as_texts(source, plan_batches(source, settings.batch_size, steps))


def shuffled_batches(folder: Path, case: Case, settings: Finetune) -> list[list[TextRow]]:
    """The same rows in every epoch, shuffled, three at a time: what the sources' data loader gives."""
    source = row_source(load_blip2(folder), case, settings, prompt_settings())
    plan: list[list[TrainingRow]] = []
    for epoch in range(case.epochs):
        rows = source.epoch(epoch)
        order = np.random.default_rng([SEED, epoch]).permutation(len(rows))
        plan += [
            [rows[index] for index in order[at : at + BATCH_SIZE]] for at in range(0, len(rows), BATCH_SIZE)
        ]
    return _as_texts(source, plan)


def _as_texts(source: RowSource, plan: Sequence[Sequence[TrainingRow]]) -> list[list[TextRow]]:
    """Rows of token ids as the texts and pictures they were made of."""
    texts = dict(_written(source))
    return [[texts[row.picture, tuple(row.prompt), tuple(row.target)] for row in rows] for rows in plan]


_Written = tuple[tuple[str, tuple[int, ...], tuple[int, ...]], TextRow]


def _written(source: RowSource) -> Iterator[_Written]:
    """Both rows that each example can be, by what they look like as tokens."""
    bundle, prompts = source.bundle, source.prompts
    for example in source.examples:
        described = describe_prompt(prompts, example), example.description
        answered = answer_prompt(prompts, example, example.description), example.answer
        targets = target_ids(bundle, example.description), letter_target_ids(bundle, example.answer)
        for (prompt, target), ids in zip((described, answered), targets, strict=True):
            key = picture_key(example.image), tuple(prompt_ids(bundle, prompt)), tuple(ids)
            yield key, TextRow(example.image, prompt, target)


def compare_losses(case: Case, place: Path) -> dict[str, Any]:
    """Both sides at three rows a batch, the same rows in the same order, no dropout anywhere.

    Raises:
        SystemExit: The losses differ by more than is allowed.
    """
    folder = save_random_blip2(SHAPES[case.size], place / "equal", dropout=0.0)
    settings = tuning_settings(case.equal_epochs, BATCH_SIZE, dropout=0.0)
    ours = run_ours(folder, case, settings).losses
    theirs = run_oracle(folder, case, settings, our_batches(folder, case, settings)).losses
    measuring.tell(f"{case.size}: losses of {len(ours)} steps on both sides")
    largest = max(abs(one - other) / other for one, other in zip(ours, theirs, strict=True))
    if largest > LOSS_TOLERANCE:
        sys.exit(f"losses differ by up to {largest:.2e} of their size; allowed: {LOSS_TOLERANCE:g}")
    return {
        "batch_size": BATCH_SIZE,
        "steps": len(ours),
        "largest_relative_difference": float(f"{largest:.1e}"),
        "tolerance": LOSS_TOLERANCE,
        "first_loss": round(ours[0], 4),
        "last_loss": round(ours[-1], 4),
    }


def compare_speed(case: Case, place: Path) -> dict[str, Any]:
    """Each side at its own batch, in pairs."""
    folder = save_random_blip2(SHAPES[case.size], place / "speed")
    settings = tuning_settings(case.epochs, case.batch_size, dropout=0.1)
    batches = shuffled_batches(folder, case, settings)
    oracle: list[Run] = []
    ours: list[Run] = []
    pairs = measuring.abba_pairs(
        case.size,
        _kept(oracle, lambda: run_oracle(folder, case, settings, batches)),
        _kept(ours, lambda: run_ours(folder, case, settings)),
        case.pairs,
    )
    distinct = len(distinct_pictures(case.examples()))
    if {run.vision_forwards for run in ours} != {distinct}:
        sys.exit(f"{ours[0].vision_forwards} vision forwards for {distinct} distinct pictures")
    medians = [statistics.median(run.cpu_seconds for run in runs) for runs in (oracle, ours)]
    return {
        "ratio_cpu": measuring.spread([theirs / mine for theirs, mine in pairs]),
        "samples_per_cpu_second": {
            "ours": round(case.samples / medians[1], 2),
            "oracle": round(case.samples / medians[0], 2),
        },
        "vision_forwards": ours[0].vision_forwards,
        "distinct_pictures": distinct,
        "oracle_vision_forwards": oracle[0].vision_forwards,
        "padded_share": round(ours[0].padded_share, 4),
        "oracle_padded_share": round(oracle[0].padded_share, 4),
        "ablation": ablate(folder, case, settings, medians),
        "ratio_cpu_published_shares": compare_published_shares(case, place),
    }


def compare_published_shares(case: Case, place: Path) -> dict[str, float | int]:
    """The ratio where the vision tower is as small a part of the weights as in the published flan-t5-xl."""
    folder = save_random_blip2(SHAPES[case.published_size], place / "published")
    settings = tuning_settings(case.epochs, case.batch_size, dropout=0.1)
    batches = shuffled_batches(folder, case, settings)
    pairs = measuring.abba_pairs(
        case.published_size,
        lambda: run_oracle(folder, case, settings, batches).cpu_seconds,
        lambda: run_ours(folder, case, settings).cpu_seconds,
        case.published_pairs,
    )
    return measuring.spread([theirs / ours for theirs, ours in pairs])


def _kept(runs: list[Run], measure: Callable[[], Run]) -> Callable[[], float]:
    def once() -> float:
        runs.append(measure())
        return runs[-1].cpu_seconds

    return once


def ablate(folder: Path, case: Case, settings: Finetune, medians: list[float]) -> list[dict[str, Any]]:
    """Where the ratio comes from: one measurement a rung between the two medians."""
    oracle, ours = medians
    measuring.tell(f"{case.size}: where it comes from")

    def seconds(change: dict[str, Any] | None = None, plain: Sequence[str] = ()) -> float:
        with plainly(plain):
            return run_ours(folder, case, settings.model_copy(update=change)).cpu_seconds

    at_own_batch = f"{settings.batch_size} rows a batch"
    rungs = [
        ("the sources' loop", oracle),
        (f"ours without kept features, {at_own_batch}", seconds({"features": "fresh"})),
        (f"ours with kept features, {BATCH_SIZE} rows a batch", seconds({"batch_size": BATCH_SIZE})),
        (
            f"ours with kept features, {at_own_batch}, by the libraries' own operations",
            seconds(plain=(*PRODUCTS, *DROPPING, *ELEMENTS)),
        ),
        ("... and products through oneDNN", seconds(plain=(*DROPPING, *ELEMENTS))),
        ("... and dropout by 16 bits, attention in one function", seconds(plain=ELEMENTS)),
        ("... and norms, GELUs and LoRA in one function each: all that is ours", ours),
    ]
    return [{"what": what, "ratio_cpu": round(oracle / took, 2)} for what, took in rungs]


def method(case: Case) -> dict[str, Any]:
    """What was done, for whoever reads the figures."""
    return {
        "model": f"BLIP-2 T5 with random weights, {case.size}, float32",
        "adapter": "qformer preset, r 32, dropout 0.1",
        "rows": case.pictures * case.questions,
        "pictures": case.pictures,
        "epochs": case.epochs,
        "oracle": f"pixels through the whole model in every epoch, {BATCH_SIZE} rows a batch, by plain peft",
        "ours": f"kept features, {case.batch_size} rows a batch, frozen products through oneDNN, dropout of "
        "16 random bits, attention, norms, GELUs and LoRA in one function each; encoding the pictures is "
        "counted",
        "time": "CPU time of the process; pairs in ABBA order; reading the checkpoint left out",
    }


def measure(case: Case) -> dict[str, Any]:
    """All CPU figures, which hold for this kind of processor."""
    with tempfile.TemporaryDirectory() as place, measuring.threads(case.threads):
        equality = compare_losses(case, Path(place))
        speed = compare_speed(case, Path(place))
    return {
        "machine": measuring.machine(case.threads),
        "versions": measuring.versions(),
        "product_gflops": measuring.product_gflops(),
        "method": method(case),
        "equal_losses": equality,
        **speed,
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the results and their page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=Case().pairs)
    parser.add_argument("--threads", type=int, default=Case().threads)
    parser.add_argument("--gpu", action="store_true", help="measure the published size on a GPU instead")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    logging.set_verbosity_error()  # every T5 whose head is its own makes transformers explain that
    kept = {"command": "make bench-finetune"} | measuring.read(asked.out)
    if asked.gpu:
        from tests.benchmarks.gpu_finetune import measure_on_gpu

        results = kept | {"gpu": measure_on_gpu()}
    else:
        results = with_measured(kept, measure(Case(pairs=asked.pairs, threads=asked.threads)))
    page = finetune_page.page(results)
    measuring.write(asked.out, results, page)
    ratios_figure.draw(asked.out.parent)
    sys.stdout.write(page)


if __name__ == "__main__":
    main(sys.argv[1:])

"""What the benchmark of growth does in a process of its own: one stage over so many rows.

A process for each, so that its peak of memory is the stage's alone, and nothing is warm for the next.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from blip_core import labelling, painting, scenes, scoring
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import LETTERS, Example, Picture, Prediction, Scene
from tests.benchmarks.peak import peak_bytes
from tests.pocket_rows import pocket_row

_THREADS = 1  # CPU seconds of a stage hang on their number

Work = Callable[[], object]


def recipe_of(stage: str) -> Recipe:
    """The shipped recipe on the bundled models; a tuning takes its rows once."""
    once = ["finetune.epochs=1"] if stage == "finetune" else []
    return load_recipe("gallery-vqa", "pocket", [f"device.threads={_THREADS}", *once])


def _scenes(rows: int, place: Path) -> Work:
    from blip_core.wiring import build_writer

    recipe = recipe_of("scenes")
    settings = recipe.scenes.model_copy(update={"count": rows})
    return partial(scenes.write_scenes, build_writer(recipe), settings, recipe.seed)


def _pictures(rows: int, place: Path) -> Work:
    from blip_core.wiring import build_painter, picture_settings

    recipe = recipe_of("pictures")
    asked = [_scene(pocket_row(number)) for number in range(rows)]
    return partial(
        painting.paint_pictures, build_painter(recipe), asked, picture_settings(recipe), recipe.seed
    )


def _labels(rows: int, place: Path) -> Work:
    from blip_core.wiring import build_labeller

    recipe = recipe_of("labels")
    pictures = [_picture(pocket_row(number)) for number in range(rows)]
    return partial(labelling.label_pictures, build_labeller(recipe), pictures, recipe.labels, recipe.seed)


def _dataset(rows: int, place: Path) -> Work:
    from tests.benchmarks import gates_work  # brings Prefect's tasks, which the other stages do without

    gates_work.write_rows_of(place, rows)
    (place / "dataset").mkdir()
    return partial(gates_work.curate_and_write, place, place / "dataset")


def _finetune(rows: int, place: Path) -> Work:
    from blip_core.training import finetune
    from blip_core.wiring import inference_settings, load_base

    recipe = recipe_of("finetune")
    train, base = _examples(rows), load_base(recipe)
    prompts = inference_settings(recipe)
    return partial(finetune, base, train, [], recipe.finetune, prompts, recipe.seed, place / "adapter")


def _predict(rows: int, place: Path) -> Work:
    from blip_core.inference import predict
    from blip_core.wiring import inference_settings, load_base

    recipe = recipe_of("predict")
    return partial(predict, load_base(recipe), _examples(rows), inference_settings(recipe), "flan-t5")


def _compare(rows: int, place: Path) -> Work:
    sides = [[_answered(number, variant) for number in range(rows)] for variant in ("flan-t5", "finetuned")]
    return partial(scoring.compare, *sides)


STAGES: Mapping[str, Callable[[int, Path], Work]] = {
    "scenes": _scenes,
    "pictures": _pictures,
    "labels": _labels,
    "dataset": _dataset,
    "finetune": _finetune,
    "predict": _predict,
    "compare": _compare,
}
"""By stage: loads its models, makes rows for it, and gives what is measured."""


def _examples(rows: int) -> list[Example]:
    return [pocket_row(number) for number in range(rows)]


def _scene(row: Example) -> Scene:
    return Scene(row.group, row.category, row.scene, call=0, line=0)


def _picture(row: Example) -> Picture:
    return Picture(row.picture_id, row.group, row.category, row.scene, 0, row.image, "", 64, 64)


def _answered(number: int, variant: str) -> Prediction:
    """What a variant said of a question, four of which are about one picture; each errs in its own rows."""
    truth = LETTERS[number % len(LETTERS)]
    drawn = random.Random(f"{variant} {number}").randrange(len(LETTERS))
    said = truth if drawn else LETTERS[(number + 1) % len(LETTERS)]
    chances = [float(letter == said) for letter in LETTERS]
    return Prediction(f"q{number}", f"p{number // 4}", "", "", variant, "", *chances, said, "", "", truth)


def measure(stage: str, rows: int, place: Path) -> dict[str, Any]:
    """CPU seconds to get ready and to work the rows, and the most memory that the process held."""
    import torch

    torch.set_num_threads(_THREADS)
    work = STAGES[stage](rows, place)
    ready = time.process_time()
    work()
    return {
        "stage": stage,
        "rows": rows,
        "fixed_cpu_seconds": round(ready, 3),
        "cpu_seconds": round(time.process_time() - ready, 3),
        "peak_mb": round(peak_bytes() / 1e6, 1),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))) + "\n")

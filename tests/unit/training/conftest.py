from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blip_core.modeling import load_blip2
from blip_core.modeling.features import VisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.training import TrainingResult, finetune
from tests.tiny_blip2 import FolderOf, MakeExamples

StatesOf = Callable[[Blip2Bundle], VisionStates]
TuneTiny = Callable[..., TrainingResult]


@pytest.fixture(scope="session")
def tune_below(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
) -> Callable[[Path], TuneTiny]:
    """Tune a tiny model on 12 rows, 4 held out, six steps; settings as they are called in a recipe."""

    def below(root: Path) -> TuneTiny:
        def run(
            family: str = "t5",
            dtype: str = "float32",
            states_of: StatesOf | None = None,
            folder: str = "adapter",
            settings: dict[str, Any] | None = None,
            **told: Any,
        ) -> TrainingResult:
            changed = finetune_settings.model_copy(update=settings or {})
            bundle = load_blip2(tiny_blip2(family), changed.quantisation, dtype=dtype)
            rows = make_examples(16)
            states = states_of(bundle) if states_of else None
            out = root / folder
            return finetune(
                bundle, rows[:12], rows[12:], changed, inference_settings, 0, out, states=states, **told
            )

        return run

    return below


@pytest.fixture
def tune_tiny(tune_below: Callable[[Path], TuneTiny], tmp_path: Path) -> TuneTiny:
    """Tune in a folder of the test's own."""
    return tune_below(tmp_path)

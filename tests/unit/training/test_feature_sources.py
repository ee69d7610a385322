"""Where vision states come from changes no loss, unless pictures or tower change."""

from collections.abc import Callable
from pathlib import Path

import pytest

from blip_core.errors import RecipeError
from blip_core.modeling import load_blip2
from blip_core.modeling.features import VisionStates
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.stored_features import StoredVisionStates
from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.store import Store
from blip_core.training import TrainingResult, finetune
from tests.tiny_blip2 import FolderOf, MakeExamples

Source = Callable[[Blip2Bundle], VisionStates]

ON_TOWER = Adapter(pattern=r"vision_model\..*\.qkv", r=4, dropout=0.0)


@pytest.fixture
def tune(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> Callable[..., TrainingResult]:
    """Two steps and a validation, of a freshly loaded model."""

    def run(source: Source, **changed: object) -> TrainingResult:
        bundle = load_blip2(tiny_blip2("t5"))
        examples = make_examples(12)
        settings = finetune_settings.model_copy(update={"epochs": 1.0, "sample_rows": 0, **changed})
        states = source(bundle)
        return finetune(
            bundle,
            examples[:8],
            examples[8:],
            settings,
            inference_settings,
            0,
            tmp_path / "adapter",
            states=states,
        )

    return run


def losses(result: TrainingResult) -> list[tuple[float | None, float | None]]:
    return [(row.get("loss"), row.get("validation_loss")) for row in result.curve]


def test_kept_and_fresh_states_give_the_same_losses_to_the_bit(
    tune: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    kept, again = (tune(lambda bundle: StoredVisionStates(bundle, store, "tiny")) for _ in range(2))
    fresh = tune(FreshVisionStates, features="fresh")

    assert losses(kept) == losses(again) == losses(fresh)
    assert [result.counts.vision_forwards for result in (kept, again)] == [6, 0]
    assert fresh.counts.vision_forwards > 6


def test_pictures_in_other_light_are_trained_on_and_not_validated_on(
    tune: Callable[..., TrainingResult],
) -> None:
    plain = tune(FreshVisionStates, features="fresh")
    lit = tune(
        lambda bundle: FreshVisionStates(bundle, "colour", seed=0), features="fresh", augmentation="colour"
    )

    first, first_lit = losses(plain)[0], losses(lit)[0]
    assert first == first_lit  # before the first step
    assert losses(plain)[1:] != losses(lit)[1:]


def test_an_adapter_on_the_tower_is_trained_with_fresh_states_alone(
    tune: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    result = tune(FreshVisionStates, features="fresh", adapter=ON_TOWER)
    assert result.steps == 2

    with pytest.raises(RecipeError, match=r"finetune\.features"):
        tune(lambda bundle: StoredVisionStates(bundle, Store(tmp_path), "tiny"), adapter=ON_TOWER)

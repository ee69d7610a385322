"""The models that gates ask, opened one at a time, and what of them enters keys."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from blip_core.curation import Gate, Models, gates_on
from blip_core.curation.gate import Port
from blip_core.errors import StageFailure
from blip_core.ports import Embedder, PictureCheck, Weight, no_progress
from blip_core.recipes import Checkpoint, Recipe, Section, Variant
from blip_core.recipes.curation import Decontamination
from blip_core.recipes.unsafe_pictures import UnsafePictures
from blip_core.records import Example, Mode
from blip_core.wiring.checkpoints import checkpoint_identity, locate_checkpoint
from blip_core.wiring.devices import device_of, use_threads
from blip_core.wiring.generators import build_labeller, build_writer, labeller_identity, writer_identity
from blip_core.wiring.held_out import JudgingRows
from blip_core.wiring.variants import (
    adapter_folder,
    adapter_identity,
    inference_settings,
    load_variant,
    variant_identity,
    variant_states,
)

if TYPE_CHECKING:
    from blip_core.inference.loaded import LoadedModel


def gate_models(recipe: Recipe) -> Models:
    """Opens the models that a recipe's gates ask."""

    @contextmanager
    def opened(gate: Gate[Any], settings: Section) -> Iterator[Any]:
        build, _ = _PORTS[gate.port]
        with closing(build(recipe, settings)) as model:
            yield model

    return opened


def gate_identities(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe's gates enters the dataset's key beside their settings; empty where
    they are all our own and none asks.
    """
    on = list(gates_on(recipe.curation))
    origins = {gate.name: gate.origin for gate, _ in on if gate.origin}
    asking = [(gate, settings) for gate, settings in on if gate.port is not None]
    models = {gate.name: _PORTS[gate.port][1](recipe, settings) for gate, settings in asking}
    return {
        **({"gate_packages": origins} if origins else {}),
        **({"gate_models": models} if models else {}),
        **(recipe.device.arithmetic() if any(gate.port in _COMPUTING for gate, _ in asking) else {}),
    }


def gate_model_identity(recipe: Recipe, gate: Gate[Any], settings: Section) -> Any:
    """What decides what a gate's model says of a row, but for the row and the arithmetic of the device."""
    return _PORTS[gate.port][1](recipe, settings)


class VariantJudge:
    """A variant answers rows as it would answer those that it is judged on."""

    def __init__(self, recipe: Recipe, variant: Variant) -> None:
        from blip_core.inference.loaded import LoadedModel

        bundle = load_variant(recipe, variant, adapter_folder(variant, None))
        self._model: LoadedModel | None = LoadedModel(bundle, variant_states(recipe, variant, bundle), "")
        self._variant = variant.name
        # One answer is asked for, in the plainest way: rotations and ablations judge models, not rows.
        plain = {"circular": False, "ablations": (), "free_generation": not recipe.kind.has_options}
        self._settings = inference_settings(recipe).model_copy(update=plain)

    def answer(self, rows: Sequence[Example]) -> list[str]:
        """Answer the questions of rows; see `Judge`."""
        answers = self._open().answer(rows, self._settings, self._variant, no_progress)
        return [row.ranked or row.generated for row in answers.predictions]

    def weigh(self, rows: Sequence[Example], mode: Mode = "both") -> list[Weight]:
        """Tell how likely it finds what labels say; see `Weighing`."""
        from blip_core.inference.weighing import weigh_labels

        model = self._open()
        return weigh_labels(model.bundle, rows, self._settings, mode, states=model.states)

    def close(self) -> None:
        """Release the model's memory."""
        self._model = None

    def _open(self) -> "LoadedModel":
        if self._model is None:
            raise StageFailure(f"the judge {self._variant} is closed")
        return self._model


def _named_variant(recipe: Recipe, settings: Section) -> Variant:
    name = getattr(settings, "variant", "")
    return next(one for one in recipe.variants if isinstance(one, Variant) and one.name == name)


def build_judge(recipe: Recipe, settings: Section) -> VariantJudge:
    """The variant that a gate's settings name, as a judge of rows."""
    return VariantJudge(recipe, _named_variant(recipe, settings))


def judge_identity(recipe: Recipe, settings: Section) -> Mapping[str, str]:
    """What decides the answers of a judge, but for the rows."""
    variant = _named_variant(recipe, settings)
    return {
        "model": variant_identity(variant),
        "dtype": variant.model.dtype,
        "adapter": adapter_identity(variant, ""),
        "recipe": recipe.digest("inference", "task", "stages"),
    }


def _held_out(recipe: Recipe, settings: Section) -> JudgingRows:
    if not isinstance(settings, Decontamination):
        raise StageFailure("only the gate decontamination asks for the rows that judge")
    return JudgingRows(recipe, settings)


def _checkpoint_of(settings: Section) -> Checkpoint:
    named = getattr(settings, "model", None)
    if not isinstance(named, Checkpoint):
        raise StageFailure("a gate asks for a checkpoint, and its settings name none in the field model")
    return named


def _checkpoint_named(recipe: Recipe, settings: Section) -> str:
    del recipe
    return checkpoint_identity(_checkpoint_of(settings))


def _build_picture_check(recipe: Recipe, settings: Section) -> PictureCheck:
    from blip_core.backends.checked_pictures import CheckedInBatches
    from blip_core.backends.safety_checker import load_safety_checker

    if not isinstance(settings, UnsafePictures):
        raise StageFailure("only the gate unsafe_pictures asks for a safety checker")
    model = _checkpoint_of(settings)
    use_threads(recipe)
    checker = load_safety_checker(
        locate_checkpoint(model), settings.labels, settings.safe_labels, device_of(recipe), model.dtype
    )
    return CheckedInBatches(checker, settings.batch_size)


def _build_embedder(recipe: Recipe, settings: Section) -> Embedder:
    from blip_core.backends.picture_text_scorer import load_embedder

    model = _checkpoint_of(settings)
    use_threads(recipe)
    return load_embedder(locate_checkpoint(model), device_of(recipe), model.dtype)


_COMPUTING: frozenset[Port | None] = frozenset({"writer", "labeller", "judge", "safety checker", "embedder"})
"""Ports of models, whose answers depend on the arithmetic of the device."""

_PORTS: Mapping[Port | None, tuple[Callable[[Recipe, Section], Any], Callable[[Recipe, Section], Any]]] = {
    "writer": (
        lambda recipe, _: build_writer(recipe),
        lambda recipe, _: [recipe.digest("scenes"), writer_identity(recipe)],
    ),
    "labeller": (
        lambda recipe, _: build_labeller(recipe),
        lambda recipe, _: [recipe.digest("labels"), labeller_identity(recipe)],
    ),
    "judge": (build_judge, judge_identity),
    "safety checker": (_build_picture_check, _checkpoint_named),
    "embedder": (_build_embedder, _checkpoint_named),
    "held-out rows": (_held_out, lambda recipe, settings: _held_out(recipe, settings).identity()),
}
"""How each port is opened, and what is known of it without opening it."""

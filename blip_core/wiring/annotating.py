"""The models that annotation steps open, and what of a step enters keys."""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from PIL.Image import Image

from blip_core.annotating import Models, Port, Step, step_of
from blip_core.errors import StageFailure
from blip_core.ports import Embedder, Labeller, PictureTextScorer, TextWriter, no_progress
from blip_core.recipes import (
    LABELLER,
    Annotation,
    Checkpoint,
    PluginStep,
    Recipe,
    Review,
    ServedModel,
    Variant,
)
from blip_core.recipes.inference import IMAGE_MARK
from blip_core.records import Example
from blip_core.wiring.checkpoints import checkpoint_identity, locate_checkpoint
from blip_core.wiring.devices import device_of, use_threads
from blip_core.wiring.generators import build_labeller, build_writer, labeller_identity, writer_identity
from blip_core.wiring.variants import inference_settings, load_reader, load_variant, variant_states


class _Closable(Protocol):
    def close(self) -> None: ...


class _Opened:
    """Models of a step that were asked for."""

    def __init__(self, builders: Mapping[Port, Callable[[], _Closable]], step: Step[Any]) -> None:
        self._builders = builders
        self._step = step
        self._open: dict[Port, _Closable] = {}

    def open(self, port: Port) -> Any:
        if port not in self._builders:
            raise StageFailure(f"{self._step} opens a {port}, which it does not declare")
        if port not in self._open:
            self._open[port] = self._builders[port]()
        return self._open[port]

    def close(self) -> None:
        for model in self._open.values():
            model.close()
        self._open.clear()


@contextmanager
def step_models(recipe: Recipe, annotation: Annotation, adapter: Path | None) -> Iterator[Models]:
    """Opens the models of a step when it first asks for them, and closes them behind it.

    Args:
        recipe: of the phase whose rows are worked.
        annotation: the step.
        adapter: folder of the earlier phase's adapter that drafts, where one does.
    """
    step, _ = step_of(annotation)
    opened = _Opened(_builders(recipe, annotation, step, adapter), step)
    try:
        yield opened
    finally:
        opened.close()


def step_identity(recipe: Recipe, annotation: Annotation) -> dict[str, Any]:
    """What enters the key of a step beside its settings, its rows and the adapter that drafts."""
    step, _ = step_of(annotation)
    models = {field: [checkpoint_identity(one), one.dtype] for field, one in annotation.checkpoints()}
    if annotation.drafts_by == LABELLER or "labeller" in step.ports:
        models["labeller"] = [recipe.digest("labels"), labeller_identity(recipe)]
    if annotation.drafts_by not in ("", LABELLER):
        base = recipe.finetune.base
        models["base"] = [checkpoint_identity(base), base.dtype, recipe.inference.quantisation]
    if "writer" in step.ports:
        models["writer"] = [recipe.digest("scenes"), writer_identity(recipe)]
    read = {"file": _file_digest(Path(annotation.path))} if isinstance(annotation, Review) else {}
    origin = {"package": step.origin} if step.origin else {}
    return {**origin, **read, **({"models": models, **recipe.device.arithmetic()} if models else {})}


def loads_models(recipe: Recipe, annotation: Annotation) -> bool:
    """Whether a step loads models where it works: it may ask none, or a server."""
    step, _ = step_of(annotation)
    labels = annotation.drafts_by == LABELLER or "labeller" in step.ports
    if labels and isinstance(recipe.labels.model, ServedModel) and recipe.labels.plugin is None:
        return False
    return bool(step.ports or annotation.drafts_by or list(annotation.checkpoints()))


def _file_digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.expanduser().read_bytes()).hexdigest()
    except OSError:
        return ""  # the step says what is wrong with it


def _builders(
    recipe: Recipe, annotation: Annotation, step: Step[Any], adapter: Path | None
) -> dict[Port, Callable[[], _Closable]]:
    if isinstance(annotation, PluginStep):
        own: dict[Port, Callable[[], _Closable]] = {
            "labeller": lambda: build_labeller(recipe),
            "writer": lambda: build_writer(recipe),
        }
        return {port: build for port, build in own.items() if port in step.ports}
    named = dict(annotation.checkpoints())
    builders: dict[Port, Callable[[], _Closable]] = {}
    if annotation.drafts_by:
        builders["labeller"] = lambda: _labeller(recipe, annotation, adapter)
    if annotation.step in ("attributes", "match"):
        builders["picture-text"] = lambda: _scorer(recipe, named["model"])
    elif "model" in named:
        builders["writer"] = lambda: _writer(recipe, annotation)
    if "embedder" in named:
        builders["embedder"] = lambda: _embedder(recipe, named["embedder"])
    if "reader" in named:
        builders["reader"] = lambda: load_reader(recipe, named["reader"])
    return builders


def _writer(recipe: Recipe, annotation: Any) -> TextWriter:
    """A language model with the settings of the step in the place of those of scenes."""
    fields = ("model", "temperature", "top_p", "max_new_tokens", "batch_size")
    scenes = {name: getattr(annotation, name) for name in fields} | {"plugin": None}
    return build_writer(recipe.model_copy(update={"scenes": recipe.scenes.model_copy(update=scenes)}))


def _labeller(recipe: Recipe, annotation: Any, adapter: Path | None) -> Labeller:
    if annotation.drafts_by != LABELLER:
        return _AdapterLabeller(recipe, annotation, adapter)
    asked = {"temperature": annotation.temperature, "max_new_tokens": annotation.max_new_tokens}
    return build_labeller(recipe.model_copy(update={"labels": recipe.labels.model_copy(update=asked)}))


def judging_identity(recipe: Recipe) -> dict[str, Any]:
    """What of the models that look at written texts enters keys; nothing where none does."""
    models = {field: [checkpoint_identity(one), one.dtype] for field, one in recipe.judging.checkpoints()}
    if not models:
        return {}
    judged = {"ties": recipe.judging.ties, "batch_size": recipe.judging.batch_size, "models": models}
    return {"judging": judged, **recipe.device.arithmetic()}


@contextmanager
def judging_models(recipe: Recipe) -> Iterator[tuple[PictureTextScorer | None, Embedder | None]]:
    """The models that look at written texts, closed behind their work; None for one that is not named."""
    named = recipe.judging
    with ExitStack() as opened:
        scorer = _scorer(recipe, named.scorer) if named.scorer else None
        if scorer:
            opened.callback(scorer.close)
        embedder = _embedder(recipe, named.embedder) if named.embedder else None
        if embedder:
            opened.callback(embedder.close)
        yield scorer, embedder


def _scorer(recipe: Recipe, checkpoint: Checkpoint) -> PictureTextScorer:
    from blip_core.backends.picture_text_scorer import load_scorer

    use_threads(recipe)
    return load_scorer(locate_checkpoint(checkpoint), device_of(recipe), checkpoint.dtype)


def _embedder(recipe: Recipe, checkpoint: Checkpoint) -> Embedder:
    from blip_core.backends.picture_text_scorer import load_embedder

    use_threads(recipe)
    return load_embedder(locate_checkpoint(checkpoint), device_of(recipe), checkpoint.dtype)


class _AdapterLabeller:
    """The base with the adapter of an earlier phase describes pictures; it takes the likeliest tokens."""

    def __init__(self, recipe: Recipe, annotation: Any, adapter: Path | None) -> None:
        from blip_core.inference.loaded import LoadedModel

        if adapter is None:
            raise StageFailure(f"the adapter of the phase {annotation.drafts_by} is not there to draft")
        variant = Variant(name=annotation.drafts_by, role="base", model=recipe.finetune.base, adapter=True)
        bundle = load_variant(recipe, variant, adapter)
        self._model: LoadedModel | None = LoadedModel(bundle, variant_states(recipe, variant, bundle), "")
        asking = inference_settings(recipe).by_prompt(f"{{question}}{IMAGE_MARK}{{context}}")
        self._settings = asking.model_copy(
            update={
                "max_new_tokens": annotation.max_new_tokens,
                "min_new_tokens": 0,
                "batch_size": annotation.batch_size,
            }
        )

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its picture; see `Labeller`."""
        if self._model is None:
            raise StageFailure("the adapter that drafts was closed and takes no more work")
        asked = zip(pictures, prompts, seeds, strict=True)
        rows = [_asked(place, picture, prompt) for place, (picture, prompt, _) in enumerate(asked)]
        answers = self._model.answer(rows, self._settings, "draft", no_progress)
        return [row.generated for row in answers.predictions]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; see `TokenCounter`."""
        from blip_core.modeling.text import count_tokens

        if self._model is None:
            raise StageFailure("the adapter that drafts was closed and takes no more work")
        return count_tokens(self._model.bundle.tokenizer, texts)

    def close(self) -> None:
        """Release the model's memory."""
        self._model = None


def _asked(place: int, picture: Image, prompt: str) -> Example:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    name = f"{place:06d}"
    texts: dict[str, Any] = dict.fromkeys(
        ("category", "description", "a", "b", "c", "d", "answer", "target", "scene"), ""
    )
    before, _, after = prompt.partition(IMAGE_MARK)
    # LLaVA has a new line behind its picture, BLIP-2 has none.
    return Example(
        id=name,
        picture_id=name,
        group=name,
        task="vqa",
        image=buffer.getvalue(),
        question=before,
        context=after.removeprefix("\n"),
        **texts,
    )

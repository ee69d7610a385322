"""Writers, painters and labellers of installed packages, held to what the ports promise."""

from collections.abc import Callable, Sequence
from typing import Any

from PIL.Image import Image

from blip_core.backends.memory import Batches
from blip_core.errors import RecipeError, StageFailure
from blip_core.plugins import Plugin, load_plugin
from blip_core.ports import Backend, Confident, NoPicture, Written
from blip_core.recipes import Part


class _Plugged:
    def __init__(self, plugin: Plugin, model: Any) -> None:
        self._plugin = plugin
        self._model = model
        self._batches = Batches("rows", f"see what settings {plugin} has")

    def close(self) -> None:
        """Release the model's memory."""
        with self._plugin.named():
            self._model.close()

    def _answers(
        self, work: Callable[..., Any], allowed: tuple[type, ...], *columns: Sequence[Any]
    ) -> list[Any]:
        """What the model gives of a batch.

        Raises:
            StageFailure: It fails, or does not give one answer of an allowed type for each row.
        """
        with self._plugin.named():
            answers = self._batches.work(lambda *part: list(work(*part)), *columns)
        asked = len(columns[0])
        if len(answers) != asked:
            raise StageFailure(f"{self._plugin} was asked for {asked} rows and gave {len(answers)}")
        odd = next((answer for answer in answers if not isinstance(answer, allowed)), None)
        if odd is not None:
            names = " or ".join(one.__name__ for one in allowed)
            raise StageFailure(f"{self._plugin} gave a {type(odd).__name__} where a {names} is owed")
        return answers


class PluggedWriter(_Plugged):
    """A writer of an installed package."""

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Continue each prompt; see `TextWriter`."""
        return self._answers(self._model.write, (str,), prompts, seeds)


class PluggedPainter(_Plugged):
    """A painter of an installed package."""

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        """Paint each prompt; see `Painter`."""
        return self._answers(self._model.paint, (Image, NoPicture), prompts, seeds)


class PluggedLabeller(_Plugged):
    """A labeller of an installed package."""

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its picture; see `Labeller`."""
        return self._answers(self._model.label, (str,), pictures, prompts, seeds)


class ConfidentPluggedLabeller(PluggedLabeller):
    """A labeller of an installed package that tells how likely its tokens were."""

    def label_with_confidence(
        self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[Written]:
        """Answer each prompt about its picture; see `Confident`."""
        return self._answers(self._model.label_with_confidence, (Written,), pictures, prompts, seeds)


def plugged_writer(part: Part, device: str) -> PluggedWriter:
    """The writer of an installed package; see `_built`."""
    return PluggedWriter(*_built(part, device, "write"))


def plugged_painter(part: Part, device: str) -> PluggedPainter:
    """The painter of an installed package; see `_built`."""
    return PluggedPainter(*_built(part, device, "paint"))


def plugged_labeller(part: Part, device: str) -> PluggedLabeller:
    """The labeller of an installed package; see `_built`."""
    plugin, model = _built(part, device, "label")
    kind = ConfidentPluggedLabeller if isinstance(model, Confident) else PluggedLabeller
    return kind(plugin, model)


def _built(part: Part, device: str, work: str) -> tuple[Plugin, Any]:
    """A plug-in and the model that it builds.

    Raises:
        RecipeError: The package brings no backend.
        StageFailure: It cannot be built, or is not what its port asks for.
    """
    plugin = backend_of(part)
    with plugin.named():
        model = plugin.part.build(plugin.part.settings.model_validate(part.settings), device)
    for owed in (work, "close"):
        if not callable(getattr(model, owed, None)):
            raise StageFailure(f"{plugin} built a {type(model).__name__}, which has no `{owed}`")
    return plugin, model


def backend_of(part: Part) -> Plugin:
    """The plug-in that a recipe names, which brings a backend.

    Raises:
        RecipeError: It cannot be loaded, or brings something else.
    """
    plugin = load_plugin(part.GROUP, part.name)
    if not isinstance(plugin.part, Backend):
        raise RecipeError(f"{plugin} is a {type(plugin.part).__name__}; it must be a blip_core.ports.Backend")
    return plugin

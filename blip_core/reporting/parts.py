"""What a recipe can name: gates, measures, kinds, sources and models, ours and installed ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from blip_core.annotating import shipped_steps
from blip_core.curation import shipped_gates
from blip_core.errors import FoundryError
from blip_core.kinds import KINDS
from blip_core.plugins import GROUPS, Group, installed, load_plugin, origin_of
from blip_core.recipes import Source
from blip_core.scoring.measures import MEASURES
from blip_core.sources.native import shipped_layouts

_CHECKPOINT = {
    "writers": "a language model, see `scenes.model`",
    "painters": "a text-to-image pipeline of diffusers, see `pictures.model`",
    "labellers": "a vision-language model, see `labels.model`",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One part.

    Attributes:
        group: what kind of part it is, see `plugins.GROUPS`.
        name: what recipes call it.
        words: what it does, or why it cannot be used.
        origin: the package that brings it; empty for ours.
    """

    group: Group
    name: str
    words: str
    origin: str = ""


def all_parts() -> list[Listed]:
    """Every part, by group, ours first; those of installed packages are loaded to say what they do."""
    return [part for group in GROUPS for part in (*_shipped(group), *_of_others(group))]


def _shipped(group: Group) -> list[Listed]:
    return [Listed(group, name, words) for name, words in _shipped_words(group).items()]


def _shipped_words(group: Group) -> Mapping[str, str]:
    if group == "gates":
        return {gate.name: gate.words for gate in shipped_gates()}
    if group == "steps":
        return {step.name: step.words for step in shipped_steps().values()}
    if group == "measures":
        return {measure.name: measure.words for measure in MEASURES}
    if group == "kinds":
        return {kind.name: kind.rows_are for kind in KINDS.values()}
    if group == "sources":
        kinds = [one for one in get_args(get_args(Source)[0]) if "name" not in one.model_fields]
        return {get_args(one.model_fields["kind"].annotation)[0]: _sentence(one.__doc__) for one in kinds}
    if group == "layouts":
        return {layout.name: layout.words for layout in shipped_layouts()}
    return {"model": _CHECKPOINT[group]}


def _of_others(group: Group) -> list[Listed]:
    shipped = _shipped_words(group)
    return [
        Listed(group, entry.name, _words(group, entry.name, list(shipped)), origin_of(entry))
        for entry in installed(group)
    ]


def _words(group: Group, name: str, shipped: list[str]) -> str:
    try:
        part = load_plugin(group, name, shipped).part
    except FoundryError as error:
        return f"cannot be used: {error}"
    for said in ("words", "rows_are"):
        if isinstance(words := getattr(part, said, None), str):
            return words
    return ""


def _sentence(text: str | None) -> str:
    """The first line of a docstring as the end of a line; empty where there is none."""
    line = (text or "").strip().partition("\n")[0].removesuffix(".")
    return line[:1].lower() + line[1:]

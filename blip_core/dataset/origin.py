"""What the store knows of a dataset's making: checkpoints by name, revision and licence, and settings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from blip_core.dataset.licences import licence_of
from blip_core.dataset.steps import settings_of
from blip_core.store import Artifact
from blip_core.store.lineage import Lineage

# Of the machine or the person, and nobody's business.
_KEPT_BACK = frozenset({"url", "key_variable", "path", "told", "folder", "requests_at_once"})
_NO_SECTION = ("name", "profile", "seed")
_LOCAL_STARTS = ("/", ".", "~")
_SHOWN = 12  # of a digest


@dataclass(frozen=True, slots=True)
class UsedCheckpoint:
    """A model that had a part in the making; `revision` is empty where nobody knows it."""

    stage: str
    name: str
    revision: str
    licence: str


@dataclass(frozen=True, slots=True)
class Origin:
    """How a dataset was made.

    Attributes:
        digest: of the dataset's files.
        recipe: that made it; may be empty.
        profile: it ran on; may be empty.
        checkpoints: in the order of the stages.
        settings: the recipe's sections that made it, without what is of one machine alone.
        measured: figures by what measured them.
        parent: digest of the version that it extends, or that people reviewed; may be empty.
    """

    digest: str
    recipe: str = ""
    profile: str = ""
    checkpoints: tuple[UsedCheckpoint, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    parent: str = ""


def origin_of(dataset: Artifact, lineage: Lineage) -> Origin:
    """What the manifests of a dataset and of what it was made from say of its making."""
    made = [*reversed(lineage.ancestors(dataset)), dataset]
    told = settings_of(dataset)
    return Origin(
        digest=dataset.digest,
        recipe=str(dataset.metadata.get("recipe", "")),
        profile=str(told.get("profile") or ""),
        checkpoints=checkpoints_of(made),
        settings={name: without_machine(value) for one in made for name, value in _sections(one).items()},
        measured=dataset.metadata.get("measured", {}),
        parent=str(dataset.metadata.get("parent", "")),
    )


def checkpoints_of(made: Iterable[Artifact]) -> tuple[UsedCheckpoint, ...]:
    """The models that had a part in making artefacts, each once, in the order of the artefacts."""
    return tuple(dict.fromkeys(used for one in made for used in _checkpoints(one)))


def without_machine(settings: Any) -> Any:
    """Settings without addresses and paths of the machine that they were used on."""
    if isinstance(settings, Mapping):
        kept = {name: one for name, one in settings.items() if name not in _KEPT_BACK and one is not None}
        return {name: _public(one) if name == "id" else without_machine(one) for name, one in kept.items()}
    return [without_machine(one) for one in settings] if isinstance(settings, list | tuple) else settings


def _sections(made: Artifact) -> dict[str, Any]:
    return {name: value for name, value in settings_of(made).items() if name not in _NO_SECTION}


def _checkpoints(made: Artifact) -> Iterator[UsedCheckpoint]:
    """The models that a stage's settings name; a composed picture was painted by none."""
    sections = _sections(made)
    is_composed = sections.get("source", {}).get("kind") == "world"
    for section, value in sections.items():
        for model in () if section == "pictures" and is_composed else _models(value):
            name = str(model.get("id") or model.get("served_model"))
            identity = str(made.metadata.get("model", "")) if section == made.kind else ""
            yield UsedCheckpoint(section, _public(name), _revision(model, identity), licence_of(name))


def _models(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if "served_model" in value or ("id" in value and "dtype" in value):
            yield value
        for one in value.values():
            yield from _models(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _models(one)


def _revision(model: Mapping[str, Any], identity: str) -> str:
    """The commit; of files without one the beginning of their digest, as `wiring` writes identities."""
    name, at, version = identity.rpartition("@")
    del name
    commit = version.partition("-")[0] if at else ""
    return commit or str(model.get("revision") or "") or (f"files {identity[:_SHOWN]}" if identity else "")


def _public(name: str) -> str:
    """A checkpoint's name, of a folder its last part alone."""
    return f"a local folder, {PurePath(name).name}" if name.startswith(_LOCAL_STARTS) else name

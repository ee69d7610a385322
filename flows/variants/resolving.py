"""Who takes part in a comparison, looked up once, before any work: what a name means may change meanwhile."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from blip_core.errors import UnknownArtifact
from blip_core.recipes import AnyVariant, CrossFitVariant, Recipe, ServerVariant, Variant
from blip_core.recipes.variants import ALIASES, REGISTRY_SCHEME
from blip_core.reporting.catalogue import ADAPTER_FOLDER
from blip_core.store import Artifact, ArtifactRef
from blip_core.tracking import RegisteredAdapter
from blip_core.wiring import checkpoint_identity, server_facts, workplace
from tasks.chosen import SHOWN_CHARS, chosen

if TYPE_CHECKING:
    from flows.recording import Recorder

KIND = "registered-adapter"  # the files of an adapter that a registry had and this store had not
_ADAPTER_CONFIG = "adapter_config.json"


class ResolvedVariant(BaseModel):
    """A variant and what its names meant when the run began.

    Attributes:
        variant: who answers.
        phase: the phase of this run whose adapter it carries; None, it carries none of this run.
        adapter: the kept adapter that it carries; None without, in a folder, or tuned by this run.
        registered: where in the registry that adapter was found, as `models:/NAME/VERSION`; else empty.
        server_facts: what its server told of its model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: AnyVariant
    phase: str | None = None
    adapter: ArtifactRef | None = None
    registered: str = ""
    server_facts: str = ""

    @property
    def name(self) -> str:
        """Of the variant."""
        return self.variant.name

    def inputs(self, own: Mapping[str, ArtifactRef]) -> dict[str, Any]:
        """What the stages that answer take of it; `own` are the adapters of this run, by phase."""
        carried = self.adapter if self.phase is None else own.get(self.phase)
        return {"variant": self.variant, "adapter": carried, "server_facts": self.server_facts}

    def tags(self) -> dict[str, str]:
        """Where its answers come from, for whoever looks at its run in MLflow."""
        told = {
            "foundry.adapter": self.adapter.digest if self.adapter else "",
            "foundry.registered": self.registered,
            "foundry.server": _server(self.variant),
            "foundry.server_facts": self.server_facts,
        }
        return {name: value for name, value in told.items() if value}


def resolve_variants(recipe: Recipe, *, work: bool = True) -> list[ResolvedVariant]:
    """Look up every variant of a recipe, see `resolve_variant`."""
    return [resolve_variant(recipe, variant, work=work) for variant in recipe.variants]


def resolve_variant(recipe: Recipe, variant: AnyVariant, *, work: bool = True) -> ResolvedVariant:
    """Look up what a variant names.

    Args:
        recipe: whose registered adapter the bare aliases mean.
        variant: who is to answer.
        work: whether it will: then the registry first hears what it has missed, files that are not in the
            store are fetched, and a server must be up. A dry run does none of that.

    Raises:
        UnknownArtifact: An alias, version, digest or folder that is not there; or an adapter of another base.
        TrackingError: The registry does not answer, or sends other files than were registered.
        StageFailure: The server does not answer.
    """
    if isinstance(variant, ServerVariant):
        return ResolvedVariant(variant=variant, server_facts=server_facts(variant) if work else "")
    if isinstance(variant, CrossFitVariant):
        return ResolvedVariant(variant=variant)
    if variant.adapter_kind == "registered":
        return _from_registry(recipe, variant, work)
    if variant.adapter_kind == "stored":
        adapter = chosen("adapter", str(variant.adapter))
        _check_base(variant, workplace().store.find(adapter.key))
        return ResolvedVariant(variant=variant, adapter=adapter)
    if variant.adapter_kind == "folder":
        _check_folder(variant)
    return ResolvedVariant(variant=variant, phase=recipe.phase_of(variant))


def keep_variants(recorder: "Recorder", variants: Sequence[ResolvedVariant]) -> None:
    """Say on the run of each variant where its answers come from."""
    for one in variants:
        recorder.children[f"predict {one.variant.name}"].tags(one.tags())


def _from_registry(recipe: Recipe, variant: Variant, work: bool) -> ResolvedVariant:
    place = workplace()
    if work:
        place.tracker().catch_up()
    found = place.registry().find(_reference(recipe, str(variant.adapter)))
    held = _held(found.digest)
    _check_base(variant, held)
    if held is None and work:
        held = _fetch(found)
    ref = ArtifactRef(key=held.key if held else "", digest=found.digest, rows=0)
    return ResolvedVariant(variant=variant, adapter=ref, registered=found.uri)


def _reference(recipe: Recipe, adapter: str) -> str:
    return f"{REGISTRY_SCHEME}{recipe.name}-adapter@{adapter}" if adapter in ALIASES else adapter


def _held(digest: str) -> Artifact | None:
    """The adapter of that digest in the store, if its files are as they were published."""
    store = workplace().store
    known = (one for one in store.artifacts("adapter") if one.digest == digest)
    return next((whole for one in known if (whole := store.find(one.key))), None)


def _fetch(found: RegisteredAdapter) -> Artifact:
    """Bring an adapter's files from the registry into the store, once a digest."""
    place = workplace()
    key = place.store.key(KIND, {"digest": found.digest, "files": found.files_digest})

    def build(folder: Path) -> dict[str, Any]:
        (folder / ADAPTER_FOLDER).mkdir()
        place.registry().fetch(found, folder / ADAPTER_FOLDER)
        return {"rows": 0, "registered": found.uri, "registered_digest": found.digest}

    return place.store.publish(key, KIND, build)


def _check_base(variant: Variant, held: Artifact | None) -> None:
    """Refuse an adapter of another model; one that does not say is judged when it is loaded."""
    if held is None or held.metadata.get("model") in (None, checkpoint_identity(variant.model)):
        return
    raise UnknownArtifact(
        f"the adapter {held.digest[:SHOWN_CHARS]} was tuned on another model than {variant.model.id}; use "
        "the recipe and profile it was tuned with"
    )


def _check_folder(variant: Variant) -> None:
    folder = Path(str(variant.adapter)).expanduser()
    if not (folder / _ADAPTER_CONFIG).is_file():
        raise UnknownArtifact(
            f"variant {variant.name}: {folder} has no {_ADAPTER_CONFIG}; name the folder of a PEFT adapter, "
            f"a digest, or {' or '.join(ALIASES)}"
        )


def _server(variant: AnyVariant) -> str:
    return f"{variant.served_model} at {variant.url}" if isinstance(variant, ServerVariant) else ""

"""Artefacts that a person named by their digests."""

from blip_core.errors import UnknownArtifact
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace

SHOWN_CHARS = 12  # of a digest: enough to tell the artefacts of one store apart
_SHOWN = 5


def chosen_pair(dataset: str, adapter: str) -> tuple[ArtifactRef | None, ArtifactRef | None]:
    """A dataset and an adapter by their digests; None for what was not named.

    An adapter brings the dataset it was tuned on, as long as the store holds it.

    Raises:
        UnknownArtifact: One that was named is not there.
    """
    tuned = chosen("adapter", adapter) if adapter else None
    rows = chosen("dataset", dataset) if dataset else None
    return rows or (_origin(tuned) if tuned else None), tuned


def _origin(adapter: ArtifactRef) -> ArtifactRef | None:
    store = workplace().store
    found = store.find(adapter.key)
    origin = found.metadata.get("made_from", {}).get("dataset") if found else None
    dataset = store.find(origin) if origin else None
    return dataset.ref() if dataset else None


def chosen(kind: str, digest: str) -> ArtifactRef:
    """The one artefact of a kind whose digest begins so.

    Raises:
        UnknownArtifact: There is none, or more than one.
    """
    known = workplace().store.artifacts(kind)
    found = {one.digest: one for one in known if one.digest.startswith(digest.strip().lower())}
    if len(found) == 1:
        return next(iter(found.values())).ref()
    if found:
        raise UnknownArtifact(f"{len(found)} digests of kind {kind} begin with {digest!r}; give more of it")
    digests = dict.fromkeys(one.digest[:SHOWN_CHARS] for one in known)  # two keys may hold equal content
    some = ", ".join([*digests][:_SHOWN]) or "none yet"
    raise UnknownArtifact(f"no {kind} here has a digest that begins with {digest!r}; there is {some}")

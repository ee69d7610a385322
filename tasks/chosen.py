"""An artefact that a person named by its digest."""

from blip_core.errors import UnknownArtifact
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace

SHOWN_CHARS = 12  # of a digest: enough to tell the artefacts of one store apart
_SHOWN = 5


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
    some = ", ".join(one.digest[:SHOWN_CHARS] for one in known[:_SHOWN]) or "none yet"
    raise UnknownArtifact(f"no {kind} here has a digest that begins with {digest!r}; there is {some}")

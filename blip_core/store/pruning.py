"""What a store can do without: what nothing refers to, and versions that later ones contain."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from blip_core.store.artifact import Artifact
from blip_core.store.lineage import Lineage, made_at, size_bytes
from blip_core.store.store import Store
from blip_core.store.versions import Version, lines_of

Rule = Literal["leftovers", "versions", "quarantine"]
RULES: tuple[Rule, ...] = get_args(Rule)
_BETWEEN = frozenset({"scenes", "pictures", "labels", "rows", "annotated", "predictions"})
"""Kinds that are made on the way to something; whatever else is whole was asked for by somebody."""
_SHARD = "-shard"
_FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Prunable:
    """Something that can go.

    Attributes:
        key: of the artefact, or name of a folder in quarantine.
        kind: of the artefact, or `quarantine`.
        path: its folder.
        bytes: that it takes.
        at: when it was made.
        why: it can go.
    """

    key: str
    kind: str
    path: Path
    bytes: int
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to go, if nothing refers to it.

    Attributes:
        rules: `leftovers`: what is made on the way and leads to nothing that is kept; `versions`: those of a
            line before its last ones; `quarantine`: damaged work.
        older_than: age that it has to have.
        keep: last versions of each line that stay.
        down_to: bytes that the store may take: what is older goes first, and no more than needed. None: all.
    """

    rules: Sequence[Rule] = ("leftovers", "quarantine")
    older_than: timedelta = timedelta(days=7)
    keep: int = 1
    down_to: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What artefacts of one kind take."""

    kind: str
    artifacts: int
    bytes: int
    oldest: datetime
    newest: datetime


def usage(store: Store) -> list[Usage]:
    """What the store holds by kind, the largest first; quarantine is one of them."""
    found: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    for artifact in store.artifacts():
        found[artifact.kind].append((size_bytes(artifact), made_at(artifact)))
    for one in _quarantined(store):
        found[one.kind].append((one.bytes, one.at))
    used = [
        Usage(
            kind,
            len(them),
            sum(size for size, _ in them),
            min(at for _, at in them),
            max(at for _, at in them),
        )
        for kind, them in found.items()
    ]
    return sorted(used, key=lambda one: (-one.bytes, one.kind))


def prunable(store: Store, wanted: Wanted, now: datetime) -> list[Prunable]:
    """What can go, oldest first.

    Never what an adapter, a comparison, answers, a dataset or the last versions of a line refer to. The
    shards that a line goes on from stay, too.

    Args:
        store: that is looked at; nothing in it is changed.
        wanted: what is to go.
        now: what ages are counted to.
    """
    artifacts = store.artifacts()
    lines = lines_of(store)
    superseded = _superseded(artifacts, lines, wanted) if "versions" in wanted.rules else {}
    kept = _referred_to(artifacts, lines, superseded)
    found: list[Prunable] = []
    for artifact in artifacts:
        if artifact.key in superseded:
            found.append(_of(artifact, superseded[artifact.key]))
        elif "leftovers" in wanted.rules and artifact.key not in kept and _is_between(artifact.kind):
            found.append(_of(artifact, "nothing refers to it"))
    if "quarantine" in wanted.rules:
        found += _quarantined(store)
    old = sorted(
        (one for one in found if now - one.at >= wanted.older_than), key=lambda one: (one.at, one.key)
    )
    return (
        old
        if wanted.down_to is None
        else _enough(old, sum(one.bytes for one in usage(store)) - wanted.down_to)
    )


def _enough(found: Iterable[Prunable], surplus: int) -> list[Prunable]:
    """The first of them that take so many bytes together."""
    chosen: list[Prunable] = []
    for one in found:
        if surplus <= 0:
            break
        chosen.append(one)
        surplus -= one.bytes
    return chosen


def _superseded(
    artifacts: Sequence[Artifact], lines: Mapping[str, Sequence[Version]], wanted: Wanted
) -> dict[str, str]:
    """Datasets that later versions of their line contain and nothing was made from, with the reason."""
    lineage = Lineage(artifacts)
    by_key = {artifact.key: artifact for artifact in artifacts}
    last = {one.key for versions in lines.values() for one in versions[-max(1, wanted.keep) :]}
    earlier = [one for versions in lines.values() for one in versions[: -max(1, wanted.keep)]]
    return {
        one.key: f"later versions contain its {one.rows:,} rows"
        for one in earlier
        if one.key in by_key and one.key not in last and not lineage.children(by_key[one.key])
    }


def _referred_to(
    artifacts: Sequence[Artifact], lines: Mapping[str, Sequence[Version]], superseded: Mapping[str, str]
) -> set[str]:
    """Keys of what is kept for its own sake, what it was made from, and the shards of last versions."""
    lineage = Lineage(artifacts)
    roots = [one for one in artifacts if not _is_between(one.kind) and one.key not in superseded]
    kept = {one.key for root in roots for one in (root, *lineage.ancestors(root))}
    last = {versions[-1].key for versions in lines.values() if versions}
    for root in (one for one in artifacts if one.key in last):
        for above in lineage.ancestors(root):
            kept.update(above.metadata.get("shards", ()))
    return kept


def _is_between(kind: str) -> bool:
    return kind in _BETWEEN or kind.endswith(_SHARD) or kind.startswith(_FEATURES)


def _of(artifact: Artifact, why: str) -> Prunable:
    return Prunable(
        artifact.key, artifact.kind, artifact.folder, size_bytes(artifact), made_at(artifact), why
    )


def _quarantined(store: Store) -> list[Prunable]:
    return [
        Prunable(one.name, "quarantine", one.path, one.bytes, one.at, "it was damaged and made anew")
        for one in store.quarantined()
    ]


def prune(store: Store, wanted: Wanted, now: datetime) -> list[Prunable]:
    """Remove what `prunable` gives, and give what is gone.

    It is looked for while no run can begin: what one has come to refer to meanwhile stays.

    Raises:
        StoreError: A run is under way.
    """
    with store.unused():
        found = prunable(store, wanted, now)
        for one in found:
            if one.kind == "quarantine":
                store.forget_damaged(one.key)
            else:
                store.remove(one.key)
        store.place.forget_abandoned()
    return found

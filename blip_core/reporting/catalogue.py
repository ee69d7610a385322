"""What the store holds, as JSON values: datasets, adapters, and what each was made from and became."""

from collections.abc import Callable, Mapping
from typing import Any

from blip_core import strict_json
from blip_core.errors import CorruptArtifact
from blip_core.records import SPLITS
from blip_core.scoring import BY_LETTER, main_score, ranking_of
from blip_core.store import Artifact
from blip_core.store.lineage import Lineage, made_at, made_from, size_bytes

SCORES = "scores.json"
ADAPTER_FOLDER = "adapter"
_NOT_TOLD = ("made_from", "settings", "shards", "key_inputs")


def dataset_entry(lineage: Lineage, dataset: Artifact) -> dict[str, Any]:
    """A dataset in the list; `recipe` is None where its manifest does not say."""
    told = dataset.metadata
    tuned = [child for child in lineage.children(dataset) if child.kind == "adapter"]
    return {
        **_common(dataset),
        "recipe": told.get("recipe"),
        "rows": dataset.rows,
        "splits": {split: told["splits"][split] for split in SPLITS if split in told.get("splits", {})},
        "rejected": dict(told.get("rejected", {})),
        "adapters": [adapter.digest for adapter in tuned],
    }


def adapter_entry(lineage: Lineage, adapter: Artifact) -> dict[str, Any]:
    """An adapter in the list; what its manifest does not say is None."""
    told = adapter.metadata
    dataset = lineage.ancestor(adapter, "dataset")
    return {
        **_common(adapter),
        "path": str(adapter.path / ADAPTER_FOLDER),
        "recipe": told.get("recipe"),
        "base": told.get("base"),
        "dataset": dataset.digest if dataset else None,
        "rows": adapter.rows,
        "steps": told.get("steps"),
        "trainable": told.get("trainable"),
        "validation_loss": told.get("best_validation_loss"),
        "scores": adapter_scores(lineage, adapter),
    }


def adapter_scores(lineage: Lineage, adapter: Artifact) -> list[dict[str, Any]]:
    """Accuracies of the variants that were judged with an adapter, newest first; each judgement once."""
    found = []
    for predictions in lineage.children(adapter):
        scores = [child for child in lineage.children(predictions) if child.kind == "scores"]
        found += [_score(predictions, one) for one in scores[:1]]  # the same answers score the same each time
    return found


def family_tree(
    artifact: Artifact,
    relatives: Callable[[Artifact], list[Artifact]],
    lineage: Lineage,
    passed: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """What an artefact was made from, or what it became, generation by generation.

    Args:
        artifact: the root, not told itself.
        relatives: `lineage.parents` or `lineage.children`.
        lineage: all artefacts of the store.
        passed: keys on the way here; a damaged manifest that leads back to one is not followed.
    """
    passed |= {artifact.key}
    return [
        entry(lineage, one) | {"next": family_tree(one, relatives, lineage, passed)}
        for one in relatives(artifact)
        if one.key not in passed
    ]


def entry(lineage: Lineage, artifact: Artifact) -> dict[str, Any]:
    """Any artefact, with what its manifest says of it."""
    special = {"dataset": dataset_entry, "adapter": adapter_entry}
    if artifact.kind in special:
        return special[artifact.kind](lineage, artifact)
    told = {name: value for name, value in artifact.metadata.items() if name not in _NOT_TOLD}
    scores = {"scores": _accuracies(artifact)} if artifact.kind == "scores" else {}
    return {**_common(artifact), "rows": artifact.rows, **told, **scores}


def _common(artifact: Artifact) -> dict[str, Any]:
    return {
        "kind": artifact.kind,
        "digest": artifact.digest,
        "key": artifact.key,
        "path": str(artifact.path),
        "made": made_at(artifact).isoformat(timespec="seconds"),
        "size_bytes": size_bytes(artifact),
        "made_from": dict(named) if (named := made_from(artifact)) is not None else None,
    }


def _score(predictions: Artifact, scores: Artifact) -> dict[str, Any]:
    variant = predictions.metadata["variant"]
    accuracy = _accuracies(scores).get(variant, {})
    return {
        "variant": variant,
        "judged_on": predictions.metadata.get("evaluation"),
        "accuracy": accuracy.get("value"),
        "ci95": [accuracy.get("low"), accuracy.get("high")],
        "n": accuracy.get("n"),
        "scores": scores.digest,
        **({"measure": accuracy["measure"]} if "measure" in accuracy else {}),
    }


def _accuracies(scores: Artifact) -> dict[str, Mapping[str, Any]]:
    path = scores.path / SCORES
    try:
        told = strict_json.loads(path.read_text(encoding="utf-8"))
        ranking = ranking_of(told)
        named = {} if ranking == BY_LETTER else {"measure": ranking.words}
        return {name: {**main_score(one), **named} for name, one in told["variants"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptArtifact(
            f"{path} holds no scores ({error!r}). Run again, and it is made anew"
        ) from error

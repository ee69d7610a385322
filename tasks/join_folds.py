"""Stage 6b: answers of several variants are joined, each row from one that learnt it, or that did not."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from blip_core.dataset import read_split
from blip_core.errors import TableError
from blip_core.recipes import CrossFitVariant, Recipe
from blip_core.records import Example, prediction_schema
from blip_core.store import ArtifactRef, write_rows
from blip_core.wiring import evaluation_examples, workplace
from tasks.predict_variant import FILE, read_predictions
from tasks.stage import metadata_of, path_of, stage

VERSION = 1
_OF_ALL = ("task", "evaluation", "evaluation_identity")  # the same of all that are joined

Learnt = Mapping[str, Sequence[ArtifactRef]]


def key(
    recipe: Recipe,
    variant: CrossFitVariant,
    answers: Mapping[str, ArtifactRef],
    learnt: Learnt,
    dataset: ArtifactRef | None,
) -> str:
    inputs = {
        "version": VERSION,
        "variant": variant.name,
        "rows": variant.rows,
        "answers": [ref.digest for ref in answers.values()],
        "learnt": [[ref.digest for ref in refs] for refs in learnt.values()],
    }
    return workplace().store.key("predictions", inputs)


@stage("predict {variant.name}", key)
def join_folds(
    recipe: Recipe,
    variant: CrossFitVariant,
    answers: Mapping[str, ArtifactRef],
    learnt: Learnt,
    dataset: ArtifactRef | None,
) -> ArtifactRef:
    """Take each row's answer from the first variant that learnt it, or from the first that never saw it.

    A row is known by its picture: it is seen where its picture is among the training rows, and unseen where
    it is neither there nor among the validation rows.

    Args:
        recipe: by which the rows are judged.
        variant: which answers are taken.
        answers: of the variants that it joins, by name.
        learnt: datasets that the adapter of each of them learnt from, by name.
        dataset: where the rows come from, if the recipe judges by its splits.

    Raises:
        TableError: For some row there is no such variant.
    """

    def build(folder: Path) -> dict[str, Any]:
        examples = evaluation_examples(recipe, path_of(dataset) if dataset else None)
        known = {name: _pictures(refs) for name, refs in learnt.items()}
        said = {name: {row.id: row for row in read_predictions(ref)} for name, ref in answers.items()}
        taken = {row.id: _source(row, variant, known) for row in examples}
        _check_complete(variant, taken)
        joined = [replace(said[name][row], variant=variant.name) for row, name in taken.items()]
        write_rows(folder / FILE, joined, prediction_schema(row.task for row in joined))
        told = metadata_of(next(iter(answers.values())))
        rows_of = {name: [*taken.values()].count(name) for name in answers}
        return {
            "rows": len(joined),
            "variant": variant.name,
            **{name: told[name] for name in _OF_ALL},
            "model": told["model"],
            "adapter": "",
            "joined": rows_of,
            "made_from": {name: ref.key for name, ref in answers.items()},
        }

    own_key = key(recipe, variant, answers, learnt, dataset)
    return workplace().store.publish(own_key, "predictions", build).ref()


def learnt_by(recipe: Recipe, names: Sequence[str], datasets: Mapping[str, ArtifactRef]) -> Learnt:
    """The datasets that each of some variants learnt from, those of the phases it goes on from included.

    Args:
        recipe: whose variants they are.
        names: of variants that carry adapters of this run.
        datasets: of the run, by phase.

    Raises:
        TableError: A dataset is not known, because an adapter was named without it.
    """
    phases = {name: recipe.phases_learnt_by(name) for name in names}
    for name, learnt in phases.items():
        unknown = [phase for phase in learnt if phase not in datasets]
        if unknown:
            raise TableError(
                f"which rows {name} learnt is not known: the dataset of phase {unknown[0]} is neither made "
                "nor named; name it with --dataset, or leave --adapter out"
            )
    return {name: [datasets[phase] for phase in learnt] for name, learnt in phases.items()}


def _pictures(datasets: Sequence[ArtifactRef]) -> tuple[frozenset[str], frozenset[str]]:
    """Pictures that were learnt, and pictures that were looked at while learning."""
    learnt, watched = (
        frozenset(_picture(row) for ref in datasets for row in read_split(path_of(ref), split))
        for split in ("train", "validation")
    )
    return learnt, learnt | watched


def _picture(row: Example) -> str:
    return hashlib.sha256(row.image).hexdigest()


def _source(
    row: Example, variant: CrossFitVariant, known: Mapping[str, tuple[frozenset[str], frozenset[str]]]
) -> str:
    picture = _picture(row)
    for name, (learnt, looked_at) in known.items():
        if picture in learnt if variant.rows == "seen" else picture not in looked_at:
            return name
    return ""


def _check_complete(variant: CrossFitVariant, taken: Mapping[str, str]) -> None:
    missing = [row for row, name in taken.items() if not name]
    if not missing:
        return
    lacks = "learnt it" if variant.rows == "seen" else "never saw it"
    raise TableError(
        f"variant {variant.name}: of {len(missing)} of {len(taken)} judged rows ({missing[0]} is the first) "
        f"none of {', '.join(variant.of)} {lacks}. Let each hold out another fold of the same rows "
        '(dataset.hold_out = "1/2", "2/2") and judge by evaluation = { kind = "split", splits = ["train", '
        '"test"] }'
    )

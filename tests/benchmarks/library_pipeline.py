"""The pocket pipeline by the library alone, without Prefect, MLflow and store. Run with a folder."""

import sys
from contextlib import closing
from pathlib import Path

from blip_core import labelling, painting, scenes, scoring
from blip_core.curation import curate
from blip_core.dataset import assign_splits, read_split, write_dataset
from blip_core.recipes import load_recipe
from blip_core.wiring import (
    build_labeller,
    build_painter,
    build_writer,
    evaluation_examples,
    inference_settings,
    load_base,
    load_variant,
    picture_settings,
    prepare_environment,
    workplace,
)
from tasks.build_dataset import to_examples


def main(folder: Path) -> None:
    """Make dataset, adapter and scores below a folder."""
    prepare_environment(workplace())  # as a run does: threads that wait sleep, torch's compiler is not loaded
    from blip_core.inference import predict
    from blip_core.training import finetune

    recipe = load_recipe("gallery-vqa")
    with closing(build_writer(recipe)) as writer:
        written, _ = scenes.write_scenes(writer, recipe.scenes, recipe.seed)
    with closing(build_painter(recipe)) as painter:
        painted, _ = painting.paint_pictures(painter, written, picture_settings(recipe), recipe.seed)
    with closing(build_labeller(recipe)) as labeller:
        labels, _ = labelling.label_pictures(labeller, painted, recipe.labels, recipe.seed)
    curated = curate(to_examples(recipe.task, painted, labels), recipe.curation)
    shares = recipe.dataset.validation_share, recipe.dataset.test_share
    splits = assign_splits(curated.kept, *shares, curated.near)
    dataset = folder / "dataset"
    dataset.mkdir()
    write_dataset(dataset, curated.kept, curated.rejections, splits, recipe, {})
    train, validation = read_split(dataset, "train"), read_split(dataset, "validation")
    prompts, adapter = inference_settings(recipe), folder / "adapter"
    finetune(load_base(recipe), train, validation, recipe.finetune, prompts, recipe.seed, adapter)
    questions = evaluation_examples(recipe, dataset)
    answers = []
    for variant in recipe.variants:
        bundle = load_variant(recipe, variant, adapter if variant.adapter else None)
        answers.append(predict(bundle, questions, prompts, variant.name))
    scoring.compare(answers[0], answers[1], recipe.seed)
    scoring.compare(answers[1], answers[2], recipe.seed)
    for rows in answers:
        sys.stdout.write(f"{rows[0].variant} {scoring.accuracy(rows).value:.4f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

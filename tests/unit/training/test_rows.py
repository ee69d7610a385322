from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from blip_core.errors import RecipeError
from blip_core.modeling import load_blip2
from blip_core.modeling.text import IGNORED_LABEL, letter_target_ids, tokenise_prompts
from blip_core.pocket.evalset import load_bundled
from blip_core.recipes import load_recipe
from blip_core.recipes.finetune import Learning
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Rejection
from blip_core.training.learner import collate, places_and_pads
from blip_core.training.rows import (
    RowSource,
    check_stages,
    draw_examples,
    draw_own_descriptions,
    plan_batches,
    steps_per_epoch,
    validation_batches,
)
from blip_core.wiring import inference_settings as settings_of
from tests.tiny_blip2 import FolderOf, MakeExamples


@pytest.fixture(scope="module")
def source(tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference) -> RowSource:
    return _source(tiny_blip2, make_examples, inference_settings, {})


def _source(
    tiny_blip2: FolderOf, make_examples: MakeExamples, prompts: Inference, descriptions: dict[str, str]
) -> RowSource:
    bundle = load_blip2(tiny_blip2("t5"))
    return RowSource(bundle, make_examples(20), prompts, 0.25, descriptions, max_text_tokens=200, seed=0)


def test_each_epoch_teaches_the_given_share_of_descriptions(source: RowSource) -> None:
    for number in range(4):
        assert sum(not row.is_answer for row in source.epoch(number)) == 5


def test_every_example_comes_to_teach_both_stages(source: RowSource) -> None:
    described = {
        index for number in range(4) for index, row in enumerate(source.epoch(number)) if not row.is_answer
    }

    assert described == set(range(20))


def test_rows_hold_prompt_and_target_of_their_stage(source: RowSource) -> None:
    tokenizer = source.bundle.tokenizer
    for example, row in zip(source.examples, source.epoch(0), strict=True):
        prompt = tokenizer.decode(row.prompt, skip_special_tokens=True)
        target = tokenizer.decode(row.target, skip_special_tokens=True)
        assert example.question in prompt
        assert target == (example.answer if row.is_answer else example.description)
        assert (example.description in prompt) is row.is_answer


def test_the_base_s_own_description_takes_the_place_of_the_labeller_s(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    example = make_examples(20)[3]
    source = _source(tiny_blip2, make_examples, inference_settings, {example.id: "A big cup."})

    prompt = source.bundle.tokenizer.decode(source._answer_rows[0][3].prompt)

    assert "Description: A big cup." in prompt
    assert example.description not in prompt


def test_a_fifth_option_is_listed_and_its_letter_learnt(source: RowSource) -> None:
    first = source.examples[0].with_options(("dog", "boat", "tree", "cup", "bus"))
    listed = replace(source, examples=[replace(first, answer="E")])

    (row,) = [row for number in range(4) for row in listed.epoch(number) if row.is_answer][:1]

    assert row.target == letter_target_ids(source.bundle, "E")
    assert "E. bus" in source.bundle.tokenizer.decode(row.prompt)


def test_a_plan_sees_each_row_once_an_epoch_and_is_named_by_its_seed(source: RowSource) -> None:
    steps = steps_per_epoch(20, 3)
    plan = plan_batches(source, 3, 2 * steps)

    assert len(plan) == 2 * steps == 14
    assert all(sum(len(batch) for batch in plan[at : at + steps]) == 20 for at in (0, steps))
    assert plan == plan_batches(source, 3, 2 * steps)
    assert plan[:steps] != plan[steps:]


def test_validation_rows_are_always_the_same(source: RowSource) -> None:
    assert validation_batches(source, 8) == validation_batches(source, 8)
    assert sum(len(batch) for batch in validation_batches(source, 8)) == 20


def test_a_share_is_drawn_by_seed(make_examples: MakeExamples) -> None:
    examples = make_examples(20)

    assert len(draw_examples(examples, 0.3, seed=1)) == 6
    assert draw_examples(examples, 0.3, seed=1) == draw_examples(examples, 0.3, seed=1)
    assert draw_examples(examples, 0.3, seed=1) != draw_examples(examples, 0.3, seed=2)


def test_an_example_that_nobody_described_teaches_answers_and_is_described_by_the_base(
    source: RowSource,
) -> None:
    examples = [
        replace(one, description="") if number < 15 else one for number, one in enumerate(source.examples)
    ]
    bare = replace(source, examples=examples)

    describing = [
        index for number in range(4) for index, row in enumerate(bare.epoch(number)) if not row.is_answer
    ]

    assert sorted(describing) == [15, 16, 17, 18, 19]
    assert draw_own_descriptions(examples, 0.0, seed=1) == examples[:15]
    assert set(examples[:15]) < set(draw_own_descriptions(examples, 0.9, seed=1))


def test_teaching_descriptions_that_nobody_asks_for_is_refused() -> None:
    with pytest.raises(RecipeError, match="describe_prompt is empty"):
        check_stages(Inference(answer_prompt="{question}"), describe_share=0.3, own_description_share=0.0)


class NoStates:
    """Vision states of no interest."""

    forwards = 0

    def add(self, examples: Iterable[Example]) -> list[Rejection]:
        return []

    def stack(self, keys: Sequence[str], turn: int = 0) -> torch.Tensor:
        return torch.zeros(len(keys), 1, 1)


def pocket_examples() -> list[Example]:
    """The bundled questions, described as the pocket labeller describes: one to three kinds of things."""
    return [
        Example(
            id=row["id"],
            picture_id=row["picture_id"],
            group=row["picture_id"],
            category=row["category"],
            task="mcq",
            image=row["picture_id"].encode(),
            description=f"{' and '.join(f'two {row[letter]}s' for letter in 'abc'[: 1 + index % 3])} "
            f"in the {row['place']} at {row['time']}.",
            question=row["question"],
            a=row["a"],
            b=row["b"],
            c=row["c"],
            d=row["d"],
            answer=row["answer"],
            target=row["answer"],
            scene="",
        )
        for index, row in enumerate(load_bundled("generic").drop(["image"]).to_pylist())
    ]


@pytest.mark.parametrize("family", ["t5", "opt"])
def test_under_a_tenth_of_what_the_pocket_models_read_is_pads(family: str) -> None:
    bundle = load_blip2(Path(str(files("blip_core.pocket"))) / "models" / f"blip2-{family}")
    recipe = load_recipe("gallery-vqa", "pocket")
    settings, prompts = recipe.finetune, settings_of(recipe)
    source = RowSource(
        bundle, pocket_examples(), prompts, settings.describe_share, {}, settings.max_text_tokens, 0
    )

    plan = plan_batches(source, settings.batch_size, 2 * steps_per_epoch(600, settings.batch_size))
    counted = [places_and_pads(bundle, collate(bundle, NoStates(), rows)) for rows in plan]

    places, pads = (sum(column) for column in zip(*counted, strict=True))
    assert 0 < pads < 0.1 * places


def test_texts_that_are_too_long_are_cut_and_said(source: RowSource) -> None:
    short = replace(source, max_text_tokens=40)

    rows = short._answer_rows[0]

    assert any(row.is_cut for row in rows)
    assert all(len(row.prompt) <= 40 + source.bundle.query_count for row in rows)
    uncut = [len(row.prompt) - source.bundle.query_count for row in source._answer_rows[0]]
    assert [row.is_cut for row in rows] == [length > 40 for length in uncut]
    assert not any(row.is_cut for row in source._answer_rows[0])


WORDINGS = ("Look at <image> and say: {question} {description}", "{question} {description}", "<image>Which?")


def test_a_wording_is_drawn_for_each_row_and_epoch_and_named_by_the_seed(source: RowSource) -> None:
    def begins(seed: int, epoch: int) -> list[str]:
        worded = replace(source, wordings=WORDINGS, describe_share=0.0, seed=seed)
        prompts = [row.prompt for row in worded.epoch(epoch)]
        return [source.bundle.tokenizer.decode(ids, skip_special_tokens=True)[:5] for ids in prompts]

    first = begins(0, 0)
    assert first == begins(0, 0)
    assert len({*map(tuple, (first, begins(0, 1), begins(1, 0)))}) == 3
    assert set(first) == {"Look ", "Which"}  # a question begins with "Which", too
    assert {len(row.prompt) for row in replace(source, wordings=WORDINGS[2:]).epoch(0)} >= {
        len(tokenise_prompts(source.bundle, ["Which?"])[0].ids)
    }


@pytest.mark.parametrize(("wording", "taught"), [("Say <image> what:", "what:"), ("Say what:", "Say what:")])
def test_what_stands_before_the_picture_is_not_taught(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    inference_settings: Inference,
    wording: str,
    taught: str,
) -> None:
    bundle, (example,) = load_blip2(tiny_blip2("opt")), make_examples(1)
    caption = replace(example, task="caption", target="A dog.", question="", answer="")
    source = RowSource(bundle, [caption], inference_settings, 0.0, {}, 200, 0, wordings=(wording,))

    batch = collate(bundle, NoStates(), source.epoch(0))

    learnt = batch["labels"][batch["labels"] != IGNORED_LABEL]
    assert bundle.tokenizer.decode(learnt, skip_special_tokens=True).strip() == f"{taught} A dog."


def test_a_description_that_is_cut_teaches_no_end(source: RowSource) -> None:
    end = source._describe_rows[0].target[-1]

    cut = replace(source, max_text_tokens=3)._describe_rows

    assert all(row.is_cut and len(row.target) == 3 and end not in row.target for row in cut)


@pytest.mark.parametrize(
    ("task", "learn", "taught"),
    [
        ("vqa", "as-kind", "Which? It: a dog"),
        ("vqa", "whole", "Which? It: a dog"),
        ("vqa", "target", "a dog"),
        ("caption", "as-kind", "Which? It: a dog"),
        ("caption", "target", "a dog"),
    ],
)
def test_the_recipe_says_whether_the_answer_alone_is_learnt(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    inference_settings: Inference,
    task: str,
    learn: Learning,
    taught: str,
) -> None:
    bundle, (example,) = load_blip2(tiny_blip2("opt")), make_examples(1)
    row = replace(example, task=task, target="a dog", question="Which?", answer="")
    asking = inference_settings.model_copy(update={"answer_prompt": "Which? It:", "describe_prompt": ""})
    source = RowSource(bundle, [row], asking, 0.0, {}, 200, 0, learn=learn)

    batch = collate(bundle, NoStates(), source.epoch(0))

    learnt = batch["labels"][batch["labels"] != IGNORED_LABEL]
    assert bundle.tokenizer.decode(learnt, skip_special_tokens=True).strip() == taught

"""Which variants are compared with which, what is told of each, and what is refused."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from blip_core.errors import TableError
from blip_core.recipes import load_recipe
from blip_core.recipes.champion import Champion
from blip_core.records import EXAMPLE_SCHEMA, PREDICTION_SCHEMA, Prediction, prediction_schema
from blip_core.scoring import decide, score, score_captions
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.summary import pairs_to_compare
from blip_core.store import ArtifactRef, read_rows, write_rows
from blip_core.wiring import workplace
from tasks.compare import MEASUREMENTS, candidates, compare, key, read_scores
from tasks.predict_variant import ABLATIONS, FILE, read_ablations
from tasks.predict_variant import key as predictions_key
from tasks.stage import path_of

ROTATED = {"rotations_right": 4, "mean_a": 0.7, "mean_b": 0.1, "mean_c": 0.1, "mean_d": 0.1}


def prediction(ranked: str, generated: str, **changes) -> Prediction:
    values = {"id": ranked + generated, "picture_id": "p", "category": "food", "kind": "", "variant": "v"}
    chances = dict.fromkeys(("p_a", "p_b", "p_c", "p_d"), 0.25)
    letters = {"ranked": ranked, "generated": generated, "generated_letter": generated, "truth": "A"}
    return Prediction(**{**values, "description": "", **chances, **letters, **changes})


def answers(variant: str, right: int, of: int = 40, **changes) -> list[Prediction]:
    return [
        prediction(
            "A" if number < right else "B",
            "",
            id=f"q{number}",
            picture_id=f"p{number}",
            variant=variant,
            **changes,
        )
        for number in range(of)
    ]


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Puts answers of a variant into the store."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))

    def put(rows: list[Prediction], ablations=(), evaluation: str = "split-1", **told) -> ArtifactRef:
        def build(folder):
            if ablations:
                write_rows(folder / ABLATIONS, ablations, PREDICTION_SCHEMA)
            written = write_rows(folder / FILE, rows, prediction_schema(row.task for row in rows))
            return {"rows": written, "variant": rows[0].variant, "evaluation_identity": evaluation, **told}

        store = workplace().store
        key = store.key("predictions", {"variant": rows[0].variant, "evaluation": evaluation})
        return store.publish(key, "predictions", build).ref()

    return put


@pytest.fixture
def recipe():
    return load_recipe("gallery-vqa", "pocket", ("findings=[]",))


def compared(recipe, *predictions):
    return read_scores(compare.task.fn(recipe, predictions))


def test_all_comparisons_are_corrected_together(publish, recipe):
    right = {"baseline": 10, "flan-t5": 20, "finetuned": 30}
    scores = compared(recipe, *[publish(answers(name, count)) for name, count in right.items()])
    pairs = {(one["a"], one["b"]): one for one in scores["comparisons"]}
    assert list(pairs) == [("baseline", "flan-t5"), ("flan-t5", "finetuned"), ("baseline", "finetuned")]
    assert {one["family"] for one in pairs.values()} == {3}
    assert all(one["p_adjusted"] > one["p_value"] for one in pairs.values())
    assert scores["candidates"] == [["flan-t5", "finetuned"]]


def test_modes_are_scored_beside_the_full_one(publish, recipe):
    blind = [replace(row, mode="blind") for row in answers("flan-t5", 8)]
    full = publish(answers("flan-t5", 30, **ROTATED), blind)
    scores = compared(recipe, full, publish(answers("finetuned", 30)))
    told = scores["variants"]["flan-t5"]
    assert (told["accuracy"]["value"], told["ablations"]["blind"]["value"]) == (0.75, 0.2)
    (lost,) = scores["ablation_comparisons"]["flan-t5"]
    assert (lost["a"], lost["b"], lost["difference"]) == ("both", "blind", -0.55)
    assert "ablations" not in scores["variants"]["finetuned"]
    assert list(scores["ablation_comparisons"]) == ["flan-t5"]


def test_answers_without_other_modes_have_none(publish):
    assert read_ablations(publish(answers("flan-t5", 3))) == []


def test_answers_to_other_rows_are_refused_before_they_are_read(publish, recipe):
    first, second = publish(answers("flan-t5", 3)), publish(answers("finetuned", 3), evaluation="split-2")
    with pytest.raises(TableError, match=r"finetuned answered other rows than flan-t5.*split-2 and split-1"):
        compared(recipe, first, second)


def test_the_tuned_variant_is_compared_with_its_base_wherever_it_stands(publish):
    order = (
        "variants=[{name='flan-t5', role='base'}, {name='x', role='baseline'}, {name='y', role='baseline'}, "
    )
    order += (
        "{name='plain', role='base'}, {name='z', role='baseline'}, {name='tuned', role='base', adapter=true}]"
    )
    recipe = load_recipe("gallery-vqa", "pocket", (order,))
    assert candidates(recipe) == [("flan-t5", "tuned"), ("plain", "tuned")]
    refs = [publish(answers(variant.name, 20 + place)) for place, variant in enumerate(recipe.variants)]
    pairs = [(one["a"], one["b"]) for one in compared(recipe, *refs)["comparisons"]]
    assert ("plain", "tuned") in pairs
    assert len(pairs) == len(set(pairs)) == len(pairs_to_compare(6)) + 1


def test_neighbours_are_compared_first_and_then_each_with_the_first():
    assert pairs_to_compare(3) == [(0, 1), (1, 2), (0, 2)]


def test_one_variant_alone_is_compared_with_none():
    assert pairs_to_compare(1) == []


def test_a_score_tells_ranked_and_free_answers_apart():
    told = score([prediction("A", ""), prediction("A", "A"), prediction("B", "A")], is_free=True)
    assert told["accuracy"]["value"] == 2 / 3
    assert told["free_generation"] == {"accuracy": 2 / 3, "invalid": 1 / 3}


def test_nothing_is_told_of_free_answers_where_none_were_asked_for():
    assert "free_generation" not in score([prediction("A", "")], is_free=False)


def test_scores_come_back_from_json_as_they_were():
    rows = [prediction("A", "A", **ROTATED), prediction("B", "")]
    told = score(rows, is_free=True, ablations=[prediction("A", "", mode="blind")])
    assert json.loads(json.dumps(told)) == told


def test_rotations_are_told_where_they_were_asked():
    told = score([prediction("A", "", **ROTATED)], is_free=False)
    assert (told["circular"]["value"], told["averaged"]["value"], told["circular"]["n"]) == (1.0, 1.0, 1)
    assert not {"circular", "averaged", "ablations"} & score([prediction("A", "")], is_free=False).keys()


def test_the_invalid_rate_comes_with_its_interval_and_calibration_with_its_table():
    told = score([prediction("A", ""), prediction("B", "B")], is_free=True)
    assert (told["invalid"]["value"], told["invalid"]["n"]) == (0.5, 2)
    assert told["calibration"]["ece"] == pytest.approx(0.25)
    assert told["calibration"]["bins"][0]["n"] == 2


def test_descriptions_are_held_against_the_labellers():
    right = {"a": "a red bus on a street", "b": "a dog"}
    rows = [prediction("A", "", id=name, description="a red bus on a street") for name in ("a", "b", "c")]
    told = score_captions(rows, right)["captions"]
    assert (told["n"], told["cases"]["rouge_l"]["best_id"], told["cases"]["rouge_l"]["worst_id"]) == (
        2,
        "a",
        "b",
    )
    assert "version:" in told["bleu"]["signature"]


def test_the_labellers_words_come_from_the_dataset_that_was_judged_on(publish, recipe, make_examples):
    store = workplace().store
    examples = [replace(example, description="a red bus") for example in make_examples(3)]
    path = "data/test-00000-of-00001.parquet"

    def build(folder):
        (folder / "data").mkdir()
        return {"rows": write_rows(folder / path, examples, EXAMPLE_SCHEMA)}

    dataset = store.publish(store.key("dataset", {}), "dataset", build)
    rows = [prediction("A", "", id=example.id, variant="v", description="a red bus") for example in examples]
    scores = compared(recipe, publish(rows, made_from={"dataset": dataset.key}))
    assert scores["variants"]["v"]["captions"]["cases"]["rouge_1"]["mean"] == 1.0


def test_nothing_is_told_of_captions_where_nothing_was_described_or_is_known():
    assert score_captions([prediction("A", "", id="a")], {"a": "a dog"}) == {}
    assert score_captions([prediction("A", "", id="a", description="a dog")], {}) == {}


def declared(**fields):
    told = {"name": "gain", "a": "flan-t5", "b": "finetuned", **fields}
    return f"findings=[{{{', '.join(f'{name}={value!r}' for name, value in told.items())}}}]"


def test_what_a_recipe_expects_is_decided_by_what_comes_out(publish):
    recipe = load_recipe("gallery-vqa", "pocket", (declared(),))
    scores = compared(recipe, publish(answers("flan-t5", 10)), publish(answers("finetuned", 30)))
    (found,) = scores["findings"]
    asked = [
        "name",
        "a",
        "b",
        "measure",
        "difference",
        "ci95",
        "p_value",
        "p_adjusted",
        "n",
        "test",
        "expect",
        "margin",
        "holds",
    ]
    assert set(asked) < set(found)
    assert (found["name"], found["difference"], found["n"], found["holds"]) == ("gain", 0.5, 40, True)
    assert found["ci95"][0] > 0
    assert scores["comparisons"][0]["p_value"] == found["p_value"] == found["p_adjusted"]


def test_a_variant_is_compared_with_itself_shown_less(publish):
    recipe = load_recipe("gallery-vqa", "pocket", (declared(a="finetuned@blind", expect="more"),))
    blind = [replace(row, mode="blind") for row in answers("finetuned", 8)]
    scores = compared(recipe, publish(answers("flan-t5", 9)), publish(answers("finetuned", 30), blind))
    assert [(one["a"], one["difference"], one["holds"]) for one in scores["findings"]] == [
        ("finetuned@blind", 0.55, True)
    ]


def test_every_judgement_of_a_row_is_kept(publish, recipe):
    blind = [replace(row, mode="blind") for row in answers("flan-t5", 8)]
    kept = compare.task.fn(recipe, [publish(answers("flan-t5", 30, **ROTATED), blind)])
    rows = read_rows(path_of(kept) / MEASUREMENTS, Measurement)
    counts = Counter((row.variant, row.set, row.measure) for row in rows)
    assert counts == {
        ("flan-t5", "bundled", "letter-right"): 40,
        ("flan-t5", "bundled", "circular-right"): 40,
        ("flan-t5@blind", "bundled", "letter-right"): 40,
    }
    full = [row.value for row in rows if (row.variant, row.measure) == ("flan-t5", "letter-right")]
    assert sum(full) / len(full) == 0.75


@pytest.mark.parametrize(
    "change", ["findings=[]", declared(expect="less"), declared(margin=0.1), declared(name="other")]
)
def test_another_finding_is_decided_anew_and_nothing_else_is(publish, change):
    first, second = (load_recipe("gallery-vqa", "pocket", (one,)) for one in (declared(), change))
    refs = [publish(answers("flan-t5", 10)), publish(answers("finetuned", 30))]
    assert key(first, refs) != key(second, refs)
    assert predictions_key(first, first.variants[0], None, None) == predictions_key(
        second, second.variants[0], None, None
    )


TEXTS = ("a red bus on a street", "two dogs in a park", "a bowl of soup", "a man on a boat at sea")


def written(variant: str, right: int, task: str, of: int = 24) -> list[Prediction]:
    """Rows without options, two a picture, whose first texts are right."""
    empty = dict.fromkeys(("p_a", "p_b", "p_c", "p_d"), 0.0) | {"offered": 0, "truth": "", "task": task}
    rows = []
    for number in range(of):
        names = {"id": f"q{number}", "picture_id": f"p{number // 2}", "variant": variant}
        target = TEXTS[number // 2 % len(TEXTS)]
        text = target if number < right else "something else"
        rows.append(replace(prediction("", "", **empty, **names), target=target, generated=text))
    return rows


TEXT_RECIPES = {
    "vqa": [
        "task=vqa", "stages=1", "inference.answer_prompt='{question}'", "evaluation={kind='split'}",
    ],
    "caption": [
        "task=caption", "stages=1", "inference.answer_prompt='A photo of'", "evaluation={kind='split'}",
    ],
}  # fmt: skip
PLAIN = [
    "finetune.describe_share=0.0", "inference.circular=false", "inference.ablations=[]",
    "inference.free_generation=true",
]  # fmt: skip


@pytest.mark.parametrize(("task", "measure"), [("vqa", "vqa-accuracy"), ("caption", "cider")])
def test_variants_that_write_are_ranked_by_the_main_measure_of_their_kind(publish, task, measure):
    overrides = (*TEXT_RECIPES[task], *PLAIN, declared(measure=measure))
    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    rows = [written("flan-t5", 2, task), written("finetuned", 24, task)]
    scores = compared(recipe, *map(publish, rows))
    told = {name: one["main"] for name, one in scores["variants"].items()}
    assert told["finetuned"]["value"] > told["flan-t5"]["value"]
    assert told["finetuned"]["low"] <= told["finetuned"]["value"] <= told["finetuned"]["high"]
    assert "accuracy" not in scores["variants"]["finetuned"]
    assert scores["measure"]["name"] == measure
    (compared_pair,) = scores["comparisons"]
    (found,) = scores["findings"]
    gain = told["finetuned"]["value"] - told["flan-t5"]["value"]
    assert decide(Champion(min_rows=10), scores).won
    assert compared_pair["difference"] == pytest.approx(gain) == pytest.approx(found["difference"])
    assert found["holds"]

"""Models that gates ask: opened for the gate alone, and part of the dataset's key."""

from dataclasses import replace

import pytest

from blip_core.curation import curate
from blip_core.errors import RecipeError, StageFailure
from blip_core.recipes import Curation, load_recipe
from blip_core.wiring import evaluation_examples, gate_identities, gate_models

ROWS = 40
ON = ("curation.second_judge.enabled=true", "curation.second_judge.variant=flan-t5")
pytestmark = pytest.mark.usefixtures("one_thread")


def recipe(*overrides: str):
    return load_recipe("gallery-vqa", "pocket", overrides)


def only_second_judge(variant: str = "flan-t5") -> Curation:
    off = {name: {"enabled": False} for name in Curation.model_fields if name != "plugins"}
    return Curation.model_validate(off | {"second_judge": {"enabled": True, "variant": variant}})


def wronged(row):
    return replace(row, answer="ABCD"["ABCD".index(row.answer) - 1])


def test_a_second_judge_refuses_wrong_answers_and_keeps_right_ones():
    settings = recipe("evaluation.style=generic", f"evaluation.limit={ROWS}")
    rows = [wronged(row) if place % 2 else row for place, row in enumerate(evaluation_examples(settings))]

    curated = curate(rows, only_second_judge(), gate_models(settings))

    kept = {row.id for row in curated.kept}
    right, wrong = [row.id for row in rows[::2]], [row.id for row in rows[1::2]]
    assert len(kept.intersection(right)) > 0.7 * len(right)
    assert len(kept.intersection(wrong)) < 0.3 * len(wrong)
    assert {rejection.reason for rejection in curated.rejections} == {"second-judge-disagrees"}
    assert all("flan-t5 answers " in rejection.detail for rejection in curated.rejections)


def test_what_a_gate_asks_enters_the_key_only_where_one_asks():
    asked = gate_identities(recipe(*ON))

    assert gate_identities(recipe()) == {}
    assert asked["gate_models"]["second_judge"]["model"]
    assert asked != gate_identities(recipe(*ON[:1], "curation.second_judge.variant=baseline"))
    assert asked != gate_identities(recipe(*ON, "device.threads=3"))
    assert asked != gate_identities(recipe(*ON, "inference.max_new_tokens=9"))


def test_a_gate_that_is_off_by_default_leaves_digests_as_they_were():
    assert "second_judge" not in recipe().model_dump()["curation"]
    assert "second_judge" in recipe(*ON).model_dump()["curation"]
    assert recipe().digest("curation") != recipe(*ON).digest("curation")


@pytest.mark.parametrize("variant", ["nobody", "", "finetuned", "FLAN-T5"])
def test_a_judge_that_cannot_judge_is_refused_with_those_who_can(variant):
    overrides = (ON[0], f'curation.second_judge.variant="{variant}"')
    with pytest.raises(RecipeError, match=r"variant is .*(allowed: baseline, flan-t5|name one)"):
        recipe(*overrides)


def test_a_closed_judge_refuses_work():
    from blip_core.wiring.gates import _PORTS

    settings = recipe(*ON)
    judge = _PORTS["judge"][0](settings, settings.curation.second_judge)
    judge.close()
    judge.close()
    with pytest.raises(StageFailure, match="closed"):
        judge.answer([])

"""Models that gates ask: opened for the gate alone, and part of the dataset's key."""

import math
from dataclasses import replace

import pytest

from blip_core.curation import curate, shipped_gates
from blip_core.curation.second_judge import GATE as SECOND_JUDGE
from blip_core.errors import RecipeError, StageFailure, TableError
from blip_core.ports import no_progress
from blip_core.recipes import Curation, load_recipe
from blip_core.wiring import evaluation_examples, gate_identities, gate_models
from blip_core.wiring.readiness import check_parts

ROWS = 40
ON = ("curation.second_judge.enabled=true", "curation.second_judge.variant=flan-t5")
pytestmark = pytest.mark.usefixtures("one_thread")


def recipe(*overrides: str):
    return load_recipe("gallery-vqa", "pocket", overrides)


def only_second_judge(variant: str = "flan-t5") -> Curation:
    off = {name: {"enabled": False} for name in Curation.model_fields if name not in ("plugins", "alarm")}
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


@pytest.fixture(scope="module")
def judge():
    settings = recipe(*ON)
    with gate_models(settings)(SECOND_JUDGE, settings.curation.second_judge) as model:
        yield model


@pytest.fixture(scope="module")
def described(judge):
    """Rows with the descriptions that the judge itself gives, and its answers to them."""
    settings = recipe("evaluation.style=generic", "evaluation.limit=12")
    rows = evaluation_examples(settings)
    answers = judge._open().answer(rows, judge._settings, "judge", no_progress).predictions
    return [
        replace(row, description=said.description) for row, said in zip(rows, answers, strict=True)
    ], answers


def test_a_judge_weighs_answers_as_it_gives_them(judge, described):
    rows, answers = described
    for weight, said in zip(judge.weigh(rows), answers, strict=True):
        own = said.probabilities["ABCD".index(said.truth)]
        assert math.exp(weight.answer) == pytest.approx(max(own, 1e-12), abs=1e-4)
        assert weight.is_right == said.is_right


def test_a_judge_finds_its_own_descriptions_likelier_than_those_of_other_pictures(judge, described):
    rows, _ = described
    others = [
        replace(row, description=other.description)
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True)
    ]
    own, foreign = ([one.description for one in judge.weigh(some)] for some in (rows, others))
    assert all(
        mine > theirs
        for mine, theirs, row, other in zip(own, foreign, rows, others, strict=True)
        if row.description != other.description
    )


def test_a_row_weighs_the_same_whatever_stands_beside_it(judge, described):
    rows, _ = described
    alone = [judge.weigh([row])[0] for row in rows[:3]]
    for one, beside in zip(alone, judge.weigh(rows), strict=False):
        assert (one.answer, one.description) == pytest.approx((beside.answer, beside.description), abs=1e-4)


@pytest.mark.parametrize("mode", ["blind", "description-only"])
def test_a_judge_without_a_picture_weighs_all_pictures_the_same(judge, described, mode):
    row, other = described[0][0], described[0][-1]
    swapped = replace(row, image=other.image)
    one, same = judge.weigh([row, swapped], mode)
    assert one == same
    assert one.description is None
    assert judge.weigh([row])[0] != judge.weigh([swapped])[0]


def test_free_answers_are_weighed_by_their_words(judge, described):
    free = replace(described[0][0], task="vqa", a="", b="", c="", d="", answer="", target="a frog")
    likely, odd = judge.weigh([free, replace(free, target="xylophone zebra")])
    assert likely.is_right is None
    assert likely.answer > odd.answer


def test_a_row_whose_answer_is_no_letter_of_its_options_is_never_right(judge, described):
    (weight,) = judge.weigh([replace(described[0][0], answer="J")])
    assert weight.is_right is False


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


# Rows that judge, for the gate that keeps them out


DECONTAMINATED = "curation.decontamination.enabled=true"


def against(*rows: str) -> str:
    return f"curation.decontamination.against=[{', '.join(rows)}]"


def only_decontamination(settings) -> Curation:
    off = {name: {"enabled": False} for name in Curation.model_fields if name != "plugins"}
    return Curation.model_validate(off | {"decontamination": settings.curation.decontamination.model_dump()})


def test_bundled_rows_that_judge_are_kept_out_of_what_is_learnt():
    settings = recipe(DECONTAMINATED, "evaluation.limit=30")
    judging = list(evaluation_examples(settings))[:3]
    other = list(evaluation_examples(recipe("evaluation.style=generic", "evaluation.limit=3")))

    curated = curate([*judging, *other], only_decontamination(settings), gate_models(settings))

    assert curated.kept == other
    assert {one.reason for one in curated.rejections} == {"evaluation-picture"}


def test_rows_of_another_dataset_are_kept_out_too_and_are_part_of_the_key(tmp_path):
    from blip_core.dataset import write_dataset
    from tests.unit.examples import example, png, world_pixels

    rows = [example(number, image=png(world_pixels(number))) for number in range(4)]
    write_dataset(tmp_path, rows, [], {row.id: "train" for row in rows}, recipe(), {})
    named = recipe(DECONTAMINATED, "evaluation.limit=1", against(f"{{kind='dataset', path='{tmp_path}'}}"))

    curated = curate(
        [*rows, example(9, image=png(world_pixels(9)))], only_decontamination(named), gate_models(named)
    )

    assert [row.id for row in curated.kept] == [example(9).id]
    assert gate_identities(named) != gate_identities(recipe(DECONTAMINATED, "evaluation.limit=1"))
    (tmp_path / "data" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(TableError, match=r"names the split train of .*: it has none"):
        gate_identities(named)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("{kind='dataset', path='/no/such/folder'}", "which is no dataset folder"),
        ("{kind='table', path='/no/such/table.csv'}", "table.csv"),
        ("{kind='dataset', path='.'}", "which is no dataset folder"),
    ],
)
def test_rows_that_judge_and_are_not_there_are_named(named: str, words: str):
    with pytest.raises((TableError, RecipeError), match=words):
        gate_identities(recipe(DECONTAMINATED, against(named)))


def test_a_split_alone_has_no_rows_to_keep_out():
    with pytest.raises(RecipeError, match=r"decontamination.*evaluation\.kind is split"):
        recipe(DECONTAMINATED, "evaluation={kind='split'}")
    own = against("{kind='bundled'}")
    assert recipe(DECONTAMINATED, "evaluation={kind='split'}", own).curation.decontamination.enabled


# What a gate lacks is said before any work is begun


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("curation.language={enabled=true, languages=['xx']}",), "xx, which py3langid cannot tell"),
        (("curation.personal_data={enabled=true, region='XQ'}",), "no country's code"),
        (("curation.profanity={enabled=true, languages=['klingon']}",), "curation.profanity.languages"),
        ((DECONTAMINATED, against("{kind='dataset', path='/no/such/folder'}")), "which is no dataset folder"),
    ],
)
def test_what_a_gate_lacks_is_said_before_a_run(overrides: tuple[str, ...], words: str):
    with pytest.raises((RecipeError, TableError), match=words):
        check_parts(recipe(*overrides))


def test_every_gate_that_asks_nobody_can_be_asked_about_no_rows():
    check_parts(
        recipe(*(f"curation.{gate.name}.enabled=true" for gate in shipped_gates() if gate.port is None))
    )

"""`foundry ablate`: what is refused before any work, and one whole measurement of a gate."""

import json
from io import StringIO

import pytest
from rich.console import Console

from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe
from blip_core.recipes.ablation import phases_of
from blip_core.reporting import DatasetSummary, MlflowSummary, PhaseSummary, Summary
from flows.cli.ablating import Ablation
from tests.flows.test_cli import foundry

# The doubles' labeller says one of four things, each told by its number: this gate refuses a quarter.
GATE = "unsafe_words"
A_QUARTER = 'curation.unsafe_words.words=["number 3"]'


def asked(gate: str, *overrides: str, seeds: str = "2") -> list[str]:
    told = (part for one in overrides for part in ("--set", one))
    return ["ablate", "gallery-vqa", "--gate", gate, "--seeds", seeds, *told]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (asked("unsafe_wrods"), "did you mean unsafe_words?"),
        (asked("alarm"), "there is no gate 'alarm'"),
        (asked("second-judge"), "curation.second_judge: enabled is true, but variant is empty"),
        (asked("blind", "curation.blind.variant=flan-t5"), "curation.blind.drop=true"),
        (asked("single_answers"), "judges rows of the task vqa"),
        (asked("decontamination", "evaluation.kind=split"), "curation.decontamination.against"),
        (asked("lengths", "phases=[{name='wide'}, {name='narrow'}]"), "has the phases wide, narrow"),
        (asked("lengths", "curation.lengths.min_words=300"), "min_words"),
        (["ablate", "gqa-zero-shot", "--gate", "lengths"], "learns nothing"),
        (["ablate", "galery-vqa", "--gate", "lengths"], "galery-vqa"),
    ],
)
def test_what_cannot_be_measured_is_one_line_before_any_work(arguments, named, home, capfd, monkeypatch):
    assert foundry(monkeypatch, *arguments) == 2
    said = capfd.readouterr()
    assert named in said.err
    assert (said.out, len(said.err.strip().splitlines())) == ("", 1)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["ablate", "gallery-vqa"], "--gate"),
        ([*asked("lengths"), "--against", "some"], "--against"),
        (asked("lengths", seeds="0"), "--seeds"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(arguments, option, home, capfd, monkeypatch):
    assert foundry(monkeypatch, *arguments) == 2
    assert option in capfd.readouterr().err


@pytest.fixture
def grown(monkeypatch, tmp_path):
    """Grow the rows of an ablation, of so many training rows a side; gives what tuning would be cut to."""

    def grow(without: int, with_it: int, refused: int, is_cut: bool = True) -> tuple[list[dict], str]:
        def counted(recipe: str, profile: str) -> dict:
            sides = zip(phases_of(GATE), (without, with_it), ({}, {GATE: (90, refused)}), strict=True)
            phases = {
                name: PhaseSummary(DatasetSummary("x", "0", {"train": rows}, {}, gates), None)
                for name, rows, gates in sides
            }
            return Summary(None, {}, (), None, {}, MlflowSummary("", ""), phases=phases).to_dict()

        monkeypatch.setattr("flows.regenerate_dataset.regenerate_dataset", counted)
        seeds = [load_recipe("gallery-vqa", "pocket", [f"seed={seed}"]) for seed in (4, 5)]
        said = StringIO()
        Ablation(GATE, seeds, is_cut, tmp_path).grow(Console(file=said, width=200))
        recipes = [load_recipe(str(tmp_path / f"{GATE}-{seed}.toml"), "pocket") for seed in (4, 5)]
        assert [one.seed for one in recipes] == [4, 5]
        cuts = [
            {phase.name: one.in_phase(phase).dataset.train_rows for phase in one.phases} for one in recipes
        ]
        return cuts, said.getvalue()

    return grow


@pytest.mark.parametrize(
    ("rows", "is_cut", "left", "told"),
    [
        ((80, 60), True, (60, 0), "training rows: 60 without it of 80, 60 with it"),
        ((80, 60), False, (0, 0), "training rows: 80 without it, 60 with it"),
        ((60, 61), True, (0, 60), "training rows: 60 without it, 60 with it of 61"),
        ((60, 60), True, (0, 0), "training rows: 60 without it, 60 with it"),
    ],
)
def test_the_larger_side_is_cut_to_the_smaller_unless_all_rows_are_asked_for(grown, rows, is_cut, left, told):
    cuts, said = grown(*rows, refused=20, is_cut=is_cut)
    assert cuts == [dict(zip(phases_of(GATE), left, strict=True))] * 2
    assert said.count(f"{GATE} refuses 20 of 90 rows; {told}\n") == 2


@pytest.mark.parametrize("rows", [(80, 80), (80, 79), (1, 1)])
def test_a_gate_that_refuses_nothing_is_told_before_anything_is_tuned(grown, rows):
    with pytest.raises(RecipeError, match=f"the gate {GATE} refuses none of 180 rows"):
        grown(*rows, refused=0)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "use_doubles", "home")
@pytest.mark.filterwarnings("default")  # Prefect's and MLflow's own servers warn
def test_a_gate_is_measured_on_equal_rows_under_each_seed_and_pooled(doubles, capfd, monkeypatch):
    monkeypatch.setattr("flows.cli.seeded.prepare_run", lambda console: None)
    assert foundry(monkeypatch, *asked("unsafe-words", *doubles, A_QUARTER), "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["recipe"], told["seeds"]) == ("gallery-vqa-ablate-unsafe-words", [0, 1])
    (found,) = told["findings"]
    assert (found["name"], len(found["by_seed"])) == ("unsafe-words-helps", 2)
    for run in told["runs"]:
        without, with_it = (run["phases"][f"{side}-unsafe-words"]["dataset"] for side in ("without", "with"))
        seen, refused = with_it["gates"]["unsafe_words"]
        assert 0 < refused < seen
        assert "unsafe_words" not in without["gates"]
        assert without["rows"]["train"] == with_it["rows"]["train"] > 0
        assert without["rejected"]["surplus"] > 0
        assert [*run["variants"]] == ["without-unsafe-words", "with-unsafe-words"]

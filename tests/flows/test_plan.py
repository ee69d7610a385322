"""`foundry plan` as a person types it: in an empty home, with no network and no weights."""

import json
import socket
import sys

import pytest

from flows.cli.app import main
from tests.commands import foundry as in_process
from tests.published_sets import asked_rows, write_vqa


@pytest.fixture(autouse=True, scope="module")
def sized_once():
    """What a stage takes is counted once for all tests whose settings are the same."""
    from blip_core.planning.stages import StageSizes, _settings

    count, known = StageSizes.of, {}

    def of(self, group, recipe):
        asked = (group, _settings(group, recipe), self.counts, self.where)
        if asked not in known:
            known[asked] = count(self, group, recipe)
        return known[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageSizes, "of", of)
        yield


@pytest.fixture
def foundry(monkeypatch, capfd):
    """Runs a command; gives its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["foundry", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def refuse(*_, **__):
    raise AssertionError("a plan asked the network")


@pytest.fixture(scope="module")
def workstation(tmp_path_factory):
    """The plan of the real checkpoints, and what stands in its home afterwards."""
    home = tmp_path_factory.mktemp("empty-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        for name in ("create_connection", "getaddrinfo"):
            patch.setattr(socket, name, refuse)
        patch.setenv("FOUNDRY_HOME", str(home))
        patch.setenv("HF_HOME", str(home / "hub"))
        patch.delenv("FOUNDRY_MODELS", raising=False)
        done = in_process("plan", "gallery-vqa", "--profile", "workstation", "--json")
    assert done.code == 0, done.err
    return done.told, sorted(path.name for path in home.iterdir())


def test_the_published_counts(workstation):
    parameters = workstation[0]["parameters"]
    assert parameters["before"] == 3_949_180_416
    assert parameters["after"] == 2_841_884_160
    assert parameters["trainable"] == 6_733_824
    assert sum(row["trainable"] for row in parameters["modules"]) == parameters["trainable"]


def test_every_stage_has_a_peak_and_a_line_of_time(workstation):
    plan = workstation[0]
    stages = ["scenes", "pictures", "labels", "encode", "finetune", "predict"]
    assert list(plan["peak_gpu_bytes"]) == stages
    assert all(peak > 10**9 for peak in plan["peak_gpu_bytes"].values())
    assert {line["origin"] for line in plan["times"]} == {"derived"}
    assert {line["stage"].split()[0] for line in plan["times"]} == set(stages)


def test_cards_that_do_not_hold_it_come_with_what_to_change(workstation):
    plan = workstation[0]
    assert not plan["fits"]["8"]["labels"]
    assert plan["fits"]["141"] == dict.fromkeys(plan["peak_gpu_bytes"], True)
    refused = {(size, stage) for size, held in plan["fits"].items() for stage, yes in held.items() if not yes}
    assert {(str(one["card_gb"]), one["stage"]) for one in plan["advice"]} == refused
    for one in plan["advice"]:
        held = one["peak_bytes"] + plan["context_bytes"] <= one["card_gb"] * 10**9
        assert held == bool(one["set"])


def test_it_says_what_a_dense_language_model_would_take(workstation):
    dense = workstation[0]["dense"]
    assert dense["peak_bytes"] > dense["packed_bytes"]
    assert dense["smallest_gb"] == 12


def test_downloads_are_weights_in_the_type_of_the_hub(workstation):
    checkpoints = workstation[0]["checkpoints"]
    assert checkpoints["labels.model"]["download_bytes"] == 2 * 7_063_427_072
    assert checkpoints["finetune.base"]["download_bytes"] == 4 * 3_942_446_592
    assert not any(one["is_here"] for one in checkpoints.values())


@pytest.mark.parametrize("profile", ["modern", "modern-server"])
def test_the_profiles_of_today_are_planned_before_any_download_and_fit_a_card_with_24_gb(
    foundry, profile, tmp_path, monkeypatch
):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    code, out, told = foundry("plan", "gallery-vqa", "--profile", profile, "--json")
    assert code == 0, told
    assert all(json.loads(out)["fits"]["24"].values())


def test_what_tunes_nothing_is_planned_as_who_answers_alone(foundry, tmp_path):
    root = write_vqa(tmp_path / "vqav2", asked_rows(10))
    code, out, told = foundry("plan", "vqav2-zero-shot", "--set", f"evaluation.path={root}", "--json")
    assert code == 0, told
    planned = json.loads(out)
    assert [(one["stage"], one["rows"]) for one in planned["times"]] == [
        ("predict opt", 10),
        ("predict flan-t5", 10),
    ]
    assert planned["rows"]["train"] == 0
    assert planned["disk_bytes"]["checkpoints"] == 0
    assert foundry("plan", "vqav2-zero-shot", "--set", f"evaluation.path={root}")[0] == 0


def test_nothing_is_left_behind(workstation):
    assert workstation[1] == []


def test_people_get_tables(home, foundry):
    code, out, err = foundry("plan", "gallery-vqa", "--rows", "60")
    assert code == 0
    assert "60 rows" in out
    assert "not known until it has run here" in out
    assert err == ""


def test_what_was_measured_here_is_said_so_with_its_date(home, foundry):
    from datetime import UTC, datetime

    from blip_core.planning.rates import settings_of
    from blip_core.recipes import load_recipe
    from blip_core.wiring import workplace

    place = workplace()
    run = place.tracker().start("gallery-vqa", "a run", {})
    run.params(settings_of(load_recipe("gallery-vqa", "pocket")))
    child = run.child("scenes", {"foundry.stage": "scenes", "foundry.cached": "false"})
    child.metrics({"stage/seconds": 25.0, "stage/rows": 500})
    child.finish()
    run.finish()
    told = json.loads(foundry("plan", "gallery-vqa", "--json")[1])
    line = told["times"][0]
    assert (line["stage"], line["origin"], line["seconds"]) == ("scenes", "measured here", 25.0)
    assert line["date"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("arguments", [[], ["--rates", "elsewhere.json"]], ids=["in the home", "named"])
def test_what_was_measured_elsewhere_is_said_so_with_its_card(
    home, foundry, arguments, monkeypatch, tmp_path
):
    from blip_core.planning.rates import deciding, settings_of
    from blip_core.recipes import load_recipe
    from blip_core.wiring import workplace

    monkeypatch.chdir(tmp_path)
    on_a_gpu = ["--set", "device.kind=cuda"]
    settings = deciding("labels", settings_of(load_recipe("gallery-vqa", "pocket", on_a_gpu[1:])))
    rates = [{"stage": "labels", "rows_per_second": 4.0, "settings": settings}]
    table = {"format": 1, "device": "NVIDIA H200", "date": "2026-11-30", "rates": rates}
    file = tmp_path / "elsewhere.json" if arguments else workplace().rates
    file.write_text(json.dumps(table), encoding="utf-8")
    code, out, err = foundry("plan", "gallery-vqa", *on_a_gpu, *arguments)
    assert (code, err) == (0, "")
    assert "measured on NVIDIA H200, 2026-11-30" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rates", "/nowhere/rates.json"], "/nowhere/rates.json"),
        (["--set", "finetune.base=me/mine"], "foundry prefetch"),
        (["--set", "finetune.base=/nowhere/mine"], "/nowhere/mine"),
        (["--set", "labels.model=pocket/blip2-t5"], "labels.model"),
        (["--set", 'finetune.adapter={pattern="nothing"}'], "nothing"),
        (["--card", "abacus"], "RTX 4090"),
    ],
)
def test_a_mistake_gets_one_line(home, foundry, arguments, named):
    code, out, err = foundry("plan", "gallery-vqa", *arguments)
    assert code == 2
    assert out == ""
    assert named in err
    assert len(err.strip().splitlines()) == 1


def test_a_plan_on_gpus_is_told_and_one_of_a_cpu_is_refused(foundry):
    code, told, _ = foundry(
        "plan", "gallery-vqa", "--profile", "workstation", "--gpus", "8", "--gpu-price", "3", "--json"
    )
    scaled = json.loads(told)["scaled"]
    assert (code, scaled["gpus"], scaled["gpu_hour_price"]) == (0, 8, 3.0)
    assert {one["stage"]: one["gpus"] for one in scaled["stages"]}["finetune"] == 8
    code, told, _ = foundry("plan", "gallery-vqa", "--profile", "workstation", "--gpus", "8")
    assert "What breaks first" in told
    code, _, said = foundry("plan", "gallery-vqa", "--gpus", "8")
    assert code == 2
    assert "--gpus takes a profile for GPUs" in said

"""An InstructBLIP through a whole run, as a hub's checkpoint: locked, tuned, judged, asked, merged."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from blip_core.errors import UserMistake
from flows.cli.app import main
from flows.cli.commands.merge import merge
from flows.cli.commands.push import push
from tests.campaigns.table.signs import write_table
from tests.flows.conftest import stand_in_doubles
from tests.flows.pages import sending_logs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "whole_run"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

CHECKPOINTS = {"finetune.base": "instructblip_t5", "baseline": "instructblip_vicuna"}


@pytest.fixture(scope="module")
def settings(doubles) -> list[str]:
    """Few rows of a run whose models are two InstructBLIP of a hub."""
    others = [text for text in doubles if text.split("=")[0] not in CHECKPOINTS]
    named = [f"{field}=tests/{layout}" for field, layout in CHECKPOINTS.items()]
    return [*others, *named, "inference.circular=false", "inference.ablations=[]", "finetune.sample_rows=0"]


@pytest.fixture(scope="module")
def whole_run(tiny_blip2, settings, prefect_server, tmp_path_factory):
    """What commands said, and what a first and a second run made, with one home for all tests."""
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    for layout in CHECKPOINTS.values():
        shutil.copytree(tiny_blip2(layout), models / "tests" / layout)
    with pytest.MonkeyPatch.context() as patch, sending_logs():
        patch.setenv("FOUNDRY_HOME", str(home))
        patch.setenv("FOUNDRY_MODELS", str(models))
        stand_in_doubles(patch)
        codes = {name: command(patch, name, settings, *more) for name, *more in ASKED}
        from flows.pipeline import pipeline

        runs = [pipeline("gallery-vqa", "pocket", overrides=settings) for _ in range(2)]
        yield codes, runs


ASKED = (("prefetch", "--offline"), ("doctor",))


def command(patch: pytest.MonkeyPatch, name: str, settings: list[str], *more: str) -> int:
    told = [part for text in settings for part in ("--set", text)]
    patch.setattr(sys, "argv", ["foundry", name, "gallery-vqa", *told, *more])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_it_is_locked_and_looked_over_first(whole_run):
    assert whole_run[0] == dict.fromkeys([name for name, *_ in ASKED], 0)


def test_it_ends_in_a_page_and_a_second_run_makes_nothing(whole_run):
    first, second = whole_run[1]

    assert not any(stage["cached"] for stage in first["stages"].values())
    assert all(stage["cached"] for stage in second["stages"].values())
    assert [one["n"] for one in first["variants"].values()] == [8, 8, 8]
    assert "instructblip_t5" in Path(first["report"]).read_text(encoding="utf-8")


def test_its_adapter_answers_a_table_is_merged_and_could_be_uploaded(whole_run, settings, tmp_path, capfd):
    from flows.predict import predict

    adapter = whole_run[1][0]["adapter"]
    table = write_table(tmp_path / "signs", 4, seed=5)

    answered = predict(
        str(table),
        str(tmp_path / "answers"),
        variant="finetuned",
        columns=["id=sign_no", "image=photo_file"],
        images=str(table.parent / "photos"),
        overrides=settings,
    )
    merge(adapter["digest"], tmp_path / "merged", as_json=True)
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    with pytest.raises(UserMistake, match="nothing was uploaded: there is no terminal to ask on"):
        push(adapter["digest"], "me/instructed")

    assert answered["rows"] == 4
    assert told["rounding"] == 0
    assert (tmp_path / "merged" / "qformer_tokenizer").is_dir()

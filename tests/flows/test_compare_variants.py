"""Checkpoints, adapters by any name and a model server, judged on the same rows and told in the same way."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from blip_core.errors import RecipeError, StageFailure, TableError, UnknownArtifact
from blip_core.recipes import load_recipe
from blip_core.reporting import Summary
from blip_core.store import Store
from flows.variants.resolving import KIND
from tests.contract.conftest import serving_chat
from tests.flows.conftest import QUESTIONS, stand_in_doubles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

KEY = "k3y-that-nobody-may-see"


def says_b(body):
    """Answers B, with probabilities where it is asked for them."""
    choice = {"message": {"content": "B" if "logprobs" in body else "A thing on sand."}, "logprobs": None}
    if body.get("logprobs"):
        chances = {"B": -0.1, "A": -3.0, "C": -4.0, "D": -5.0}
        top = [{"token": letter, "logprob": chance} for letter, chance in chances.items()]
        choice["logprobs"] = {"content": [{"token": "B", "top_logprobs": top}]}
    return 200, json.dumps({"choices": [choice]})


@pytest.fixture(scope="module")
def server():
    with serving_chat() as chat:
        chat.reply = says_b
        chat.models = lambda: (200, json.dumps({"data": [{"id": "owner/vlm", "max_model_len": 2048}]}))
        yield chat


@pytest.fixture(scope="module")
def given(doubles, server):
    """Overrides with a server among the variants."""
    remote = f"name='remote', role='server', url='{server.url}', served_model='owner/vlm'"
    own = "{name='flan-t5', role='base'}, {name='finetuned', role='base', adapter=true}"
    return [*doubles, f"variants=[{own}, {{{remote}, key_variable='REMOTE_KEY'}}]"]


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory, given, prefect_server) -> Path:
    """A home with an adapter that was tuned, and so is the candidate."""
    from flows.finetune import finetune

    with pytest.MonkeyPatch.context() as patch:
        stand_in_doubles(patch)
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("FOUNDRY_HOME", str(folder))
        patch.setenv("REMOTE_KEY", KEY)
        finetune(overrides=given)
    return folder


@pytest.fixture
def compare(shared_home, given, monkeypatch):
    """Compares variants in the module's home."""
    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    monkeypatch.setenv("REMOTE_KEY", KEY)

    def run(*names, **changes):
        from flows.compare_variants import compare_variants

        return compare_variants(variants=names, **{"overrides": given, **changes})

    return run


def cached(summary) -> dict[str, bool]:
    return {name: one["cached"] for name, one in summary["stages"].items() if name.startswith("predict")}


def children(summary):
    from mlflow import MlflowClient

    client = MlflowClient(summary["mlflow"]["tracking_uri"])
    parent = client.get_run(summary["mlflow"]["run_id"])
    below = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    runs = client.search_runs([parent.info.experiment_id], below)
    return client, {run.info.run_name: run for run in runs}


def test_who_is_named_is_compared_in_that_order_and_told_alike(compare, shared_home, server):
    summary = compare("flan-t5", "candidate", "models:/gallery-vqa-adapter/1", "remote")
    names = ["flan-t5", "candidate", "gallery-vqa-adapter-1", "remote"]
    assert list(summary["variants"]) == names
    assert {one["n"] for one in summary["variants"].values()} == {QUESTIONS}
    assert {one["a"] for one in summary["comparisons"]} >= {"flan-t5"}
    assert [*summary["stages"]] == [*(f"predict {name}" for name in names), "compare"]  # no dataset is needed
    assert (summary["dataset"], summary["adapter"]) == (None, None)

    client, runs = children(summary)
    told = [runs[f"predict {name}"] for name in names]
    own = [{metric for metric in run.data.metrics if metric.startswith("eval/")} for run in told]
    gain = {"eval/gain", "eval/gain_low", "eval/gain_high", "eval/gain_p"}  # over the variant before it
    assert own[0] > {"eval/accuracy", "eval/invalid"}
    assert own[1] == own[2] == own[3] == own[0] | gain
    files = [{file.path for file in client.list_artifacts(run.info.run_id)} for run in told]
    assert files[0] == files[1] == files[2] == files[3] >= {"predictions.parquet", "predictions.json"}
    assert told[1].data.tags["foundry.registered"] == "models:/gallery-vqa-adapter/1"
    assert told[1].data.tags["foundry.adapter"] == told[2].data.tags["foundry.adapter"]
    assert len({run.data.tags["foundry.evaluation"] for run in told}) == 1
    assert told[3].data.tags["foundry.server"] == f"owner/vlm at {server.url}"
    assert "2048" in told[3].data.tags["foundry.server_facts"]

    scores = json.loads((Path(summary["report"]).parent / "scores.json").read_text())
    assert scores["variants"]["candidate"]["accuracy"] == scores["variants"][names[2]]["accuracy"]
    assert scores["variants"]["remote"]["per_letter"]["B"]["chosen"] == QUESTIONS
    assert all(headers["Authorization"] == f"Bearer {KEY}" for _, headers, _ in server.requests)
    held = [path for path in shared_home.rglob("*") if path.is_file()]
    assert not [path for path in held if KEY.encode() in path.read_bytes()]


def test_what_is_printed_leads_to_files_that_are_there(compare, given):
    from flows.cli.running import show_results

    console = Console(record=True, width=1000, file=io.StringIO())
    summary = Summary.from_dict(compare("flan-t5", "candidate"))
    show_results(console, load_recipe("gallery-vqa", "pocket", given), summary)

    paths = [word for word in console.export_text().split() if word.startswith("/")]
    assert Path(summary.report) in map(Path, paths)
    assert all(Path(path).exists() for path in paths)


def test_what_names_mean_decides_what_is_answered_anew(compare, given, shared_home):
    from flows.finetune import finetune

    names = ("flan-t5", "candidate")
    compare(*names)
    newer = finetune(overrides=[*given, "finetune.learning_rate=0.01"])["adapter"]
    moved = compare(*names)
    assert cached(moved) == {"predict flan-t5": True, "predict candidate": False}

    # Where the store has lost the adapter, the registry's files stand in: the same, under the same keys.
    store = Store(shared_home / "store")
    shutil.rmtree(Path(newer["path"]).parent)
    assert all(cached(compare(*names)).values())
    (fetched,) = store.artifacts(KIND)
    assert fetched.metadata["registered_digest"] == newer["digest"]
    for artifact in store.artifacts():
        if artifact.kind.startswith("predictions") and artifact.metadata.get("variant") != "flan-t5":
            shutil.rmtree(artifact.path)
    again = compare(*names)
    assert not cached(again)["predict candidate"]
    assert again["variants"] == moved["variants"]


def test_the_champion_is_whom_a_tuned_adapter_has_to_beat(compare):
    from mlflow import MlflowClient

    uri = compare("flan-t5", "candidate")["mlflow"]["tracking_uri"]
    client = MlflowClient(uri, registry_uri=uri)
    with pytest.raises(UnknownArtifact, match=r"alias 'champion' \(there is candidate\)"):
        compare("flan-t5", "champion")
    client.set_registered_model_alias("gallery-vqa-adapter", "champion", "1")
    try:
        summary = compare("champion", "finetuned")
    finally:
        client.delete_registered_model_alias("gallery-vqa-adapter", "champion")
    assert not summary["champion"]["won"]
    assert summary["champion"]["reasons"][0].startswith("finetuned against champion: 8 rows were judged")
    _, runs = children(summary)
    parent = client.get_run(summary["mlflow"]["run_id"])
    assert parent.data.tags["foundry.champion"] == "not won"
    assert "finetuned against champion" in parent.data.tags["foundry.champion_reasons"]
    assert runs["predict champion"].data.tags["foundry.registered"] == "models:/gallery-vqa-adapter/1"


@pytest.mark.parametrize(
    ("names", "changes", "error", "words"),
    [
        (("flan-t5",), {}, RecipeError, "takes two"),
        (("flan-t5", "flan-t5"), {}, RecipeError, "flan-t5 more than once"),
        (("flan-t5", "nobody"), {}, RecipeError, "no variant 'nobody'.*champion or candidate"),
        (("flan-t5", "models:/x"), {}, RecipeError, "models:/NAME@ALIAS"),
        (("flan-t5", "models:/x@champion"), {}, UnknownArtifact, "no adapter x"),
        (("flan-t5", "remote"), {"adapter": "abcd"}, RecipeError, "--variant abcd"),
    ],
)
def test_a_mistake_is_told_before_any_work(compare, names, changes, error, words, shared_home):
    before = set((shared_home / "journal").iterdir())
    with pytest.raises(error, match=words):
        compare(*names, **changes)
    assert set((shared_home / "journal").iterdir()) == before


def test_a_server_without_its_key_or_away_is_told_before_any_work(compare, given, server, monkeypatch):
    monkeypatch.delenv("REMOTE_KEY")
    with pytest.raises(RecipeError, match="key_variable is REMOTE_KEY"):
        compare("flan-t5", "remote")
    monkeypatch.setenv("REMOTE_KEY", KEY)
    monkeypatch.setattr("blip_core.backends.chat.trying.LONGEST_PAUSE_S", 0.0)
    away = [text.replace(server.url, "http://127.0.0.1:9/v1") for text in given]
    with pytest.raises(StageFailure, match=r"http://127\.0\.0\.1:9/v1 could not be reached"):
        compare("flan-t5", "remote", overrides=away)


def test_answers_to_other_rows_are_not_compared(compare, monkeypatch):
    identities = iter(f"set-{number // 3}" for number in range(100))  # asked for thrice a variant
    monkeypatch.setattr("tasks.predict_variant.evaluation_identity", lambda *_: next(identities))
    with pytest.raises(TableError, match="cannot be compared"):
        compare("flan-t5", "remote")

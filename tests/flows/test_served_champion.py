"""A registered champion answers as it does here: behind `foundry serve`, and loaded or served by MLflow."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from blip_core.inference import predict
from blip_core.modeling import attach_adapter, load_adapter, load_blip2, save_adapter
from blip_core.recipes import load_recipe
from blip_core.tracking import MlflowTracker
from blip_core.wiring import evaluation_examples, inference_settings, locate_checkpoint, workplace
from tests.commands import foundry

pytestmark = pytest.mark.slow

ROWS = 60
NAME = "gallery-vqa-adapter"
LOAD = """
import json, sys
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
table = pandas.read_json(sys.argv[2], orient="split", dtype=False)
assert model.metadata.get_input_schema().input_names()[:2] == ["image", "question"]
assert len(model.predict(model.input_example)) == 1
print("ANSWERS", json.dumps(model.predict(table)["answer"].tolist()))
"""


@pytest.fixture(scope="module")
def recipe():
    return load_recipe("gallery-vqa", "pocket", ["inference.circular=false", "inference.ablations=[]"])


@pytest.fixture(scope="module")
def rows(recipe):
    return evaluation_examples(recipe, None)[:ROWS]


@pytest.fixture(scope="module")
def home(tmp_path_factory, recipe) -> Path:
    """A home whose registry has a champion: an adapter of random weights, which answers unlike its base."""
    import torch

    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOUNDRY_HOME", str(folder))
        base = load_blip2(locate_checkpoint(recipe.finetune.base), recipe.inference.quantisation, "cpu")
        with torch.random.fork_rng():
            torch.manual_seed(3)
            tuned = attach_adapter(base, recipe.finetune.adapter, 3)
            for name, weights in tuned.model.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(weights, std=0.02)
        adapter = save_adapter(tuned, folder / "tuned", recipe.finetune.base)
        tracker: MlflowTracker = workplace().tracker()
        run = tracker.start("gallery-vqa", "tuned", {})
        served = {"recipe": recipe.to_toml(), "phase": ""}
        assert run.adapter(adapter, NAME, {}, digest="tuned", champion=True, served=served) == "1"
        run.finish()
    return folder


@pytest.fixture(scope="module")
def local(home, recipe, rows):
    """Letters of the same adapter, loaded here."""
    base = load_blip2(locate_checkpoint(recipe.finetune.base), recipe.inference.quantisation, "cpu")
    bundle = load_adapter(base, home / "tuned")
    return [row.ranked for row in predict(bundle, rows, inference_settings(recipe), "local")]


@pytest.fixture(scope="module")
def environment(home) -> dict[str, str]:
    programs = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by name
    )
    return {**os.environ, "FOUNDRY_HOME": str(home), "PYTHONUNBUFFERED": "1", "PATH": programs}


@contextmanager
def running(
    command: list[str], environment: dict[str, str], says: str
) -> Iterator[tuple[subprocess.Popen, str]]:
    """A process that has said something, and what it said; killed in the end if it still runs."""
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    reader = threading.Thread(target=process.stderr.read)
    try:
        found = None
        while found is None:
            line = process.stderr.readline()
            assert line, process.wait()
            found = re.search(says, line)
        reader.start()
        yield process, found[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if reader.is_alive():
            reader.join()
        process.stderr.close()


@pytest.fixture(scope="module")
def server(environment):
    command = [sys.executable, "-m", "flows.cli.app", "serve", "--port", "0"]
    with running(command, environment, r"Serving champion at (http://\S+)/v1") as started:
        yield started


def test_as_a_variant_behind_a_server_it_gives_the_letters_that_it_gives_here(server, recipe, rows, local):
    from blip_core.recipes import ServerVariant
    from blip_core.wiring import asking, connect_served, server_facts

    _, address = server
    variant = ServerVariant(name="served", role="server", url=f"{address}/v1", served_model="champion")
    assert "digest" in server_facts(variant)
    answers = connect_served(recipe, variant).answer(rows, asking(recipe, variant), "served")
    assert [row.ranked for row in answers.predictions] == local
    assert len(set(local)) > 1


def question(row) -> str:
    return (
        row.question
        + "\n"
        + "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", row.options, strict=True))
    )


def message(row) -> dict:
    picture = f"data:image/jpeg;base64,{base64.b64encode(row.image).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": question(row)}]
    return {"model": "champion", "messages": [{"role": "user", "content": parts}]}


def test_told_to_end_it_finishes_what_is_under_way(server, rows, local):
    process, address = server
    told: list[httpx.Response] = []
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        asking = [
            threading.Thread(
                target=lambda row=row: told.append(client.post("/v1/chat/completions", json=message(row)))
            )
            for row in rows[:16]
        ]
        for thread in asking:
            thread.start()
        while not told:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for thread in asking:
            thread.join()
    assert process.wait(60) == 0
    assert [one.status_code for one in told] == [200] * 16
    assert {one.json()["choices"][0]["message"]["content"] for one in told} == set(local[:16])


def table(rows) -> dict:
    columns = ["image", "question", "a", "b", "c", "d"]
    data = [[base64.b64encode(row.image).decode(), row.question, *row.options] for row in rows]
    return {"columns": columns, "data": data}


def test_mlflow_loads_it_in_another_process(home, environment, rows, local, tmp_path):
    (tmp_path / "table.json").write_text(json.dumps(table(rows)))
    uri = f"sqlite:///{home}/mlflow/mlflow.db"
    command = [sys.executable, "-c", LOAD, f"models:/{NAME}@champion", str(tmp_path / "table.json")]
    done = subprocess.run(
        command, env={**environment, "MLFLOW_TRACKING_URI": uri}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = next(line for line in done.stdout.splitlines() if line.startswith("ANSWERS "))
    assert json.loads(said.removeprefix("ANSWERS ")) == local


def test_mlflow_serves_it(home, environment, rows, local):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{NAME}@champion"]
    command += ["--env-manager", "local", "-p", str(port), "-h", "127.0.0.1", "-w", "1"]
    uri = f"sqlite:///{home}/mlflow/mlflow.db"
    started = running(
        command,
        {**environment, "MLFLOW_TRACKING_URI": uri},
        r"(Uvicorn running|Application startup complete)",
    )
    with started, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client:
        told = client.post("/invocations", json={"dataframe_split": table(rows)})
        assert told.status_code == 200, told.text[:500]
        assert [row["answer"] for row in told.json()["predictions"]] == local
        cut = table(rows[:2])
        cut["data"][1][0] = cut["data"][1][0][:-3]
        refused = client.post("/invocations", json={"dataframe_split": cut})
        assert refused.status_code == 400
        sentence = "row 2: the picture's Base64 is damaged or cut short: send it whole"
        assert refused.json()["message"].endswith(f"Error: {sentence}")
        free_text = {"columns": ["image", "question"], "data": [[table(rows)["data"][0][0], "What is it?"]]}
        written = client.post("/invocations", json={"dataframe_split": free_text}).json()["predictions"]
        assert written[0]["answer"]


def test_other_machines_are_not_let_in_without_a_key(home, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(home))
    monkeypatch.delenv("FOUNDRY_SERVE_KEY", raising=False)
    done = foundry("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert (done.code, "FOUNDRY_SERVE_KEY" in done.err) == (2, True)


def test_a_port_that_is_taken_and_a_variant_that_is_none_are_told(home, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(home))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = foundry("serve", "--port", str(taken.getsockname()[1]))
    assert (done.code, "cannot be used" in done.err) == (2, True)
    done = foundry("serve", "--variant", "nobody", "--port", "0")
    assert (done.code, "there is no variant 'nobody'" in done.err) == (2, True)


def test_answers_that_are_read_out_are_not_served_and_it_is_said_why(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    done = foundry("serve", "--recipe", "fashion-vqa", "--variant", "read-out", "--port", "0")
    assert done.code == 2
    assert "answers are read out of descriptions" in done.err
    assert "foundry predict --variant read-out" in done.err

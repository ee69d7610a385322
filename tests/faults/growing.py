"""Growth in processes of their own that race or are killed: work of the forge, and what its tests share."""

import importlib
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from blip_core.dataset.growth import Target
from blip_core.errors import StoreError
from blip_core.recipes import Recipe, load_recipe
from blip_core.store import ArtifactRef, Store
from blip_core.wiring import executors
from flows.growing.growing import grow
from tests.faults.forge import Forge
from tests.flows.growing.small import DOUBLED, doubled, make, small_overrides

WORK = "tests.faults.growing:work"
PATIENCE_SECONDS = 120.0  # a bound for a crowded machine, not a measurement
_POLL_SECONDS = 0.01
_FIRST_KILL_SECONDS, _LATEST_KILL_SECONDS = 0.3, 4.0


def work(home: str, overrides: list[str], out: str, rows: int, rival: str = "") -> None:
    """Grow the tests' dataset to so many rows and write down what came of it.

    Args:
        home: the workplace.
        overrides: of the recipe, see `job_of`.
        out: file that is written.
        rows: see `Target`.
        rival: file of the other process of a race: whoever makes rows waits until that one has ended.
    """
    os.environ["FOUNDRY_HOME"] = home
    for name, value in {**doubled(), **DOUBLED}.items():
        module, attribute = name.rsplit(".", 1)
        setattr(importlib.import_module(module), attribute, value)
    executors.usable_cores = lambda: 1  # workers in other processes would know no doubles

    def making(recipe: Recipe) -> ArtifactRef:
        _wait_for(rival)
        return make(recipe)

    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    try:
        version = grow(recipe, Target(rows=rows), making).version
        told = {"digest": version.digest, "parent": version.parent, "rows": version.rows}
    except StoreError as error:
        told = {"error": str(error)}
    unfinished = Path(f"{out}.part")
    unfinished.write_text(json.dumps(told))
    unfinished.rename(out)


def job_of(home: Path, rows: int) -> dict[str, Any]:
    """What every process is told; its models are written once, before any looks at them."""
    folder = home.parent / "models"
    overrides = home.parent / "overrides.json"
    if not folder.exists():
        folder.mkdir()
        overrides.write_text(json.dumps(small_overrides(folder)))
    return {"home": str(home), "rows": rows, "overrides": json.loads(overrides.read_text())}


def race(forge: Forge, home: Path, rows: int) -> dict[str, str | int]:
    """Let two processes grow the same line; gives what the winner made.

    One wins, the other is told so in one sentence, and nothing that lies in the store is damaged.
    """
    outs = [home.parent / f"race-{rows}-{number}.json" for number in (0, 1)]
    job = job_of(home, rows)
    pairs = zip(outs, reversed(outs), strict=True)
    processes = [forge.start(WORK, **job, out=str(out), rival=str(rival)) for out, rival in pairs]
    assert [forge.wait(process) for process in processes] == [0, 0], forge.log.read_text()
    told = [json.loads(out.read_text()) for out in outs]
    (winner,) = [one for one in told if "digest" in one]
    (loser,) = [one for one in told if "error" in one]
    assert "is being extended by another run" in loser["error"]
    assert "\n" not in loser["error"]
    assert_whole(home)
    return winner


def grow_killed(forge: Forge, home: Path, rows: int, kills: int, draw: random.Random) -> dict[str, str | int]:
    """Kill a growth so many times at random moments, each time further on; gives what the last run made."""
    out, job = home.parent / "killed.json", job_of(home, rows)
    seconds, killed = _FIRST_KILL_SECONDS, 0  # at first; a kill that comes early makes the next one later
    while killed < kills:
        process = forge.start(WORK, **job, out=str(out))
        time.sleep(draw.uniform(0, seconds))
        os.kill(process, signal.SIGKILL)
        code = forge.wait(process)
        assert code in (0, -signal.SIGKILL), forge.log.read_text()
        killed, seconds = killed + (code < 0), min(seconds * 1.2, _LATEST_KILL_SECONDS)
        if code == 0:  # it was quicker than the kill: it goes on to grow
            job["rows"], seconds = job["rows"] + rows, _FIRST_KILL_SECONDS
    assert forge.run(WORK, **job, out=str(out)) == 0, forge.log.read_text()
    assert_whole(home)
    told: dict[str, str | int] = json.loads(out.read_text())
    return told


def grow_alone(forge: Forge, home: Path, rows: int) -> dict[str, str | int]:
    """What an undisturbed process makes."""
    home.mkdir(parents=True, exist_ok=True)
    out = home.parent / f"alone-{rows}.json"
    assert forge.run(WORK, **job_of(home, rows), out=str(out)) == 0, forge.log.read_text()
    told: dict[str, str | int] = json.loads(out.read_text())
    return told


def assert_whole(home: Path) -> None:
    """Every artefact is what its manifest says, nothing lies about, and the line goes on from its parents."""
    store = Store(home / "store")
    assert all(store.find(artifact.key) == artifact for artifact in store.artifacts())
    assert not (store.root / "quarantine").exists()
    versions = _line(home)
    assert [one["parent"] for one in versions] == ["", *(one["digest"] for one in versions)][: len(versions)]
    assert all(store.find(one["key"]) for one in versions)


def _line(home: Path) -> list[dict[str, str]]:
    paths = list((home / "store" / "lines").glob("*.json"))
    assert len(paths) <= 1
    return [one for path in paths for one in json.loads(path.read_text())["versions"]]


def _wait_for(rival: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while rival and not Path(rival).exists():
        assert time.monotonic() < deadline, f"{rival} does not come"
        time.sleep(_POLL_SECONDS)

"""A whole command on a machine that is not ours: dead proxies, a user without entry, an odd home."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.unit.examples import png, world_pixels

pytestmark = pytest.mark.slow

ODD_HOME = "what? 100%25 #1 & [v2];x=1 홈"
NO_ENTRY = 4_000_001  # a user id that no passwd file has
# Alembic asks access(2), which heeds no capability of a stranger: others must be let into the checkout.
LETS_OTHERS_IN = all(folder.stat().st_mode & stat.S_IXOTH for folder in Path(__file__).parents)
BECOMES_NOBODY = os.getuid() == 0 and shutil.which("setpriv") is not None and LETS_OTHERS_IN  # only root may
STRANGER = NO_ENTRY if BECOMES_NOBODY else os.getuid()
# The interpreter may lie where only its owner reads: this user may read all, and write what is its own.
AS_NOBODY = (
    *("setpriv", f"--reuid={NO_ENTRY}", f"--regid={NO_ENTRY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
AS_STRANGER = AS_NOBODY if BECOMES_NOBODY else ()
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


class DeadProxy:
    """Takes connections, counts them, and closes them."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.asked += 1
            connection.close()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def proxy():
    dead = DeadProxy()
    yield dead
    dead.close()


@pytest.fixture
def place():
    """A folder that any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def table(place):
    for number in range(2):
        (place / f"{number}.png").write_bytes(png(world_pixels(number)))
    rows = "".join(f"{number}.png,What is shown?,dog,boat,tree,cup,A\n" for number in range(2))
    (place / "t.csv").write_text(f"image,question,a,b,c,d,answer\n{rows}")
    return place / "t.csv"


def predict(table, home, before=(), **environment):
    """Answer the table in a process of its own; gives what it printed, read as JSON."""
    foundry = [*before, sys.executable, "-m", "flows.cli.app", "predict", str(table), "--json"]
    done = subprocess.run(
        [*foundry, "--variant", "flan-t5", "--out", str(home.parent / "answers")],
        env=environment | {"FOUNDRY_HOME": str(home), "PATH": os.environ["PATH"]},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def dead_proxies(proxy):
    named = dict.fromkeys(PROXIES, f"http://127.0.0.1:{proxy.port}")
    named |= {"ALL_PROXY": f"socks://127.0.0.1:{proxy.port}/", "NO_PROXY": "intranet.example,[::1]"}
    return named


def test_a_stranger_answers_past_dead_proxies_into_a_home_of_any_name(table, place, proxy, dead_proxies):
    mine = place / "mine"
    mine.mkdir()
    os.chown(mine, STRANGER, -1)
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = predict(table, mine / ODD_HOME / "home", AS_STRANGER, **ascii_locale, **dead_proxies)
    assert told["mlflow"]["run_id"]
    assert proxy.asked == 0
    assert {path.name for path in mine.iterdir()} == {ODD_HOME}
    assert {path.name for path in (mine / ODD_HOME).iterdir()} == {"answers", "home"}
    for database in ("mlflow/mlflow.db", "prefect/prefect.db"):
        assert (mine / ODD_HOME / "home" / database).stat().st_uid == STRANGER

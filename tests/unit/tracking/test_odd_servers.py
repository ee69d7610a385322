"""Servers that are no MLflow, or do not want us: the run goes on, and its journal keeps everything."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from blip_core.errors import TrackingError
from blip_core.tracking import MlflowTracker, quiet_environment
from blip_core.tracking.deleted import deleted_experiments

PAGE = b"<!DOCTYPE html><title>Sign in</title>"
ANSWERS = {
    "forbidden": (403, "application/json", b'{"error_code": "PERMISSION_DENIED", "message": "not you"}'),
    "sign-in page": (200, "text/html", PAGE),
    "broken": (500, "text/plain", b"Internal Server Error"),
    "not found": (404, "text/html", PAGE),
    "nothing": (204, "text/plain", b""),
    "list": (200, "application/json", b"[1, 2]"),
    "another object": (200, "application/json", b'{"hello": "world"}'),
    "proxy": (502, "text/html", PAGE),
    "moved": (302, "text/html", b""),
}


@pytest.fixture(params=ANSWERS)
def server(request):
    status, kind, body = ANSWERS[request.param]

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/login")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815 - names of the library

        def log_message(self, *_):
            return

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, value in {**quiet_environment(), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)


def test_a_run_goes_on_and_its_journal_waits(server, tmp_path, caplog):
    run = MlflowTracker(server, tmp_path).start("gallery", "a run", {})
    run.metrics({"train/loss": 1.0})
    run.finish()
    assert run.mlflow_id == ""
    assert caplog.text.count("its journal keeps what MLflow misses") == 1
    assert MlflowTracker(server, tmp_path).catch_up().left == 3


@pytest.mark.parametrize("server", sorted(set(ANSWERS) - {"another object"}), indirect=True)
def test_looking_for_deleted_experiments_there_is_one_sentence(server):
    with pytest.raises(TrackingError, match="cannot be asked"):
        deleted_experiments(server)

"""Lets pip-audit judge the pins by the list that lies here, served to it on loopback as OSV's service is."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.audit.advisories import CONSTRAINTS, LIST, affecting

HOST = "127.0.0.1"
# Read, and no fault of ours to mend: each with its reason.
ACCEPTED: dict[str, str] = {}


class Service(BaseHTTPRequestHandler):
    """Answers for one package and version, as https://google.github.io/osv.dev/post-v1-query has it."""

    listed: dict[str, list[Any]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = affecting(self.listed, asked["package"]["name"], asked["version"])
        body = json.dumps({"vulns": found} if found else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def audit(requirements: Path, arguments: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """What pip-audit says of pinned requirements; its exit code is 1 where a weakness is known."""
    Service.listed = json.loads(LIST.read_text(encoding="utf-8"))["advisories"]
    server = ThreadingHTTPServer((HOST, 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    accepted = [word for one in ACCEPTED for word in ("--ignore-vuln", one)]
    with tempfile.TemporaryDirectory() as cache:
        pip_audit = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps"]
        service = [
            "--vulnerability-service",
            "osv",
            "--osv-url",
            f"http://{HOST}:{server.server_port}/v1/query",
        ]
        rest = ["--disable-pip", "--progress-spinner", "off", "--cache-dir", cache, *accepted, *arguments]
        done = subprocess.run([*pip_audit, *service, *rest], capture_output=True, text=True, check=False)
    server.shutdown()
    server.server_close()
    return done


def main() -> None:
    date = json.loads(LIST.read_text(encoding="utf-8"))["date"]
    sys.stdout.write(f"Pins against the advisory list of {date}; `make audit-online` asks today's.\n")
    sys.stdout.flush()
    done = audit(CONSTRAINTS, sys.argv[1:])
    sys.stdout.write(
        done.stdout + "".join(line for line in done.stderr.splitlines(True) if "WARNING" not in line)
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()

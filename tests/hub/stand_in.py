"""A stand-in for the hub's HTTP interface on loopback: what its library asks for, and faults on demand."""

import hashlib
import json
import re
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".gguf", ".ckpt", ".h5")  # what the hub keeps outside git

_INFO = re.compile(r"/api/(models|datasets)/(?P<name>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
_FILE = re.compile(r"(/datasets)?/(?P<name>[^/]+/[^/]+)/resolve/(?P<commit>[^/]+)/(?P<file>.+)")
_PREUPLOAD = re.compile(r"/api/(models|datasets)/(?P<name>[^/]+/[^/]+)/preupload/main")
_COMMIT = re.compile(r"/api/(models|datasets)/(?P<name>[^/]+/[^/]+)/commit/main")
_CDN = re.compile(r"/cdn/(?P<sha256>[0-9a-f]{64})")
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class Repository:
    """A repository at one commit."""

    files: dict[str, bytes]
    gated: bool = False
    tags: tuple[str, ...] = ("main",)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        listed = "".join(
            f"{name}{hashlib.sha256(data).hexdigest()}" for name, data in sorted(self.files.items())
        )
        return hashlib.sha1(listed.encode(), usedforsecurity=False).hexdigest()


@dataclass
class StandIn:
    """The hub as a test sees it.

    Attributes:
        repositories: by `owner/name`.
        cuts: by file, after how many bytes the next answers break off.
        forged: files of which other bytes are sent than promised, as long as the true ones.
        slow: files that are held back until they leave this set.
        down: answer everything with 503.
        login: who may write shows this token.
        sent: files that were uploaded, by `owner/name`.
        private: repositories that were made private.
        datasets: repositories that were made for datasets.
        refuses_card: what the card is found wrong for; empty, it is fine.
        asked: the paths that were asked for, a range behind each that had one.
        tokens: by path, what was shown as a login.
        store: address of another host that large files come from; empty, this one.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    forged: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    down: bool = False
    asked: list[str] = field(default_factory=list)
    login: str = "hf_stand_in"
    sent: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    datasets: set[str] = field(default_factory=set)
    refuses_card: str = ""
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    store: str = ""

    def add(self, name: str, folder: Path, **extra: bytes) -> Repository:
        """Serve a folder, with some more files, as a repository."""
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        self.repositories[name] = Repository(files | extra)
        return self.repositories[name]

    def fetched(self) -> list[str]:
        """Names of the files that were asked for, in order."""
        found = [_FILE.fullmatch(path.partition(" ")[0]) for path in self.asked]
        return [match["file"] for match in found if match]


@contextmanager
def serving() -> Iterator[StandIn]:
    """Serve on a free port of loopback until the context is left."""
    hub = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_POST(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if hub.down:
                self.send(503, b"", True)
            elif self.headers.get("Authorization") != f"Bearer {hub.login}":
                self.refuse(401, "")
            elif path == "/api/validate-yaml" and hub.refuses_card:
                content = {"errors": [{"message": hub.refuses_card}]}
                self.send(400, json.dumps(content).encode(), True, {"Content-Type": "application/json"})
            else:
                answer = self.written(path, [json.loads(line) for line in body.splitlines()])
                self.send(200, json.dumps(answer).encode(), True, {"Content-Type": "application/json"})

        def written(self, path: str, said: list[dict[str, Any]]) -> dict[str, Any]:
            """Answer one step of an upload; every file comes inside its commit."""
            if path == "/api/repos/create":
                name = f"{said[0]['organization']}/{said[0]['name']}"
                hub.sent.setdefault(name, {})
                hub.datasets |= {name} if said[0].get("type") == "dataset" else set()
                hub.private |= {name} if said[0].get("visibility") == "private" else set()
                return {"url": f"{hub.url}/{name}"}
            if _PREUPLOAD.fullmatch(path):
                modes = {"uploadMode": "regular", "shouldIgnore": False}
                return {"files": [{"path": one["path"], **modes} for one in said[0]["files"]]}
            if commit := _COMMIT.fullmatch(path):
                files = [line["value"] for line in said if line["key"] == "file"]
                hub.sent[commit["name"]] |= {one["path"]: b64decode(one["content"]) for one in files}
                return {"commitUrl": f"{hub.url}/{commit['name']}/commit/1", "commitOid": "1"}
            return {}  # the card's metadata are fine

        def log_message(self, *_: object) -> None:
            """Tests read `asked`."""

        def answer(self, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            asked_range = self.headers.get("Range", "")
            hub.asked.append(f"{path} {asked_range}".strip())
            hub.tokens[path] = self.headers.get("Authorization", "")
            if hub.down:
                self.send(503, b"", with_body)
            elif found := _INFO.fullmatch(path):
                self.info(found["name"], found["revision"])
            elif found := _FILE.fullmatch(path):
                self.file(found["name"], found["commit"], found["file"], with_body)
            elif found := _CDN.fullmatch(path):
                self.large(found["sha256"], with_body)
            else:
                self.refuse(404, "EntryNotFound")

        def info(self, name: str, revision: str | None) -> None:
            repository = hub.repositories.get(name)
            if repository is None:
                self.refuse(401, "RepoNotFound")
            elif revision not in (None, repository.commit, *repository.tags):
                self.refuse(404, "RevisionNotFound")
            else:
                siblings = [_sibling(path, data) for path, data in repository.files.items()]
                content = {"id": name, "sha": repository.commit, "siblings": siblings, **repository.told}
                self.send(200, json.dumps(content).encode(), True, {"Content-Type": "application/json"})

        def file(self, name: str, commit: str, file: str, with_body: bool) -> None:
            repository = hub.repositories[name]
            if repository.gated:
                self.refuse(403, "GatedRepo")
            elif commit != repository.commit:
                self.refuse(404, "RevisionNotFound")
            elif file not in repository.files:
                self.refuse(404, "EntryNotFound")
            elif file.endswith(LARGE):
                sha256 = hashlib.sha256(repository.files[file]).hexdigest()
                self.send(
                    302,
                    b"",
                    with_body,
                    {"Location": f"{hub.store or hub.url}/cdn/{sha256}", "X-Linked-Etag": sha256},
                )
            else:
                self.body(file, repository.files[file], with_body)

        def large(self, sha256: str, with_body: bool) -> None:
            for repository in hub.repositories.values():
                for name, data in repository.files.items():
                    if hashlib.sha256(data).hexdigest() == sha256:
                        return self.body(name, data, with_body)
            return self.refuse(404, "EntryNotFound")

        def body(self, name: str, data: bytes, with_body: bool) -> None:
            data = bytes(len(data)) if name in hub.forged else data
            asked = _RANGE.match(self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if asked else {}
            while name in hub.slow:
                time.sleep(0.05)
            cut = hub.cuts[name].pop(0) if hub.cuts[name] else None
            self.send(206 if asked else 200, data[start:], with_body, headers, cut)

        def refuse(self, status: int, code: str) -> None:
            self.send(status, b"", True, {"X-Error-Code": code})

        def send(
            self,
            status: int,
            data: bytes,
            with_body: bool,
            headers: dict[str, str] | None = None,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for header, value in (headers or {}).items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if with_body:
                self.wfile.write(data[:cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sibling(path: str, data: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    listed: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": blob}
    if path.endswith(LARGE):
        listed["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return listed

"""A hub on this machine, which serves one repository from a folder, takes what is published, and remembers what it was
asked for."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

REPOSITORY = "someone/something"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Published:
    """A repository that somebody made here."""

    def __init__(self, *, private: bool) -> None:
        self.private = private
        self.files: dict[str, bytes] = {}
        self.commits: list[str] = []  # their titles


class Hub:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refusal: str | None = None  # an error code of the hub, for everything
        self.downloads: set[str] = set()
        self.published: dict[str, Published] = {}
        self.token = "hf_right"  # that may write
        self.fails: str | None = None  # what is answered by an error: part of an address, as "/commit/"
        self.large: dict[str, bytes] = {}  # what was uploaded beside a commit, by its hash
        self.address = ""

    def files(self) -> list[str]:
        return [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()]


@contextmanager
def serving(folder: Path) -> Iterator[Hub]:
    hub = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_PUT(self) -> None:
            hub.large[self.path.rpartition("/")[2]] = self.content()
            self.send(b"{}", status=500 if hub.fails and hub.fails in self.path else 200)

        def do_POST(self) -> None:
            path, content = unquote(urlsplit(self.path).path), self.content()
            if self.headers["Authorization"] != f"Bearer {hub.token}":
                self.send(b'{"error": "Invalid credentials"}', status=401)
            elif hub.fails and hub.fails in path:
                self.send(b'{"error": "out of order"}', status=500)
            elif path == "/api/repos/create":
                asked = json.loads(content)
                name = f"{asked['organization']}/{asked['name']}"
                hub.published[name] = Published(private=asked["visibility"] == "private")
                self.send(json.dumps({"url": f"{hub.address}/{name}"}).encode())
            elif path == "/api/validate-yaml":
                self.send(json.dumps({"errors": [], "warnings": []}).encode())
            elif "/preupload/" in path:
                self.send(json.dumps({"files": list(map(self.mode, json.loads(content)["files"]))}).encode())
            elif path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {**part, "actions": {"upload": {"href": f"{hub.address}/large/{part['oid']}"}}}
                    for part in json.loads(content)["objects"]
                ]
                self.send(json.dumps({"transfer": "basic", "objects": objects}).encode())
            elif "/commit/" in path:
                name = path.removeprefix("/api/models/").partition("/commit/")[0]
                self.commit(hub.published[name], [json.loads(line) for line in content.splitlines()])
                answer = {"commitUrl": f"{hub.address}/{name}/commit/{COMMIT}", "commitOid": COMMIT}
                self.send(json.dumps(answer).encode())
            else:
                self.send(b"{}", status=404)

        def mode(self, file: dict[str, str | int]) -> dict[str, str | bool]:
            """Weights go beside a commit, as on the hub; the rest goes in it."""
            kind = "lfs" if str(file["path"]).endswith(".safetensors") else "regular"
            return {"path": str(file["path"]), "uploadMode": kind, "shouldIgnore": False}

        def commit(self, repository: Published, parts: list[dict[str, dict[str, str]]]) -> None:
            for part in parts:
                value = part["value"]
                if part["key"] == "header":
                    repository.commits.append(value["summary"])
                elif part["key"] == "file":
                    repository.files[value["path"]] = base64.b64decode(value["content"])
                else:
                    repository.files[value["path"]] = hub.large[value["oid"]]

        def content(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"] or 0))

        def answer(self, *, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            if hub.refusal:
                status = 403 if hub.refusal == "GatedRepo" else 404
                self.send(b"{}", status=status, headers={"X-Error-Code": hub.refusal})
            elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
                self.send(json.dumps([self.entry(name) for name in hub.files()]).encode())
            elif path.startswith(f"/api/models/{REPOSITORY}"):
                siblings = [{"rfilename": name} for name in hub.files()]
                self.send(json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).encode())
            elif (name := path.removeprefix("/api/models/")) in hub.published:
                found = hub.published[name]
                self.send(json.dumps({"id": name, "sha": COMMIT, "private": found.private, "siblings": []}).encode())
            elif path.startswith("/api/models/"):
                self.send(b"{}", status=404, headers={"X-Error-Code": "RepoNotFound"})
            elif path.startswith(f"/{REPOSITORY}/resolve/"):
                name = path.removeprefix(f"/{REPOSITORY}/resolve/").partition("/")[2]
                if with_body:
                    hub.downloads.add(name)
                content = (hub.folder / name).read_bytes()
                headers = {"ETag": f'"{self.digest(name)}"', "X-Repo-Commit": COMMIT}
                self.send(content, headers=headers, with_body=with_body)
            else:
                self.send(b"{}", status=404)

        def entry(self, name: str) -> dict[str, str | int]:
            size = (hub.folder / name).stat().st_size
            return {"type": "file", "path": name, "size": size, "oid": self.digest(name)}

        def digest(self, name: str) -> str:
            return hashlib.sha1((hub.folder / name).read_bytes()).hexdigest()

        def send(
            self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, with_body: bool = True
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler

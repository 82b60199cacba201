"""A hub on this machine, which serves one repository from a folder and remembers what it was asked for."""

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


class Hub:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refusal: str | None = None  # an error code of the hub, for everything
        self.downloads: set[str] = set()
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

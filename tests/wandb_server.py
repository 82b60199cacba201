"""A W&B server as small as its client allows: what it was sent, and nothing of a page."""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class StoredRun:
    fields: dict[str, Any] = field(default_factory=dict)  # what UpsertBucket gave: displayName, groupName, ...
    lines: dict[str, list[str]] = field(default_factory=dict)  # by file of the stream
    exit_code: int | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.get("wandb-history.jsonl", [])]

    @property
    def summary(self) -> dict[str, Any]:
        last = self.lines.get("wandb-summary.json", [])
        return json.loads(last[-1]) if last else {}

    @property
    def config(self) -> dict[str, Any]:
        return json.loads(self.fields.get("config") or "{}")


class WandbServer:
    """Runs by id, the artifacts' types by name, and what was asked that it does not know."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runs: dict[str, StoredRun] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, bytes] = {}
        self.unknown: list[str] = []
        self.answers = threading.Event()  # cleared: it accepts and says nothing
        self.answers.set()

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        known = getattr(self, f"_{operation}", None)
        if known is None:
            self.unknown.append(operation)
            return {}
        return known(given)

    def stream(self, run: str, sent: dict[str, Any]) -> None:
        stored = self.runs[run]
        for name, chunk in sent.get("files", {}).items():
            lines = stored.lines.setdefault(name, [])
            if name.endswith(".json"):
                lines[:] = chunk["content"]
            else:
                lines[chunk["offset"] :] = chunk["content"]
        if sent.get("complete"):
            stored.exit_code = sent["exitcode"]

    def _RunResumeStatus(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stored = self.runs.get(given["name"])
        model = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "someone"}, "bucket": None}
        if stored:
            lines = stored.lines.get("wandb-history.jsonl", [])
            events = stored.lines.get("wandb-events.jsonl", [])
            model["bucket"] = {
                "id": f"bucket-{given['name']}",
                "name": given["name"],
                "displayName": stored.fields.get("displayName"),
                "summaryMetrics": json.dumps(stored.summary),
                "logLineCount": 0,
                "historyLineCount": len(lines),
                "eventsLineCount": len(events),
                "historyTail": json.dumps(lines[-1:]),
                "eventsTail": json.dumps(events[-1:]),
                "config": stored.fields.get("config"),
                "tags": stored.fields.get("tags", []),
                "notes": None,
                "wandbConfig": json.dumps({"t": {}}),
            }
        return {"model": model}

    def _UpsertBucket(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stored = self.runs.setdefault(given["name"], StoredRun())
        stored.fields |= {key: value for key, value in given.items() if value is not None}
        project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "someone"}}
        bucket = {
            "id": f"bucket-{given['name']}",
            "name": given["name"],
            "displayName": stored.fields.get("displayName"),
            "description": None,
            "config": stored.fields.get("config"),
            "sweepName": None,
            "project": project,
            "historyLineCount": len(stored.history),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": not stored.history}}

    def _Viewer(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        viewer = {"id": "v", "entity": "someone", "username": "someone", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer}

    def _ServerFeaturesQuery(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"serverInfo": {"features": []}}

    def _ArtifactType(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"project": None}

    def _CreateArtifact(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        asked = given["input"]
        self.artifacts[asked["artifactCollectionName"]] = {
            "type": asked["artifactTypeName"],
            "metadata": json.loads(asked["metadata"] or "{}"),
            "aliases": [alias["alias"] for alias in asked["aliases"]],
            "run": asked["runName"],
        }
        made = {"id": asked["artifactCollectionName"], "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": made}}

    def _CreateArtifactManifest(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        file = {
            "id": "f",
            "name": given["name"],
            "displayName": given["name"],
            "uploadUrl": f"{self.url}/upload/{given['artifactID']}/{given['name']}",
            "uploadHeaders": [],
        }
        return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}

    def _UpdateArtifactManifest(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._CreateArtifactManifest({"name": "wandb_manifest.json", "artifactID": given.get("artifactID", "m")})

    def _CreateArtifactFiles(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        edges = [
            {
                "node": {
                    "id": "f",
                    "name": spec["name"],
                    "displayName": spec["name"],
                    "uploadUrl": f"{self.url}/upload/{spec['artifactID']}/{spec['name']}",
                    "uploadHeaders": [],
                    "storagePath": f"wandb/{spec['name']}",
                    "artifact": {"id": spec["artifactID"]},
                    "uploadMultipartUrls": None,
                }
            }
            for spec in given["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _CommitArtifact(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}

    def _CreateRunFiles(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/files/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            server.answers.wait()
            body = self._body()
            if self.path.startswith("/sdk/"):  # the client's own measurements
                self._reply({})
                return
            sent = json.loads(body)
            if self.path == "/graphql":
                operation = re.search(r"(?:query|mutation)\s+(\w+)", sent["query"])
                self._reply({"data": server.answer(operation[1] if operation else "", sent.get("variables") or {})})
            elif self.path.endswith("/file_stream"):
                server.stream(self.path.split("/")[-2], sent)
                self._reply({"limits": {}})
            else:
                server.unknown.append(self.path)
                self._reply({})

        def do_PUT(self) -> None:
            server.uploads[self.path.removeprefix("/upload/")] = self._body()
            self._reply({})

        def do_GET(self) -> None:
            server.unknown.append(self.path)
            self._reply({})

        def log_message(self, *args: Any) -> None:
            """Nothing."""

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _reply(self, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Http(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up is none."""

    http = Http(("127.0.0.1", 0), Handler)
    server = WandbServer(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.answers.set()
        http.shutdown()
        http.server_close()
        thread.join()

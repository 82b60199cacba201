"""Who may ask: pages of this server, in a browser of this machine.

A page of somebody else's may send requests to any port of the reader's machine, and may have its own name lead there
(DNS rebinding). So a request has to name this machine as its host, and what changes anything has to come from a page of
this server, with a token that only these pages have. Headers tell the browser that a page fetches nothing from
elsewhere, runs no script but this server's, and is shown in no other page.
"""

import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
TOKEN = "x-imprint-token"
LARGEST_BODY = 1 << 16  # bytes
COMMON = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
OWN = f"{COMMON}; script-src 'self'; style-src 'self' 'unsafe-inline'"  # figures have styles in their elements
REPORT = f"{COMMON}; script-src 'unsafe-inline'; style-src 'unsafe-inline'"  # a page that is whole by itself
HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Refused(Exception):
    """With what is said to whoever asked."""


class Token:
    """Another one each time that the program is started."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(32)

    def check(self, request: Request) -> None:
        """Raises Refused for what no page of this server sends."""
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{request.headers.get('host', '')}":
            raise Refused("This comes from a page of another server.")
        if not secrets.compare_digest(request.headers.get(TOKEN, "").encode(), self.text.encode()):
            raise Refused("This page is of an earlier start of imprint serve. Load it again.")


async def body_of(request: Request) -> bytes:
    """Raises Refused for one that is too large to be of a page of this server."""
    found = b""
    async for part in request.stream():
        found += part
        if len(found) > LARGEST_BODY:
            raise Refused("This is too much at once.")
    return found


class WithHeaders:
    """Puts HEADERS on every answer, and OWN where it has no policy yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_missing(message["headers"])]
            await send(message)

        await self._app(scope, receive, sent)


def _missing(given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    has = {name.lower() for name, _ in given}
    wanted: Mapping[str, str] = {"content-security-policy": OWN, **HEADERS}
    return [(name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in has]

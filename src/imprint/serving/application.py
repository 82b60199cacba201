"""What each address of the server answers."""

import logging
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import NamedTuple

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from imprint.errors import UserError
from imprint.serving.drawing import Asked, TryOut
from imprint.serving.folder import NotServed, ServedFolder
from imprint.serving.guard import HOSTS, REPORT, Refused, Token, WithHeaders, body_of
from imprint.serving.pages import Pages, Piece

log = logging.getLogger(__name__)

ASSETS = {  # by name: the package that has it, and what it is
    "page.css": ("imprint.reporting", "text/css"),
    "serve.css": ("imprint.serving", "text/css"),
    "live.js": ("imprint.serving", "text/javascript"),
    "runs.js": ("imprint.serving", "text/javascript"),
    "run.js": ("imprint.serving", "text/javascript"),
    "try.js": ("imprint.serving", "text/javascript"),
}


class Address(NamedTuple):
    path: str
    answer: Callable[[Request], Response]


def application(folder: ServedFolder, tryout: TryOut) -> Starlette:
    """Of one folder. It only reads, but for pictures that the try-out draws."""
    token = Token()
    pages = Pages(folder, tryout, token.text)

    def of_key(page: Callable[[str], str]) -> Callable[[Request], Response]:
        return lambda request: HTMLResponse(page(request.query_params.get("key", "")))

    def report(page: Callable[[Request], str]) -> Callable[[Request], Response]:
        return lambda request: HTMLResponse(page(request), headers={"content-security-policy": REPORT})

    def picture(request: Request) -> Response:
        asked = request.query_params
        file = folder.picture(asked.get("key", ""), asked.get("of", ""), asked.get("file", ""))
        return FileResponse(file, media_type="image/png")

    async def draw(request: Request) -> Response:
        token.check(request)
        asked = Asked.model_validate_json(await body_of(request))
        await run_in_threadpool(tryout.begin, asked)
        return JSONResponse({}, status_code=202)

    async def cancel(request: Request) -> Response:
        token.check(request)
        tryout.cancel()
        return JSONResponse({}, status_code=202)

    addresses = [
        Address("/", lambda _: HTMLResponse(pages.overview())),
        Address("/overview", lambda request: _if_new(request, pages.overview_part())),
        Address("/run", of_key(pages.run)),
        Address("/run/live", lambda request: _if_new(request, pages.run_part(request.query_params.get("key", "")))),
        Address("/sweep", report(lambda request: pages.sweep(request.query_params.get("key", "")))),
        Address("/compare", report(lambda request: pages.compare(request.query_params.getlist("key")))),
        Address("/try", of_key(pages.try_out)),
        Address("/try/state", lambda request: _if_new(request, pages.try_part())),
        Address("/picture", picture),
        Address("/favicon.ico", lambda _: Response(status_code=204)),  # browsers ask for it on their own
        Address("/assets/{name}", lambda request: _asset(request.path_params["name"])),
    ]
    return Starlette(
        routes=[
            *(Route(path, answer, methods=["GET"]) for path, answer in addresses),
            Route("/try/draw", draw, methods=["POST"]),
            Route("/try/cancel", cancel, methods=["POST"]),
        ],
        middleware=[
            Middleware(WithHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False),
        ],
        exception_handlers={
            404: lambda request, _: _refusal(request, pages, 404, "There is no such page."),
            Exception: lambda request, _: _refusal(request, pages, 500, "This failed. The terminal says why."),
            NotServed: lambda request, error: _refusal(request, pages, 404, str(error)),
            Refused: lambda request, error: _refusal(request, pages, 403, str(error)),
            UserError: lambda request, error: _refusal(request, pages, 409, str(error)),
            ValidationError: lambda request, error: _refusal(request, pages, 422, "\n".join(_wrong(error))),
        },
    )


def _if_new(request: Request, piece: Piece) -> Response:
    """Nothing, where the page that asks has this version of it."""
    version, write = piece
    if request.query_params.get("version") == version:
        return Response(status_code=204)
    return HTMLResponse(write(), headers={"x-version": version})


def _asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotServed("There is no such page.")
    package, kind = ASSETS[name]
    return Response((files(package) / "templates" / name).read_bytes(), media_type=kind)


def _refusal(request: Request, pages: Pages, status: int, text: str) -> Response:
    """For a script as it is, for a reader as a page."""
    if request.method == "POST":
        return JSONResponse({"error": text}, status_code=status)
    return HTMLResponse(pages.refusal(text), status_code=status)


def _wrong(error: ValidationError) -> Iterable[str]:
    for each in error.errors(include_url=False, include_input=False):
        where = " ".join(str(part + 1 if isinstance(part, int) else part) for part in each["loc"])
        yield f"{where}: {each['msg']}"

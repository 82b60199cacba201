"""imprint serve: the runs below a folder, live in a browser of this machine, and a try-out that draws with them."""

import logging
import webbrowser
from dataclasses import dataclass
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field

from imprint.locations import locate
from imprint.reporting.screen import has_screen
from imprint.requests import read_request
from imprint.results.picture_request import read_picture_request
from imprint.startup import imported_with_extra
from imprint.verbs.generate import Request as Generating

log = logging.getLogger(__name__)

LAST_WORDS = 5.0  # seconds that a picture which is being drawn has to end


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `serve.yaml` asks for."""

    folder: str
    port: Annotated[int, Field(ge=0, le=65535)]
    open: bool
    drawing: dict[str, Any]
    hires: None  # which the choices of `hires` put here: the try-out draws once


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    generating = read_picture_request(Generating, cfg.drawing)
    server = imported_with_extra("imprint.serving.server", extra="serve", key="serve")

    from imprint.serving.application import application
    from imprint.serving.drawing import TryOut
    from imprint.serving.folder import ServedFolder

    folder = ServedFolder(locate(request.folder), trust=generating.trust)
    tryout = TryOut(folder, generating)
    with server.listening(request.port) as listener:
        address = server.address_of(listener)
        log.info("%s shows %s, on this machine alone. Ctrl-C ends it.", address, folder.root)
        if request.open and has_screen():
            webbrowser.open(address)
        server.serve(application(folder, tryout), listener)
    tryout.cancel()
    tryout.wait(LAST_WORDS)
    log.info("It has ended.")

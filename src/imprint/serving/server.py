"""Serves an application on this machine alone, until Ctrl-C."""

import errno
import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from imprint.errors import UserError

LOOPBACK = "127.0.0.1"
PATIENCE = 2  # seconds that pages which are being written have at the end


def listening(port: int) -> socket.socket:
    """On the loopback interface, which no other machine reaches. Raises UserError where the port is taken."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "something listens there already" if taken else error.strerror or str(error)
        raise UserError(f"port={port}: {reason}. port=0 takes one that is free.") from error


def address_of(listener: socket.socket) -> str:
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}/"


def serve(application: ASGIApp, listener: socket.socket) -> None:
    """Returns after Ctrl-C."""
    settings = uvicorn.Config(
        application,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    with suppress(KeyboardInterrupt):  # which it raises when it has ended because of one
        uvicorn.Server(settings).run(sockets=[listener])

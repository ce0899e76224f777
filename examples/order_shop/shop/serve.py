"""Serve one of the two web applications: `python -m shop.serve web`, `python -m shop.serve fakes`."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import click
import uvicorn

from shop import leash

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A socket that clients can connect to from now on. Port 0: any that is free. Raises OSError."""
    return socket.create_server((HOST, port), reuse_port=False)


def url_of(listener: socket.socket) -> str:
    """Where to find what listens there."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _app(name: str) -> Callable[[], Any]:
    if name == "web":
        from shop.web import create_app as create_web

        return create_web
    from fakes.app import create_app as create_fakes

    return create_fakes


@click.command()
@click.argument("name", type=click.Choice(["web", "fakes"]))
@click.option("--port", default=0, help="Port to listen at; 0 for any that is free.")
@click.option("--fd", type=int, help="A socket that listens already, from whoever started us.")
def main(name: str, port: int, fd: int | None) -> None:
    """Serve the shop (web) or the fake services (fakes)."""
    leash.watch()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn ends by this; else nothing is tidied up at the end
    listener = listen(port) if fd is None else socket.socket(fileno=fd)
    print(f"{name}: {url_of(listener)}", flush=True)
    config = uvicorn.Config(_app(name)(), log_level="warning", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

"""The dashboard of a Redis, served by uvicorn in a thread, as its tests in browsers want it."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import uvicorn

from pillion.config import Config
from pillion.web import User, app


@dataclass
class Site:
    """A dashboard that is served. `url` is its address, without a slash at the end."""

    url: str
    server: uvicorn.Server
    thread: threading.Thread

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


def serve(redis_url: str, **options: Any) -> Site:
    """Serve the dashboard of that Redis; by default everybody is Ana, an admin."""
    options = {"auth": lambda _visitor: User("ana", "admin"), "config": Config(redis=redis_url)} | options
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = uvicorn.Server(uvicorn.Config(app(**options), log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)  # uvicorn tells nobody that it has started
    return Site(f"http://127.0.0.1:{listener.getsockname()[1]}", server, thread)

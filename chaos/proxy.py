"""A line to Redis that can be slow, break off, or swallow a reply. One thread for each direction of each connection."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

_PIECE = 1 << 18


class Proxy:
    """Listens on a Unix socket beside that of Redis; `url` is where."""

    def __init__(self, folder: Path, target: str) -> None:
        path = folder / "line.sock"
        self.url = f"unix://{path}"
        self._target = target
        self._delay_s = 0.0
        self._swallow = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def slow_down(self, delay_s: float) -> None:
        """Hold each piece back for so long, in both directions; 0 ends it."""
        self._delay_s = delay_s

    def swallow_replies(self, count: int) -> None:
        """Let the next `count` requests through, and break each line when its reply comes."""
        with self._lock:
            self._swallow = count

    def reset(self) -> int:
        """Break all lines now, whatever is on them. How many."""
        with self._lock:
            lines, self._open = self._open, set()
        for line in lines:
            _break(line)
        return len(lines) // 2

    def close(self) -> None:
        self._listener.close()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink, spoils in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._carry, args=(source, sink, spoils), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:  # noqa: FBT001
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if self._delay_s:
                    time.sleep(self._delay_s)
                if is_reply and self._take_one():
                    break
                sink.sendall(data)
        for line in (source, sink):
            _break(line)
        with self._lock:
            self._open -= {source, sink}
        source.close()

    def _take_one(self) -> bool:
        with self._lock:
            self._swallow, takes = max(0, self._swallow - 1), self._swallow > 0
        return takes


def _break(line: socket.socket) -> None:
    _quietly(lambda: line.shutdown(socket.SHUT_RDWR))


def _quietly(action: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        action()

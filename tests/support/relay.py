"""A relay between a client and real Redis servers, to lose replies and to move a name to another server."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class Relay:
    """Listens on a Unix socket. Connection number n goes to `targets[n]`, all further ones to the last.

    `connections` counts them; `packets` are the pieces in which the clients' bytes came.
    """

    def __init__(self, folder: Path, *targets: str) -> None:
        self.socket = str(folder / "relay.sock")
        self.url = f"unix://{self.socket}"
        self.connections = 0
        self.packets: list[bytes] = []
        self._targets = targets
        self._losing = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_reply(self) -> None:
        """Let the next request reach the server, but break the line when the reply comes."""
        self._losing.set()

    def close(self) -> None:
        """Close everything."""
        for line in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                target = self._targets[min(self.connections, len(self._targets) - 1)]
                self.connections += 1
                server = socket.socket(socket.AF_UNIX)
                server.connect(target)
                self._open += [client, server]
                threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
                threading.Thread(target=self._replies, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                self.packets.append(data)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _replies(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if self._losing.is_set():
                    self._losing.clear()
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

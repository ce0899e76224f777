"""A relay between a client and real Redis servers: loses replies, moves a name to another server, speaks TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

TLS_CERTIFICATE = Path(__file__).parent / "tls" / "localhost.pem"


class Relay:
    """Listens on a Unix socket. Connection number n goes to `targets[n]`, all further ones to the last.

    `connections` counts them; `packets` are the pieces in which the clients' bytes came. With `tls` it
    listens on a port of localhost instead, with a certificate that only `TLS_CERTIFICATE` vouches for.
    """

    def __init__(self, folder: Path, *targets: str, tls: bool = False) -> None:
        self._tls = _tls_context() if tls else None
        self._listener = _listen_tcp() if tls else _listen_unix(folder / "relay.sock")
        self.url = f"rediss://localhost:{self._listener.getsockname()[1]}" if tls else f"unix://{folder}/relay.sock"
        self.connections = 0
        self.packets: list[bytes] = []
        self._targets = targets
        self._losing = threading.Event()
        self._open: list[socket.socket] = []
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
                if self._tls is not None:
                    try:
                        client = self._tls.wrap_socket(client, server_side=True)
                    except OSError:
                        continue  # the client did not trust us
                target = self._targets[min(self.connections, len(self._targets) - 1)]
                self.connections += 1
                server = socket.socket(socket.AF_UNIX)
                server.connect(target)
                self._open += [client, server]
                threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
                threading.Thread(target=self._replies, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):  # a client that closes with a reply unread resets its line
            while data := client.recv(1 << 20):
                self.packets.append(data)
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _replies(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if self._losing.is_set():
                    self._losing.clear()
                    break
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener


def _listen_tcp() -> socket.socket:
    return socket.create_server(("", 0))  # any address: the tests call it 127.0.0.2 as well


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS_CERTIFICATE, TLS_CERTIFICATE.with_suffix(".key"))
    return context

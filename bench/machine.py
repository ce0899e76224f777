"""The private Redis of a bench run, and what can be read about a process from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

TIMEOUT_S = 180.0


class PrivateRedis:
    """A redis-server on a socket and a port of its own, without persistence: the same for every contestant."""

    def __enter__(self) -> Self:
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            raise SystemExit("The bench needs redis-server: apt-get install redis-server")
        self.folder = tempfile.mkdtemp(prefix="plb-", dir="/tmp")
        self.socket = f"{self.folder}/s"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket]
        options += ["--save", "", "--dir", self.folder]
        self.process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(unix_socket_path=self.socket)
        until(self._answers)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environ(self) -> dict[str, str]:
        ours = {"REDIS_URL": f"unix://{self.socket}", "BENCH_SOCKET": self.socket, "PILLION_LOG_LEVEL": "warn"}
        return {**os.environ, **ours}

    def fill(self, count: int) -> None:
        """Queue `count` no-op jobs, as any client writes them."""
        self.client.flushall()
        for start in range(0, count, 1000):
            batch = range(start, min(start + 1000, count))
            self.client.lpush("queue:default", *(payload("Noop", number) for number in batch))

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def payload(name: str, *args: object) -> str:
    """A job as Sidekiq 8 writes it."""
    now_ms = int(time.time() * 1000)
    job = {"retry": True, "queue": "default", "args": args, "class": name, "jid": os.urandom(12).hex()}
    return json.dumps({**job, "created_at": now_ms, "enqueued_at": now_ms}, separators=(",", ":"))


def until(condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
    """Poll until `condition()` holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {condition} did not come true within {timeout_s:.0f} s")
        time.sleep(0.002)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a worker in order."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def rss_mb(pid: int) -> float:
    """Resident memory of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    """Processor time of one process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

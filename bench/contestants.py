"""Who takes part, and how each is started: one worker process, ten threads, log level WARN."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.machine import PrivateRedis, stop, until

HERE = Path(__file__).parent
THREADS = 10


@dataclass(frozen=True)
class Worker:
    """A system with a worker process. `command` starts it; `workers` says when it has done N jobs."""

    name: str
    command: Callable[[], list[str]]
    counts_live: bool

    def start(self, server: PrivateRedis) -> subprocess.Popen[bytes]:
        """Start it, without output."""
        return subprocess.Popen(
            self.command(), env=server.environ, cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def drain(self, server: PrivateRedis, count: int) -> float:
        """Jobs per second over `count` queued no-op jobs, from the first taken to the last done."""
        server.fill(count)
        process = self.start(server)
        try:
            until(lambda: server.client.llen("queue:default") < count)
            began, left = time.perf_counter(), server.client.llen("queue:default")
            until(lambda: self._is_done(server, count))
            rate = left / (time.perf_counter() - began)
            # Its own counter must say N. Sidekiq's does so at its next heartbeat.
            until(lambda: self._processed(server) == count, timeout_s=20)
            return rate
        finally:
            stop(process)

    def _is_done(self, server: PrivateRedis, count: int) -> bool:
        if self.counts_live:
            return self._processed(server) >= count
        return server.client.llen("queue:default") == 0  # Sidekiq counts every few seconds only

    def _processed(self, server: PrivateRedis) -> int:
        return int(server.client.get("stat:processed") or 0)


def _pillion() -> list[str]:
    return [
        sys.executable,
        "-m",
        "pillion",
        "run",
        "bench.jobs",
        "-c",
        str(THREADS),
        "-q",
        "default",
    ]


def _sidekiq() -> list[str]:
    return ["sidekiq", "-r", str(HERE / "jobs.rb"), "-c", str(THREADS), "-q", "default", "-e", "production"]


PILLION = Worker("pillion", _pillion, counts_live=True)
SIDEKIQ = Worker("ruby-sidekiq", _sidekiq, counts_live=False)


def prototype(server: PrivateRedis, count: int) -> float:
    """Jobs per second of the bare loop."""
    server.fill(count)
    command = [sys.executable, str(HERE / "prototype.py"), f"unix://{server.socket}"]
    taken_s = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if int(server.client.get("stat:processed")) != count:
        raise SystemExit("bench: the prototype did not run every job")
    return count / taken_s

"""What Redis counted, and what Redis alone can do."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import redis

from bench.full.stage import RunFailed, Stage

COUNTED = {
    "commands": "total_commands_processed",
    "reads": "total_reads_processed",  # one read of a socket: what a client sent in one go
    "bytes_in": "total_net_input_bytes",
    "bytes_out": "total_net_output_bytes",
}


class Cost:
    """What has been asked of Redis since this was made."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._before = self._now()

    def total(self) -> dict[str, float]:
        """All of it; the question itself is one command and is left out."""
        now = self._now()
        spent = {name: float(now[name] - self._before[name]) for name in COUNTED}
        return spent | {"commands": spent["commands"] - 1, "reads": spent["reads"] - 1}

    def a_job(self, count: int) -> dict[str, float]:
        """For each of so many jobs."""
        return {name: value / count for name, value in self.total().items()}

    def _now(self) -> dict[str, int]:
        info: dict[str, Any] = self._client.info("stats")
        return {name: int(info.get(key, 0)) for name, key in COUNTED.items()}


def pipelined(stage: Stage, command: str, count: int, *, pipeline: int, role: str = "worker") -> float:
    """Commands a second by redis-benchmark, with elements as long as a job."""
    binary = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if binary is None:
        raise RunFailed("redis-benchmark is not installed")
    stage.client.flushall()
    line = [binary, "-p", str(stage.server.port), "-c", "1", "-P", str(pipeline), "-d", "180", "--csv", "-q"]
    with stage.on(stage.cores(role)):
        if command == "rpop":
            subprocess.run([*line, "-n", str(count), "-t", "lpush"], check=True, capture_output=True)
        done = subprocess.run([*line, "-n", str(count), "-t", command], check=True, capture_output=True, text=True)
    last = done.stdout.strip().splitlines()[-1]
    return float(last.split(",")[1].strip('"'))

"""The memory of a worker over many jobs: `python -m bench.memory [JOBS]` prints a line for each tenth of them.

Not a contest, so nothing is timed: it shows whether a worker grows with the jobs it has run.
"""

from __future__ import annotations

import subprocess
import sys
import time

from bench.contestants import PILLION
from bench.machine import PrivateRedis, family, payload, rss_mb, stop, until

STEPS = 10
WARM = 1_000
SETTLE_S = 0.5


def main() -> None:
    """Drain in steps, and look at the processes after each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with PrivateRedis() as server:
        process = PILLION.start(server)
        try:
            done = 0
            for size in (WARM, *([count // STEPS] * STEPS)):
                push(server, size)
                done += size
                wait_for(server, done)
                print(line(done, process), flush=True)
        finally:
            stop(process)


def push(server: PrivateRedis, count: int) -> None:
    """Queue so many more: `fill` would first wipe what the worker has noted of itself."""
    for start in range(0, count, WARM):
        batch = range(start, min(start + WARM, count))
        server.client.lpush("queue:default", *(payload("Noop", number) for number in batch))


def wait_for(server: PrivateRedis, done: int) -> None:
    """Until so many jobs are counted, and a moment more."""
    until(lambda: int(server.client.get("stat:processed") or 0) >= done, timeout_s=120)
    time.sleep(SETTLE_S)


def line(done: int, process: subprocess.Popen[bytes]) -> str:
    """What supervisor and worker have now."""
    each = " + ".join(f"{rss_mb(pid):.1f}" for pid in family(process.pid))
    return f"{done:>10,} jobs: RSS {each} MB (supervisor + worker)"


if __name__ == "__main__":
    main()

"""What a worker process shows of itself in Redis, byte for byte as Sidekiq does (wire-format 7.2 to 7.5).

Pure but for `resident_kib`, which asks the kernel.
"""

from __future__ import annotations

import resource
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from pillion._version import __version__
from pillion.config import Config
from pillion.server.slot import WorkEntry
from pillion.storage.ops.base import Arg
from pillion.wire import codec

RTT_READINGS = 5
RTT_LIMIT_US = 50_000


def build_info(config: Config, identity: str, started_at_s: float, *, embedded: bool) -> bytes:
    """The `info` field: what does not change while the process lives, built once (wire-format 7.3).

    `concurrency` is in there for dashboards up to 8.1.1; later ones read the field of that name.
    """
    hostname, pid, _ = identity.rsplit(":", 2)
    capsules = config.capsules
    return codec.dumps(
        {
            "hostname": hostname,
            "started_at": started_at_s,
            "pid": int(pid),
            "tag": config.tag,
            "concurrency": config.total_concurrency,
            "capsules": {
                name: {"concurrency": capsule.concurrency, "mode": capsule.mode, "weights": capsule.weights}
                for name, capsule in capsules.items()
            },
            "queues": list(dict.fromkeys(queue.name for capsule in capsules.values() for queue in capsule.queues)),
            "weights": [capsule.weights for capsule in capsules.values()],
            "labels": list(config.labels),
            "identity": identity,
            "version": __version__,
            "embedded": embedded,
        }
    )


def beat_fields(
    info: bytes, *, concurrency: int, busy: int, beat_s: float, rtt_us: int, quiet: bool, rss_kib: int
) -> dict[str, Arg]:
    """The fields of the process hash, in Sidekiq's order (wire-format 7.2)."""
    return {
        "info": info,
        "concurrency": concurrency,
        "busy": busy,
        "beat": beat_s,
        "rtt_us": rtt_us,
        "quiet": "true" if quiet else "false",
        "rss": rss_kib,
    }


def work_fields(running: Iterable[WorkEntry]) -> dict[str, bytes]:
    """The fields of the work hash: thread id to what runs there (wire-format 7.5)."""
    return {
        entry.tid: codec.dumps(
            {"queue": entry.queue, "payload": entry.raw.decode(errors="replace"), "run_at": entry.run_at}
        )
        for entry in running
    }


def process_title(tag: str, busy: int, concurrency: int, *, stopping: bool) -> str:
    """What `ps` shows (behaviour 9), such as `pillion 0.1.0 shop [2 of 10 busy]`."""
    name = f"pillion {__version__} {tag}".rstrip()
    return f"{name} [{busy} of {concurrency} busy]" + (" stopping" if stopping else "")


class RttMonitor:
    """The last five round-trip times. Slow once is chance; slow five times in a row is a finding."""

    def __init__(self) -> None:
        self._readings: deque[int] = deque(maxlen=RTT_READINGS)

    def is_slow(self, rtt_us: int) -> bool:
        """Take one reading (microseconds). True if the last five were all slow; then it starts over."""
        self._readings.append(rtt_us)
        if len(self._readings) < RTT_READINGS or min(self._readings) <= RTT_LIMIT_US:
            return False
        self._readings.clear()
        return True


def parse_rss(status: str) -> int | None:
    """Resident memory in KiB, from the text of /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return None


def resident_kib() -> int:
    """Resident memory of this process in KiB; where there is no /proc the largest it has been."""
    try:
        rss = parse_rss(Path("/proc/self/status").read_text())
    except (OSError, ValueError, IndexError):
        rss = None
    if rss is not None:
        return rss
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest // 1024 if sys.platform == "darwin" else largest

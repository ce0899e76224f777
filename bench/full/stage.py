"""Where a run happens: the private Redis, the cores, a ledger, and a contestant's processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from bench.full.roster import ROOT, Contestant, Order
from bench.machine import PrivateRedis, family, until
from bench.peers.ledger import Ledger

LOOK_S = 0.02
LEDGER = "ledger"
MEMORY = Path("/dev/shm")


class RunFailed(Exception):
    """A contestant did not do what it had to."""


class Stage:
    """One Redis for the whole benchmark, and which cores are whose."""

    def __init__(self, server: PrivateRedis, *, pinned: bool, patience_s: float) -> None:
        self.server = server
        self.client: redis.Redis = server.client
        self.patience_s = patience_s
        self.every_core = sorted(os.sched_getaffinity(0))
        self.pinned = pinned and len(self.every_core) > 1
        self.folder = Path(server.folder)
        self._runs = 0
        self._ledgers = Path(tempfile.mkdtemp(prefix="plb-", dir=in_memory() or self.folder))
        os.sched_setaffinity(server.process.pid, self.cores("redis"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        shutil.rmtree(self._ledgers, ignore_errors=True)

    def cores(self, role: str, processes: int = 1) -> list[int]:
        """Redis and the pushing side have the last core, one worker process has the others, more have all."""
        if not self.pinned or processes > 1:
            return self.every_core
        return self.every_core[:-1] if role == "worker" else self.every_core[-1:]

    def next_file(self, ending: str) -> Path:
        """A file name that no run has used: ledgers are in memory if that can be, all else is on the disk."""
        self._runs += 1
        return (self._ledgers if ending == LEDGER else self.folder) / f"{self._runs}.{ending}"

    @contextmanager
    def on(self, cores: Sequence[int]) -> Iterator[None]:
        """Processes started inside inherit these cores."""
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.every_core)


class Run:
    """One contestant, once: an empty Redis, an empty ledger, and processes that are gone at the end."""

    def __init__(self, stage: Stage, contestant: Contestant, size: int, order: Order | None = None) -> None:
        self.stage, self.contestant, self.size = stage, contestant, size
        asked = order or Order()
        self.order = replace(asked, concurrency=min(asked.concurrency, contestant.most_slots))
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.stage.client.flushall()
        self._path = self.stage.next_file(LEDGER)
        self.ledger = Ledger.create(self._path, self.size)
        self.log = self.stage.next_file("log")
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        everybody = self.members()
        for process in self.processes:
            end(process)
        for pid in everybody:  # those that had left the session
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(lives, everybody)))
        # A zombie may have threads that still hold its connections. Redis would hand a job of the next run to it, which
        # nobody runs before a lease has ended.
        until(lambda: not self.stage.client.info("clients")["blocked_clients"])
        self._path.unlink()
        self.log.unlink(missing_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        ours = {
            "REDIS_URL": self.stage.server.url,
            "RQ_REDIS_URL": self.stage.server.url,
            "BENCH_LEDGER": str(self._path),
            "BENCH_CONCURRENCY": str(self.order.concurrency),
            "PILLION_LOG_LEVEL": "info" if self.order.logged else "warn",
            "PILLION_EVENT_LOOP": "asyncio",  # as all others have it
            "BENCH_LOG_LEVEL": "info" if self.order.logged else "warn",
            "PYTHONPATH": str(ROOT),
        }
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, **ours}  # compiled code is kept, as where such processes are at home

    def client(self, mode: str, kind: str, count: int, arg: int = 0) -> float:
        """Let the contestant's own client do this; answer the seconds it says it took."""
        command = [*self.contestant.client]
        with self.stage.on(self.stage.cores("client")):
            done = subprocess.run(
                [*command, mode, kind, str(count), str(arg)],
                env=self.environ,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=self.stage.patience_s,
            )
        if done.returncode:
            raise RunFailed(f"its client failed: {tail(done.stderr)}")
        return float(done.stdout.split()[-1])

    def start(self) -> float:
        """Start its processes; answer the moment."""
        began = time.time()
        with self.log.open("ab") as log, self.stage.on(self._cores()):
            for command in self.contestant.commands(self.order):
                process = subprocess.Popen(
                    command, env=self.environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
                )
                self.processes.append(process)
        return began

    def _cores(self) -> list[int]:
        return self.stage.every_core if self.order.every_core else self.stage.cores("worker", self.order.processes)

    def wait(self, count: int) -> None:
        """Until so many jobs are done."""
        deadline = time.monotonic() + self.stage.patience_s
        while (done := self.ledger.done()) < count:
            gone = [process for process in self.processes if process.poll() is not None]
            if gone or time.monotonic() > deadline:
                reason = "a process of it ended" if gone else f"not done in {self.stage.patience_s:.0f} s"
                raise RunFailed(f"{reason}: {done} of {count} jobs; {tail(self.log.read_text(errors='replace'))}")
            time.sleep(LOOK_S)

    def check(self, count: int, runs_each: int = 1) -> None:
        """Its ledger must say that every job ran, and as often as it should."""
        runs = list(self.ledger.runs[:count])
        if min(runs) < runs_each or self.ledger.done() != count:
            raise RunFailed(f"{sum(1 for each in runs if each < runs_each)} of {count} jobs did not run")

    def extra_runs(self, count: int, runs_each: int = 1) -> int:
        """How many runs were too many: jobs may run twice, and it is said when they do."""
        return sum(self.ledger.runs[:count]) - count * runs_each

    def members(self) -> list[int]:
        """All of its processes."""
        return [pid for each in self.families() for pid in each]

    def families(self) -> list[list[int]]:
        """Each process that was started, and its descendants."""
        found: list[list[int]] = []
        for process in self.processes:
            with suppress(OSError):
                found.append(family(process.pid))
        return found


def in_memory() -> Path | None:
    """Where files are kept in memory, so that no disk has a part in the figures; None if there is no such place."""
    return MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None


def end(process: subprocess.Popen[bytes]) -> None:
    """Take its whole session away at once: nothing is measured any more, and some take long to say goodbye."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def lives(pid: int) -> bool:
    """Whether it still has its connections: a zombie has none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def tail(text: str) -> str:
    """The end of what it printed, without the paths of this machine."""
    last = [line.strip() for line in text.strip().splitlines()[-3:]]
    return " | ".join(last).replace(str(ROOT), ".")[-400:] or "it printed nothing"

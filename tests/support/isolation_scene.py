"""A pool of child processes inside the test process: a real zygote, real children, no worker and no Redis.

The app is written to a folder and loaded by the zygote only; the test knows its jobs by name. What jobs do they
write to the ledger of `worker_process`, and they wait at its gates.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentinel_error import SentinelError
from worker_process import WATCHDOG_S, Ledger, wait_until, write_app

from pillion.config import Config
from pillion.definition.registry import JobDefinition, Registry
from pillion.log import JobLog
from pillion.server.isolation.app import App
from pillion.server.isolation.door import Isolation
from pillion.server.slot import Slot

# No server there: what the children do must not need one.
NOWHERE = "redis://127.0.0.1:1/0"

# The beginning of an app: a job that starts a process of its own.
FAMILY = """+
import subprocess

class Family(Job):
    def perform(self):
        sleeper = subprocess.Popen(["sleep", "3600"])
        note("sleeper", sleeper.pid)
        sign("family")
        sleeper.wait()
"""


class Result:
    """A job that runs in a thread of the test: `wait()` returns the error it ended with, None for none."""

    def __init__(self, run: Any) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._thread.start()

    def _run(self, run: Any) -> None:
        try:
            run()
        except BaseException as exc:
            self._error = exc

    def wait(self) -> BaseException | None:
        self._thread.join(WATCHDOG_S)
        assert not self._thread.is_alive(), "the job has not come back"
        return self._error


class Scene:
    """An app, its ledger, and the way to its children."""

    def __init__(self, folder: Path, source: str = "+", **options: Any) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        write_app(folder, source)
        self.config = Config(**{"redis": NOWHERE, "child_processes": 2, **options})
        self.isolation = Isolation(self.config, Registry(), App(targets=("app",), directory=folder))
        self._stopping = threading.Event()
        self._job_log = JobLog(logging.getLogger("pillion"), self.config)

    def slot(self) -> Slot:
        """What a thread of a worker holds."""
        return Slot(self._stopping.is_set)

    def run(self, name: str, *args: Any, slot: Slot | None = None, options: Any = None, **payload: Any) -> None:
        """Run the job app.NAME in a child. Raises what it raises."""
        definition = JobDefinition(f"app.{name}", SentinelError)
        definition.declare({"execution": "process", **(options or {})})
        job = {"class": f"app.{name}", "jid": "a" * 24, "queue": "default", "args": list(args), **payload}
        entered = self._job_log.enter(job)
        try:
            self.isolation.run(definition, job, slot or self.slot())
        finally:
            self._job_log.leave(entered)

    def begin(self, name: str, *args: Any, **more: Any) -> Result:
        """The same in a thread."""
        return Result(lambda: self.run(name, *args, **more))

    def go_quiet(self) -> None:
        """What a worker does that is told to stop."""
        self._stopping.set()
        self.isolation.quiet()

    def pid_of(self, name: str) -> int:
        """The child in which the job is that has signed by this name."""
        self.ledger.wait_for(f"start {name}")
        return self.ledger.pid_of(name)

    def zygote_of(self, pid: int) -> int:
        """The parent of a child, which is a child of this process: no orphan's new parent is taken for one."""
        zygote = parent_of(pid)
        assert parent_of(zygote) == os.getpid()
        return zygote

    def close(self) -> None:
        self.isolation.stop(time.monotonic() + 5)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def lives(pid: int) -> bool:
    """Whether the process is there, and not merely its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_gone(*pids: int) -> None:
    """Wait until none of these processes lives."""
    wait_until(lambda: not any(map(lives, pids)), f"the end of {pids}")


def kill(pid: int) -> None:
    """SIGKILL, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_gone(pid)


def scenes(folder: Path, monkeypatch: Any) -> Iterator[Any]:
    """The body of a fixture: `scene(source, **options)`, closed at the end."""
    monkeypatch.setenv("PILLION_TEST_FOLDER", str(folder))
    made: list[Scene] = []

    def make(source: str = "+", **options: Any) -> Scene:
        made.append(Scene(folder, source, **options))
        return made[-1]

    yield make
    for scene in made:
        scene.close()

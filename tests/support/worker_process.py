"""Real worker processes for tests: start `pillion run`, watch what it does, kill it, look again.

Nothing here asserts on time. A wait that ends by its watchdog is a failure, however slow the machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WATCHDOG_S = 90.0
LOOK_EVERY_S = 0.01

LEDGER_MODULE = '''
"""What jobs use to tell the test what they do."""
import os, time
from pathlib import Path

FOLDER = Path(os.environ["PILLION_TEST_FOLDER"])

def note(*words):
    line = " ".join(map(str, words)) + "\\n"
    ledger = os.open(FOLDER / "ledger.txt", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(ledger, line.encode())  # one write: lines of several processes never mix
    os.close(ledger)

def sign(name):
    (FOLDER / f"pid-{name}").write_text(str(os.getpid()))
    note("start", name)

def is_open(name):
    return (FOLDER / f"gate-{name}").exists()

def wait_at(name):
    while not is_open(name):
        time.sleep(0.01)
'''

APP = """
import os, re, signal, time
from pillion import Job
from ledger import is_open, note, sign, wait_at

class Note(Job):
    def perform(self, *words): note(*words)

class Hold(Job):
    '''Runs until the test opens the gate of that name.'''
    def perform(self, name):
        sign(name)
        wait_at(name)
        note("end", name)

class Sleep(Job):
    '''Stuck in one C call that lets other threads run.'''
    def perform(self, name, seconds):
        sign(name)
        time.sleep(seconds)
        note("end", name)

class Grip(Job):
    '''Stuck in one C call that does not let other threads run (a regular expression gone wild).'''
    def perform(self, name):
        sign(name)
        re.match(r"(a+)+$", "a" * 64 + "b")

class Exit(Job):
    '''Takes its whole process with it.'''
    def perform(self, code): os._exit(code)
"""


def wait_until(condition: Callable[[], Any], what: str, details: Callable[[], str] = str) -> Any:
    """Return the first true value of `condition()`. Fails with `what` (and `details()`) after WATCHDOG_S."""
    deadline = time.monotonic() + WATCHDOG_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WATCHDOG_S:.0f} s in vain for: {what}\n{details()}")
        time.sleep(LOOK_EVERY_S)  # a look at state that another process changes: there is nothing to wait on
    return value


class Ledger:
    """What the jobs have written, and the gates that they wait at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def lines(self) -> list[str]:
        path = self._folder / "ledger.txt"
        return path.read_text().splitlines() if path.exists() else []

    def count(self, line: str) -> int:
        return self.lines.count(line)

    def wait_for(self, line: str, times: int = 1) -> None:
        """Wait until `line` has been written at least so many times."""
        wait_until(
            lambda: self.count(line) >= times, f"{times} x {line!r} in the ledger", lambda: "\n".join(self.lines)
        )

    def pid_of(self, name: str) -> int:
        """The process that runs, or last ran, the job which wrote "start NAME"."""
        return int((self._folder / f"pid-{name}").read_text())

    def open(self, *names: str) -> None:
        """Open gates. They stay open."""
        for name in names:
            (self._folder / f"gate-{name}").touch()


class Run:
    """One `pillion run`, and every process that came out of it.

    The supervisor is collected by `destroy` only: until then its number, which is that of the session as well, cannot
    become that of strangers.
    """

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str], name: str) -> None:
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """Everything it has printed so far."""
        return self.log_path.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        """Of the supervisor, None while it lives."""
        if self._process.returncode is not None:
            return self._process.returncode
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    @property
    def processes(self) -> list[int]:
        """Ids of all its processes that live, the supervisor's own included while it does."""
        if self._process.returncode is not None:
            return []
        return sorted(pid for pid, stat in _processes() if stat.session == self.pid and stat.state not in "ZX")

    @property
    def zombies(self) -> list[int]:
        """Ids of its processes that have ended and that nobody has asked for their exit code; not the supervisor."""
        return sorted(
            pid for pid, stat in _processes() if stat.session == self.pid and stat.state == "Z" and pid != self.pid
        )

    @property
    def workers(self) -> list[int]:
        """Ids of its worker processes that live, oldest first."""
        return [pid for pid in self.processes if pid != self.pid]

    @property
    def identities(self) -> list[str]:
        """Names of the workers that have become ready, in that order, dead ones too."""
        return re.findall(r" ready: (\S+) on Redis", self.log)

    def wait_ready(self, times: int = 1) -> Run:
        """Wait until workers have become ready so many times since the start."""
        self.wait_log(" ready: ", times)
        return self

    def wait_log(self, text: str, times: int = 1) -> None:
        """Wait until its log has `text` at least so many times. Fails once no process of it is left."""

        def seen() -> bool:
            someone_lives = self.exit_code is None or bool(self.processes)
            if self.log.count(text) >= times:
                return True
            assert someone_lives, f"it ended with {self.exit_code} before it wrote {text!r}:\n{self.log}"
            return False

        wait_until(seen, f"{times} x {text!r} in the log", lambda: self.log)

    def signal(self, name: str, pid: int | None = None) -> None:
        """Send a signal (without SIG) to its supervisor, or to `pid`."""
        assert self._process.returncode is None
        os.kill(self.pid if pid is None else pid, signal.Signals[f"SIG{name}"])

    def ctrl_c(self) -> None:
        """What a terminal does: SIGINT to every process in the foreground."""
        assert self._process.returncode is None
        os.killpg(self.pid, signal.SIGINT)

    def wait(self) -> int:
        """Wait for the end of the supervisor; return its exit code."""
        wait_until(lambda: self.exit_code is not None, "its end", lambda: self.log)
        assert self.exit_code is not None
        return self.exit_code

    def stop(self) -> int:
        """TERM, then wait; return the exit code."""
        self.signal("TERM")
        return self.wait()

    def wait_gone(self) -> None:
        """Wait until not one of its processes lives."""
        wait_until(lambda: not self.processes, "the end of all its processes", lambda: f"{self.processes}\n{self.log}")

    def destroy(self) -> None:
        """Kill whatever is left of it."""
        for pid in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait_gone()  # else Redis could still hand a job of the next test to a connection of theirs
        self._process.wait(WATCHDOG_S)


class _Stat:
    def __init__(self, line: str) -> None:
        fields = line.rpartition(")")[2].split()
        self.state, self.session = fields[0], int(fields[3])


def _processes() -> Iterator[tuple[int, _Stat]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), _Stat((folder / "stat").read_text())


def write_app(folder: Path, source: str | None) -> None:
    (folder / "ledger.py").write_text(LEDGER_MODULE)
    if source is None and (folder / "app.py").exists():
        return
    if source is None or source.startswith("+"):
        source = APP + (source or "+")[1:]
    (folder / "app.py").write_text(source)


def clean_environment(folder: Path) -> dict[str, str]:
    """The environment of the tests, without anything that would configure Pillion."""
    ours = ("REDIS_", "PILLION_", "SIDEKIQ_", "RAILS_", "RACK_", "APP_ENV", "DYNO", "NOTIFY_SOCKET", "WATCHDOG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PILLION_TEST_FOLDER": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

"""The world of a run: Redis, two families of Pillion's workers, one of Ruby's, and the producers."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from chaos.browser import FOLDER_VARIABLE, TOKEN_VARIABLE
from chaos.ledger import FAMILY_VARIABLE
from chaos.servers import Server
from chaos.support import ROOT, Run, clean_environment

STOP_TIMEOUT_S = 3
# The families serve the same queues, in different ways.
FLAGS = {
    "east": ["-p", "2", "-c", "5", "-q", "critical", "-q", "default", "-q", "low"],
    "west": ["-p", "1", "-c", "5", "-q", "low,1", "-q", "default,2", "-q", "critical,3"],
}
TAIL = 1000  # characters of a log
PRODUCERS = ("sync", "async", "bulk", "scheduled", "ruby")


class World:
    """Starts what a run needs, and starts again what was killed. `runs` has every `pillion run` there ever was."""

    def __init__(self, folder: Path, server: Server, seed: int, *, dashboard: bool = True) -> None:
        self.server = server
        self.has_web = dashboard
        self.web: subprocess.Popen[bytes] | None = None
        self.visitor_environ = {FOLDER_VARIABLE: str(folder), TOKEN_VARIABLE: secrets.token_hex(16)}
        self._webs = 0
        self.ledger = folder / "ledger"
        self.ledger.mkdir()
        self._folder = folder
        self._seed = seed
        self._births = 0
        self.families: dict[str, Run] = {}
        self.runs: list[Run] = []
        self.ruby: Run | None = None
        self.ruby_pids: set[int] = set()
        self.ended_producers: list[str] = []  # by themselves, with the end of what they printed
        self.producers: dict[str, subprocess.Popen[bytes]] = {}
        for name in FLAGS:
            self.set_clock(name, 0.0)

    def start(self) -> None:
        """Start everything; the workers need not be ready yet."""
        for name in FLAGS:
            self.start_family(name)
        self.start_ruby()
        for kind in PRODUCERS:
            self.start_producer(kind)
        if self.has_web:
            self.start_web()
            self.start_visitor()

    def start_family(self, name: str) -> None:
        """A supervisor and its workers."""
        command = [sys.executable, "-m", "pillion", "run", "chaos.jobs", "-t", str(STOP_TIMEOUT_S), "-e", "production"]
        ours = {"CHAOS_CLOCK": str(self._clock(name)), FAMILY_VARIABLE: name}
        self.families[name] = self._run([*command, *FLAGS[name]], name, self.server.urls[name], ours)
        self.runs.append(self.families[name])

    def restart_families(self) -> None:
        """Start those that have gone, as an init system does: one that cannot reach Redis at its boot gives up."""
        for name, run in list(self.families.items()):
            if not run.processes:
                self.start_family(name)

    def set_clock(self, name: str, off_s: float) -> None:
        """Let the wall clock of a family be off by so many seconds (chaos/clock)."""
        self._clock(name).touch()
        with self._clock(name).open("r+b") as file:
            file.write(struct.pack("d", off_s))

    @property
    def has_ruby(self) -> bool:
        """Whether Ruby takes part."""
        return all(shutil.which(name) for name in ("ruby", "sidekiq"))

    def start_ruby(self) -> None:
        """One process of Sidekiq, for a queue of its own; nothing if there is no Sidekiq."""
        if not self.has_ruby:
            return
        command = ["sidekiq", "-r", str(ROOT / "chaos/ruby/worker.rb"), "-e", "production", "-c", "3", "-q", "ruby"]
        self.ruby = self._run([*command, "-t", str(STOP_TIMEOUT_S)], "ruby", self.server.urls["east"])
        self.ruby_pids.add(self.ruby.pid)

    def start_producer(self, kind: str) -> None:
        """One program that pushes. Each birth has a seed of its own: else it would push the same again."""
        self._births += 1
        if kind == "ruby" and not self.has_ruby:
            return
        command = (
            ["ruby", str(ROOT / "chaos/ruby/producer.rb"), str(self._seed * 1000 + self._births)]
            if kind == "ruby"
            else [sys.executable, "-m", "chaos.producer", kind, f"{self._seed}/{self._births}"]
        )
        self.producers[kind] = self._popen(command, f"producer-{kind}", self.server.urls["west"])

    def start_web(self) -> None:
        """The dashboard. Each birth has a log of its own, by which the visitor knows where it is (chaos/browser.py)."""
        self._webs += 1
        command = [sys.executable, "-m", "chaos.board"]
        self.web = self._popen(command, f"web-{self._webs:04d}", self.server.urls["east"], self.visitor_environ)

    def kill_web(self) -> None:
        """Kill it. One that had gone before is entered in `ended_producers`."""
        process, self.web = self.web, None
        if process is not None:
            self._kill(process, "web", f"web-{self._webs:04d}")

    def start_visitor(self) -> None:
        """Who looks at the dashboard, and presses its buttons. It ends with the producers."""
        command = [sys.executable, "-m", "chaos.visitor", str(self._seed)]
        url = self.server.urls["east"]
        self.producers["visitor"] = self._popen(command, "producer-visitor", url, self.visitor_environ)

    def start_bulk(self) -> subprocess.Popen[bytes]:
        """A program that retries by hand whatever has failed."""
        return self._popen([sys.executable, "-m", "chaos.bulk"], "bulk", self.server.urls["east"])

    def kill_producer(self, kind: str) -> None:
        """Kill it. One that had gone before, which nobody told it to, is entered in `ended_producers`."""
        process = self.producers.pop(kind, None)
        if process is not None:
            self._kill(process, kind, f"producer-{kind}")

    def logs(self) -> dict[str, str]:
        """What the processes have printed, by name of the file."""
        return {path.name: path.read_text(errors="replace") for path in sorted(self._folder.glob("*.log"))}

    def close(self) -> None:
        """Kill whatever is left."""
        for kind in list(self.producers):
            self.kill_producer(kind)
        self.kill_web()
        for run in [*self.runs, *filter(None, [self.ruby])]:
            for pid in run.processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            run.destroy()
        self.server.close()

    def _environ(self, url: str) -> dict[str, str]:
        folders = [str(ROOT / "chaos" / "clock"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        path = os.pathsep.join(filter(None, folders))
        ours = {"REDIS_URL": url, "CHAOS_LEDGER": str(self.ledger), "PYTHONPATH": path}
        return clean_environment(self._folder) | ours | self.server.environ

    def _clock(self, name: str) -> Path:
        return self._folder / f"clock-{name}"

    def _run(self, command: list[str], name: str, url: str, more: Mapping[str, str] | None = None) -> Run:
        self._births += 1
        return Run(command, self._folder, self._environ(url) | dict(more or {}), f"{name}-{self._births}")

    def _popen(
        self, command: list[str], name: str, url: str, more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        environ = self._environ(url) | dict(more or {})
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _kill(self, process: subprocess.Popen[bytes], who: str, log_name: str) -> None:
        if process.poll() is not None:
            log = (self._folder / f"{log_name}.log").read_text(errors="replace")
            self.ended_producers.append(f"{who}, exit code {process.returncode}: {log[-TAIL:]}")
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()

"""A few processes that live and end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from types import FrameType
from typing import IO, Self

from shop import leash
from shop.settings import FOLDER

STOP_S = 32  # a worker lets its jobs run on for 25 seconds


class Processes:
    """Leave the `with` block, and all of them stop. The first that ends by itself ends the `wait`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._leash, self._theirs = os.pipe()[::-1]
        self._environ = {**environ, leash.VARIABLE: str(self._theirs), "PYTHONUNBUFFERED": "1"}
        self._running: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []
        self._ended: SimpleQueue[tuple[str, int]] = SimpleQueue()

    def start(self, name: str, arguments: Sequence[str], listener: socket.socket | None = None) -> None:
        """Start `python ARGUMENTS`; it gets the listening socket with the option --fd."""
        fds = [self._theirs] if listener is None else [self._theirs, listener.fileno()]
        options = [] if listener is None else ["--fd", str(listener.fileno())]
        process = subprocess.Popen(
            [sys.executable, *arguments, *options],
            cwd=FOLDER,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=fds,
            process_group=0,  # Ctrl-C is for us; we tell them
            text=True,
            errors="replace",
        )
        self._running.append(process)
        thread = threading.Thread(target=self._show, args=(name, process), name=name)
        thread.start()
        self._threads.append(thread)

    def wait(self) -> int:
        """Wait until one of them ends, which none should. Returns its exit code, 0 after Ctrl-C."""
        try:
            name, code = self._ended.get()
        except KeyboardInterrupt:
            print("\nStopping ...", flush=True)
            return 0
        print(f"{name} has ended with exit code {code}. Stopping the others ...", flush=True)
        return code or 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all: first the last, so that the worker can still reach the services. A second Ctrl-C kills."""
        try:
            for process in reversed(self._running):
                process.terminate()
                process.wait(STOP_S)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            for process in self._running:
                _kill_all_of(process)
        for thread in self._threads:
            thread.join()
        os.close(self._leash)
        os.close(self._theirs)

    def _show(self, name: str, process: subprocess.Popen[str]) -> None:
        stdout: IO[str] = process.stdout  # type: ignore[assignment]
        for line in stdout:
            print(f"{name:<6} | {line}", end="", flush=True)
        stdout.close()
        self._ended.put((name, process.wait()))


def _kill_all_of(process: subprocess.Popen[str]) -> None:
    """Kill a process and what it has started: see `process_group` above. Its number is its own only while it lives."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def stop_on_signals() -> None:
    """A closed terminal and a `kill` are taken as Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)

"""The processes that `pillion dev` runs: each in a group of its own, read line by line, ended with all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from pillion.cli.dev.lines import Printer
from pillion.server.endings import collect
from pillion.server.systemd import READY

_LAST_LINES_S = 1.0


@dataclass(slots=True, frozen=True)
class Order:
    """What to run: `command` is the words of a command, or a text for the shell."""

    name: str
    command: Sequence[str] | str


class Minder:
    """Our end of the minder: it ends the children if we cannot any more. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pillion.cli.dev.minder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # it is to live on when the terminal is closed
        )

    def add(self, pid: int) -> None:
        """This process, which leads a group, lives from now on."""
        self._tell(f"+{pid}")

    def remove(self, pid: int) -> None:
        """It has ended, with all that it has started, and its number will soon be another's."""
        self._tell(f"-{pid}")

    def close(self) -> None:
        """Dismiss it: it ends what is left, and itself."""
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, order: str) -> None:
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError, ValueError):  # ValueError: it was dismissed
            print(order, file=self._process.stdin, flush=True)


class Child:
    """A running process of an order, and all that it starts: what it leaves behind is killed.

    Parameters: `minder` is told of its life and end; `ended(child)` is called, in a thread, once it has ended and said
    its last.
    """

    def __init__(
        self,
        order: Order,
        environ: Mapping[str, str],
        printer: Printer,
        minder: Minder,
        ended: Callable[[Child], None],
    ) -> None:
        self.order = order
        self.exit_code = 0
        self._printer = printer
        self._minder = minder
        self._ended = ended
        self._lock = threading.Lock()  # around a signal, and around the end: its number may be another's afterwards
        self._is_over = False
        self._process = subprocess.Popen(  # noqa: S603 - the command that the user gave, or our own
            order.command,
            shell=isinstance(order.command, str),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C is for us; we tell them
        )
        self.pid = self._process.pid
        minder.add(self.pid)
        assert self._process.stdout is not None
        self._reader = self._thread(self._read, self._process.stdout)
        self._thread(self._wait)

    @property
    def name(self) -> str:
        """The name its lines have."""
        return self.order.name

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself: a supervisor passes on what is meant for its workers."""
        self._send(os.kill, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all it has started."""
        self._send(os.killpg, number)

    def _send(self, kill: Callable[[int, int], None], number: signal.Signals) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if not self._is_over:
                kill(self.pid, number)

    def _thread(self, target: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name=f"pillion.{self.name}", daemon=True)
        thread.start()
        return thread

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._printer.line(self.name, line.decode("utf-8", "replace").rstrip("\r\n"))

    def _wait(self) -> None:
        # Not Popen.wait(): see `collect`.
        self.exit_code = self._process.returncode = collect(self.pid, self._bury, wait=True) or 0
        self._ended(self)

    def _bury(self, _exit_code: int) -> None:
        self._reader.join(_LAST_LINES_S)  # something it has started may keep its output open
        self.send_to_group(signal.SIGKILL)
        with self._lock:
            self._is_over = True
        self._minder.remove(self.pid)


class ReadyLine:
    """Where a worker says that it takes jobs: a socket of the kind that systemd gives to its services."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pillion-")
        self._path = Path(self._folder.name) / "ready"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._ready = ready
        self._thread = threading.Thread(target=self._listen, name="pillion.ready", daemon=True)
        self._thread.start()

    @property
    def environ(self) -> dict[str, str]:
        """The variable that the worker needs."""
        return {"NOTIFY_SOCKET": str(self._path)}

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            if READY in message.decode().splitlines():
                self._ready()

    def close(self) -> None:
        """Hear nothing more."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", str(self._path))
            self._thread.join()
        self._socket.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

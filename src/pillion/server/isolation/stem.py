"""Stem: the zygote as the worker sees it; children come from it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

from pillion.errors import ChildNotStarted
from pillion.server.endings import describe_end
from pillion.server.isolation.child import Child
from pillion.server.isolation.frames import Kind, Line, encode

# Its name only: the worker never imports it.
ZYGOTE = "pillion.server.zygote"
END_TIMEOUT_S = 2.0


class Stem:
    """A zygote, from its start to its end. Raises ChildNotStarted if it cannot be started.

    Parameters: `boot` is what it is told, see `Boot.pack`. `proven` says that a child of it has been ready.
    """

    def __init__(self, boot: bytes) -> None:
        self.proven = False
        self._control, theirs = socket.socketpair()
        command = [sys.executable, "-m", ZYGOTE, str(theirs.fileno())]
        try:
            with theirs:
                # A process group of its own: what a terminal sends to the worker's is the worker's to decide about.
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
                )
            self._control.sendall(encode(Kind.BOOT, boot))
        except OSError as exc:
            self._control.close()
            raise ChildNotStarted(f"the process that starts children could not be started: {exc}") from exc

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def end(self) -> str:
        """How it ended, "" while it lives."""
        exit_code = self._process.poll()
        return "" if exit_code is None else describe_end(exit_code)

    def child(self) -> Child:
        """Ask for a child; it says itself when it is ready. Raises ChildNotStarted. Of one thread at a time."""
        ends = [*socket.socketpair(), *socket.socketpair()]
        line, line_theirs, leash, leash_theirs = ends
        try:
            socket.send_fds(self._control, [b"+"], [line_theirs.fileno(), leash_theirs.fileno()])
        except OSError as exc:
            for end in (line, leash):
                end.close()
            raise ChildNotStarted(f"the process that starts children has ended: {exc}") from exc
        finally:
            for end in (line_theirs, leash_theirs):
                end.close()
        return Child(Line(line), Line(leash))

    def close(self, *, at_once: bool = False) -> None:
        """Have it end, and all its children with it; returns when it has, or after a few seconds.

        Parameters: `at_once` is for one that does not listen, as it is still busy with loading the app.
        """
        self._control.close()
        if at_once:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)
            return
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)

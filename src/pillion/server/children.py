"""Children: the worker processes as their supervisor sees them, and the decisions about them.

Supervisor and worker hold one end each of a socket pair, the Link. It does three things that signals
cannot: the worker says that it is ready (or why it could not start, or that it ends on purpose), the
supervisor asks it to hurry, and whichever side dies, by kill -9 too, the other reads the end of file.
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from pillion.settings.readers import WorkerGroup

# A worker that dies earlier than this after its start may be in a crash loop.
QUICK_DEATH_S = 3.0
LONGEST_RESTART_DELAY_S = 30.0

READY = "ready"  # worker -> supervisor: booted, taking jobs; its News follow
FAILED = "failed"  # worker -> supervisor: could not boot; the reason follows
STOPPING = "stopping"  # worker -> supervisor: will exit on purpose
LEAVING = "leaving"  # worker -> supervisor: holds no job any more, needs no lease
WARNING = "warning"  # supervisor -> worker: another worker has died, its jobs are about to come back
HURRY = "hurry"  # supervisor -> worker: do not wait for the deadline

_END = b"\0"
_LONGEST_MESSAGE = 20_000  # characters: fits into the socket's buffer, so that sending never waits


class Link:
    """One end of the line between supervisor and worker. Sending never blocks and never raises."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.settimeout(0)
        self._pending = b""
        self.ended = False

    @classmethod
    def pair(cls) -> tuple[Link, Link]:
        """The two ends."""
        one, other = socket.socketpair()
        return cls(one), cls(other)

    def fileno(self) -> int:
        """For `select`."""
        return self._end.fileno()

    def send(self, kind: str, text: str = "") -> None:
        """Send a message; nothing happens if the other side is gone."""
        line = f"{kind} {text[:_LONGEST_MESSAGE]}".replace("\0", "")
        with contextlib.suppress(OSError):
            self._end.sendall(line.encode("utf-8", "replace") + _END)

    def receive(self) -> list[tuple[str, str]]:
        """The messages (kind, text) that have come, without waiting. Sets `ended` once the other side is gone."""
        while not self.ended:
            try:
                data = self._end.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.ended = not data
            self._pending += data
        *lines, self._pending = self._pending.split(_END)
        return [_parse(line.decode("utf-8", "replace")) for line in lines]

    def close(self) -> None:
        """Let go of this end."""
        self._end.close()


def _parse(line: str) -> tuple[str, str]:
    kind, _, text = line.partition(" ")
    return kind, text


@dataclass(slots=True)
class Child:
    """A worker process that lives, or has died and was not yet looked after.

    `started_s` is a monotonic instant. `words` are the kinds of message it has sent,
    `news` and `failure` what came with READY and FAILED.
    """

    pid: int
    identity: str
    link: Link
    started_s: float
    news: str = ""
    failure: str = ""
    words: set[str] = field(default_factory=set[str])

    @property
    def ready(self) -> bool:
        """It has booted."""
        return READY in self.words

    @property
    def needs_lease(self) -> bool:
        """It may hold jobs."""
        return LEAVING not in self.words

    def listen(self) -> None:
        """Take in what it has said."""
        for kind, text in self.link.receive():
            self.words.add(kind)
            if kind == FAILED:
                self.failure = text
            elif kind == READY:
                self.news = text

    def signal(self, name: str) -> None:
        """Send it a signal (without SIG)."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.Signals[f"SIG{name}"])


@dataclass(slots=True)
class Seat:
    """One of the N places for a worker process. A restart puts a new child into the same seat.

    `queues` are what its workers serve; (): what the Config says.
    `restart_at_s` is the monotonic instant of the next start, None if none is planned.
    `had_ready` is true once any child of this seat has booted.
    """

    number: int
    queues: tuple[str, ...] = ()
    child: Child | None = None
    restart_at_s: float | None = None
    quick_deaths: int = 0
    had_ready: bool = False


def plan_seats(groups: Iterable[WorkerGroup]) -> list[Seat]:
    """The seats for these workers, numbered from 1, group after group."""
    queues = [group.queues for group in groups for _ in range(group.count)]
    return [Seat(number, each) for number, each in enumerate(queues, 1)]


class Fate(enum.Enum):
    """Why a child is no more."""

    STOPPED = "it was told to stop and did"
    BOOT_FAILED = "the app could not be started even once"
    CRASHED = "it ended without having been told to"


def fate_of(child: Child, exit_code: int, *, had_ready: bool, told_to_stop: bool) -> Fate:
    """Decide what the end of a child means.

    Parameters: `exit_code` as of `os.waitstatus_to_exitcode` (negative: a signal). `had_ready`: some
    child in this seat has booted before, so that the app as such can start. `told_to_stop`: the
    supervisor itself is stopping. A plain exit code 0 is not enough for STOPPED: a job may call
    `os._exit(0)`, so the worker announces when it goes on purpose.
    """
    if told_to_stop or (exit_code == 0 and STOPPING in child.words):
        return Fate.STOPPED
    if not child.ready and not had_ready:
        return Fate.BOOT_FAILED
    return Fate.CRASHED


def quick_deaths_after(before: int, lived_s: float) -> int:
    """How many children of a seat have died one after the other within seconds of their start."""
    return before + 1 if lived_s < QUICK_DEATH_S else 0


def restart_delay_s(quick_deaths: int) -> float:
    """Seconds until the next start: none after a life of some length, else 1, 2, 4 ... 30."""
    if quick_deaths == 0:
        return 0.0
    return min(LONGEST_RESTART_DELAY_S, 2.0 ** min(quick_deaths - 1, 10))

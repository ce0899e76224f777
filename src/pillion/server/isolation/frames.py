"""Frames: what worker, zygote and children say to each other, over sockets that never block."""

from __future__ import annotations

import enum
import math
import select
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

_HEAD = struct.Struct("!IB")
_CHUNK = 1 << 16
# Nobody sends as much; who does is out of step, and what follows would be read wrongly.
MAX_BODY = 1 << 30
LONGEST_WAIT_S = 86_400.0  # the kernel counts milliseconds in 31 bits; who waits looks at the clock again


class Kind(enum.IntEnum):
    """What a frame is about."""

    # worker -> child, on the line
    RUN = 1  # a job to run: an Order
    STOPPING = 2  # the worker is quiet or stopping: `stopping()` is true from now on
    INTERRUPT = 3  # the deadline has passed; a SIGTERM follows

    # child -> worker, on the line
    READY = 10  # it can take a job
    UNFIT = 11  # it cannot be set up: the reason
    BEGUN = 12  # the job has begun: from here on it may have done something
    LOG = 13  # a log record
    DONE = 14  # the job has ended well: the child's memory in bytes, or nothing
    FAILED = 15  # the job has raised: `carried.pack`

    # worker -> zygote
    BOOT = 20  # on control, first of all: what to load
    KILL = 21  # on the leash: kill it
    TERM = 22  # send it a SIGTERM
    RETIRE = 23  # it ends by itself, once its line is closed

    # zygote -> worker, on the leash
    BORN = 30  # its pid
    ENDED = 31  # its exit code, as of `os.waitstatus_to_exitcode`
    REFUSED = 32  # there is no child: the reason


@dataclass(slots=True, frozen=True)
class Frame:
    """One message."""

    kind: int
    body: bytes = b""


def encode(kind: Kind, body: bytes = b"") -> bytes:
    """A frame as bytes."""
    return _HEAD.pack(len(body), kind) + body


class HasFileno(Protocol):
    """Something to wait for."""

    def fileno(self) -> int:
        """Its file descriptor."""
        ...


def wait_for(
    reading: Iterable[HasFileno], writing: Iterable[HasFileno] = (), timeout_s: float | None = None
) -> set[int]:
    """Wait until one can be read or written, or for `timeout_s`; return the descriptors of those that can.

    A poll, as `select` knows no descriptors above 1023, and a worker with many connections has those.
    """
    poll = select.poll()
    wanted: dict[int, int] = {}
    for each in reading:
        wanted[each.fileno()] = select.POLLIN
    for each in writing:
        wanted[each.fileno()] = wanted.get(each.fileno(), 0) | select.POLLOUT
    for fd, events in wanted.items():
        poll.register(fd, events)
    patience_ms = None if timeout_s is None else math.ceil(min(max(timeout_s, 0.0), LONGEST_WAIT_S) * 1000)
    return {fd for fd, _ in poll.poll(patience_ms)}


class Line:
    """One end of a socket pair that carries frames. Nothing blocks but `send` and `wait`, nothing raises OSError.

    `ended` is true once the other side is gone, or has said what cannot be a frame.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(False)
        self._out = bytearray()
        self._in = bytearray()
        self.ended = False

    @classmethod
    def of(cls, fd: int) -> Line:
        """The line on a file descriptor that was inherited."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """For `select`."""
        return self._end.fileno()

    # -- sending -----------------------------------------------------------------------------------

    @property
    def has_more(self) -> bool:
        """Whether something still waits to be sent: call `flush` when the socket can be written to."""
        return bool(self._out)

    def queue(self, kind: Kind, body: bytes = b"") -> None:
        """Send a frame, or as much of it as the socket takes now."""
        self._out += encode(kind, body)
        self.flush()

    def flush(self) -> None:
        """Send as much as the socket takes now. What a dead peer would get is dropped."""
        try:
            while self._out:
                sent = self._end.send(memoryview(self._out)[:_CHUNK])
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()  # the end of file tells the rest

    def send(self, kind: Kind, body: bytes = b"") -> None:
        """Send a frame, however long that takes."""
        self.queue(kind, body)
        while self._out:
            wait_for((), [self])
            self.flush()

    # -- receiving ---------------------------------------------------------------------------------

    def receive(self) -> list[Frame]:
        """The frames that have come, without waiting."""
        while not self.ended:
            try:
                data = self._end.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.ended = not data
            self._in += data
        return self._parse()

    def wait(self) -> list[Frame]:
        """The frames that have come, at least one; none once the other side is gone."""
        while not (frames := self.receive()) and not self.ended:
            wait_for([self])
        return frames

    def peek(self, size: int = 4096) -> bytes:
        """The next bytes, which stay to be received. For signal handlers: nothing of this object is changed."""
        try:
            return self._end.recv(size, socket.MSG_PEEK)
        except OSError:
            return b""

    def _parse(self) -> list[Frame]:
        frames: list[Frame] = []
        at = 0
        while len(self._in) - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._in, at)
            if length > MAX_BODY:
                self.ended = True
                break
            after = at + _HEAD.size + length
            if len(self._in) < after:
                break
            frames.append(Frame(kind, bytes(memoryview(self._in)[at + _HEAD.size : after])))
            at = after
        del self._in[:at]
        return frames

    def close(self) -> None:
        """Let go of this end."""
        self._end.close()

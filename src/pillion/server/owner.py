"""OwnerRecord: what a worker process says of itself in `pl:owners`, and whether it is surely dead.

Design record. A lease that has run out only says that nobody has renewed it. A process that shares
kernel and process-id namespace with us can be looked at directly, which is certain and immediate. All
three must agree before we look: the host name, the boot id (a rebooted or different machine may have
the same name) and the namespace (containers on one machine have the same boot id and the same small
process ids). A process id alone proves nothing, ids are used again; with the start time it does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from pillion.errors import DecodeError
from pillion.storage.ops import reap
from pillion.storage.sync import Storage
from pillion.wire import codec

_PROC = Path("/proc")


@dataclass(slots=True, frozen=True)
class Place:
    """Where process ids mean the same thing. None where this system does not tell."""

    host: str | None
    boot: str | None
    pidns: int | None

    @property
    def known(self) -> bool:
        """Whether all three are known, without which nothing can be concluded."""
        return None not in (self.host, self.boot, self.pidns)


@dataclass(slots=True, frozen=True)
class OwnerRecord:
    """One value of `pl:owners`. `start` is the start time in kernel ticks since boot."""

    queues: tuple[str, ...]
    host: str | None = None
    pid: int | None = None
    boot: str | None = None
    pidns: int | None = None
    start: int | None = None

    @classmethod
    def of_this_process(cls, queues: Iterable[str]) -> OwnerRecord:
        """The record of the process that runs this, which serves `queues`."""
        place = this_place()
        state = look_at(os.getpid())
        return cls(tuple(queues), place.host, os.getpid(), place.boot, place.pidns, state.start if state else None)

    @classmethod
    def parse(cls, raw: bytes) -> OwnerRecord:
        """Read a record. What is missing or of a wrong type counts as not known; it never raises."""
        try:
            fields = codec.loads_job(raw)
        except DecodeError:
            return cls(())
        queues = fields.get("queues")
        return cls(
            _texts(queues),
            _text(fields.get("host")),
            _number(fields.get("pid")),
            _text(fields.get("boot")),
            _number(fields.get("pidns")),
            _number(fields.get("start")),
        )

    def dump(self) -> bytes:
        """The record as JSON."""
        return codec.dumps(asdict(self))

    @property
    def place(self) -> Place:
        """Where the process runs."""
        return Place(self.host, self.boot, self.pidns)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(slots=True, frozen=True)
class ProcessState:
    """What the kernel says of a process id. `start` None: it exists, but may not be looked at."""

    start: int | None
    ended: bool = False  # a zombie: it runs no more, its parent has not asked for its exit code yet


def this_place() -> Place:
    """The place of the process that runs this."""
    try:
        pidns: int | None = (_PROC / "self/ns/pid").stat().st_ino
        boot: str | None = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        pidns = boot = None
    return Place(socket.gethostname(), boot, pidns)


def look_at(pid: int) -> ProcessState | None:
    """The state of a process of this host; None if there is none of that id."""
    try:
        os.kill(pid, 0)  # decides whether it exists: /proc may hide the processes of other users
    except ProcessLookupError:
        return None
    except (OSError, OverflowError):
        return ProcessState(None)
    try:
        return parse_stat((_PROC / str(pid) / "stat").read_text(errors="replace"))
    except OSError:
        return ProcessState(None)


def parse_stat(line: str) -> ProcessState:
    """Read a line of /proc/PID/stat. The name in it is in brackets and may hold anything, also brackets."""
    fields = line.rpartition(")")[2].split()
    try:
        state, threads, start = fields[0], int(fields[17]), int(fields[19])
    except (IndexError, ValueError):
        return ProcessState(None)
    # The first thread of a process can end before the others; it then is a zombie that still runs jobs.
    return ProcessState(start, ended=state in "ZX" and threads <= 1)


def surely_dead(record: OwnerRecord, here: Place, look: Callable[[int], ProcessState | None] = look_at) -> bool:
    """Whether the process of `record` is known to run no more. False also where that cannot be told."""
    if record.pid is None or record.pid <= 0 or not here.known or record.place != here:
        return False
    state = look(record.pid)
    if state is None or state.ended:
        return True
    return None not in (state.start, record.start) and state.start != record.start


class Ownership:
    """This process's entry in `pl:owners`: what the reaper of any process goes by if this one dies.

    Parameters: `queues` are all the queues this process fetches from.
    """

    def __init__(self, storage: Storage, identity: str, queues: Iterable[str]) -> None:
        self._storage = storage
        self._identity = identity
        self._queues = tuple(dict.fromkeys(queues))
        self._record = OwnerRecord.of_this_process(self._queues).dump()

    def register(self) -> None:
        """Enter this process and give it its first lease. Before the first fetch. Raises RedisError."""
        self._storage.run(reap.register(self._identity, self._record))

    def keep(self) -> None:
        """Enter it again, in case a reaper took it for dead or the database was emptied. Raises RedisError.

        For each heartbeat: a process without an entry holds jobs that nobody would look for.
        """
        self._storage.run(reap.enter(self._identity, self._record))

    def release(self) -> bool:
        """Strike this process off, if it holds no job. Raises RedisError.

        False: it does hold one. Its entry stays, and reapers give the job back when the lease has ended.
        """
        return self._storage.run(reap.retire(self._identity, self._queues, force=True)) == 1

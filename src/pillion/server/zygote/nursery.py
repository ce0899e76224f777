"""Nursery: what the zygote does once it has loaded the app: bear children, kill them, tell how they ended.

One thread, one loop, and no code of the application from then on: it answers whatever the children do. It goes, and
takes them all along, when the worker does.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import dataclass

from pillion.config import Config
from pillion.server.endings import collect
from pillion.server.isolation.frames import HasFileno, Kind, Line, wait_for
from pillion.server.isolation.order import Boot
from pillion.server.isolation.stem import ZYGOTE
from pillion.server.signals import SignalInbox
from pillion.server.zygote import kin
from pillion.server.zygote.application import load, why_not
from pillion.server.zygote.servant import be_child, flush

ALONE = "--alone"
RETIRE_GRACE_S = 10.0
LOOK_EVERY_S = 1.0  # for the worker's end, where the kernel does not tell
REFUSE_FOR_S = 1.0


@dataclass(slots=True)
class Ward:
    """A child that lives. `kill_at_s` (monotonic): it is to end by itself until then; None: it is to live."""

    pid: int
    leash: Line
    kill_at_s: float | None = None
    process: subprocess.Popen[bytes] | None = None
    killed: bool = False

    def kill(self) -> None:
        """Kill it, with all that it has started."""
        self.killed, self.kill_at_s = True, None
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(self.pid, signal.SIGKILL)

    def bury(self, exit_code: int) -> None:
        """Kill what it has started and left behind, unless it has ended in order."""
        if exit_code != 0:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)


class Nursery:
    """The loop. Parameters: `config` is that of the app; `packed` the Boot as it came."""

    def __init__(self, control: socket.socket, boot: Boot, packed: bytes, config: Config, parent: kin.Parent) -> None:
        self._control = control
        self._boot = boot
        self._packed = packed
        self._config = config
        self._parent = parent
        self._wards: list[Ward] = []
        self._inbox = SignalInbox()
        self._can_fork = threading.active_count() == 1

    def run(self) -> None:
        """Serve until the worker ends or closes the control socket."""
        self._inbox.trap(["CHLD"])
        while not self._parent.is_gone:
            ready = self._sleep()
            if self._control.fileno() in ready and not self._obey():
                break
            self._inbox.drain()
            for ward in list(self._wards):
                self._look_after(ward)
        for ward in self._wards:
            ward.kill()

    def _sleep(self) -> set[int]:
        watched: list[HasFileno] = [
            self._control,
            self._inbox,
            *(ward.leash for ward in self._wards if not ward.leash.ended),
        ]
        if self._parent.can_be_watched:
            watched.append(self._parent)
        dates = [ward.kill_at_s for ward in self._wards if ward.kill_at_s is not None]
        if not self._parent.can_be_watched:
            dates.append(time.monotonic() + LOOK_EVERY_S)
        return wait_for(watched, timeout_s=max(0.0, min(dates) - time.monotonic()) if dates else None)

    # -- children ----------------------------------------------------------------------------------

    def _obey(self) -> bool:
        """Bear a child for a request; False once there will be no more of them."""
        fds = request(self._control)
        if not fds:
            return fds is not None
        line, leash = Line.of(fds[0]), Line.of(fds[1])
        try:
            ward = self._fork(line, leash) if self._can_fork else self._execute(line, leash)
        except OSError as exc:
            leash.queue(Kind.REFUSED, f"there can be no further process: {exc}".encode())
            leash.close()
            return True
        finally:
            line.close()
        with contextlib.suppress(OSError):
            os.setpgid(ward.pid, ward.pid)  # it does so itself as well: whoever comes first
        self._wards.append(ward)
        leash.queue(Kind.BORN, str(ward.pid).encode())
        return True

    def _fork(self, line: Line, leash: Line) -> Ward:
        flush()
        ours = os.getpid()
        with warnings.catch_warnings():
            # Python counts the threads of C libraries, too. Those that have some prepare themselves for a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                self._let_go(leash)
            except BaseException:  # noqa: BLE001 - it must not unwind into the loop
                os._exit(1)
            be_child(line, self._config, ours, measures=self._boot.measures)
        return Ward(pid, leash)

    def _let_go(self, leash: Line) -> None:
        """In a new child: close what is the zygote's. A leash that stayed open here would not end with the zygote."""
        self._inbox.close()
        self._control.close()
        self._parent.close()
        for each in (leash, *(ward.leash for ward in self._wards)):
            each.close()

    def _execute(self, line: Line, leash: Line) -> Ward:
        """A child with an interpreter of its own: a fork would copy the locks of our threads, held for ever."""
        flush()
        ours, theirs = socket.socketpair()
        fds = [line.fileno(), theirs.fileno()]
        command = [sys.executable, "-m", ZYGOTE, ALONE, *map(str, fds), str(os.getpid())]
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=fds, stdin=subprocess.DEVNULL, process_group=0
            )
        told = Line(ours)
        told.send(Kind.BOOT, self._packed)
        told.close()
        return Ward(process.pid, leash, process=process)

    # -- their lives and ends ----------------------------------------------------------------------

    def _look_after(self, ward: Ward) -> None:
        for frame in ward.leash.receive():
            if frame.kind == Kind.KILL:
                ward.kill()
            elif frame.kind == Kind.TERM:
                with contextlib.suppress(OSError):
                    os.kill(ward.pid, signal.SIGTERM)
            elif frame.kind == Kind.RETIRE:
                ward.kill_at_s = time.monotonic() + RETIRE_GRACE_S
        overdue = ward.kill_at_s is not None and time.monotonic() >= ward.kill_at_s
        abandoned = ward.leash.ended and ward.kill_at_s is None and not ward.killed
        if overdue or abandoned:
            ward.kill()
        self._reap(ward)

    def _reap(self, ward: Ward) -> None:
        exit_code = collect(ward.pid, ward.bury)
        if exit_code is None:
            return
        if ward.process is not None:
            ward.process.returncode = exit_code
        ward.leash.queue(Kind.ENDED, str(exit_code).encode())
        ward.leash.close()
        self._wards.remove(ward)


def request(control: socket.socket) -> list[int] | None:
    """The ends of the line and the leash of a child that is asked for; None: nobody will ask any more.

    Empty if there are no descriptors left: whoever has asked reads the end of file.
    """
    try:
        data, fds, _, _ = socket.recv_fds(control, 1, 2)
    except OSError:
        return None
    if data and len(fds) == 2:
        for fd in fds:
            os.set_inheritable(fd, False)
        return fds
    for fd in fds:
        os.close(fd)
    return [] if data else None


def be_nursery(control_fd: int) -> None:
    """Be the zygote: the whole life of the process. Does not return."""
    kin.pass_signals_over()
    os.set_inheritable(control_fd, False)
    control = socket.socket(fileno=control_fd)
    packed = _first_frame(control)
    boot = Boot.unpack(packed)
    parent = kin.Parent(boot.worker_pid)
    # Nothing else would end an import that never ends. The thread of the worker that has started us waits for a child
    # all the while; later on it may end, and the loop sees the end of the worker.
    kin.die_with(boot.worker_pid)
    try:
        config = load(boot)
        kin.pass_signals_over()
        kin.outlive()
        gc.collect()
        gc.freeze()  # so that no collection in a child writes to the memory it shares with us
    except BaseException as exc:  # noqa: BLE001 - whatever it is, those who want a child are told
        refuse(control, f"the app could not be loaded for child processes: {why_not(exc)}")
        os._exit(1)
    Nursery(control, boot, packed, config, parent).run()
    flush()
    os._exit(0)


def _first_frame(control: socket.socket) -> bytes:
    """The BOOT frame, and not a byte more: the rest are requests, with descriptors."""
    head = control.recv(5, socket.MSG_WAITALL)
    body = bytearray()
    length = int.from_bytes(head[:4], "big")
    while len(body) < length and (data := control.recv(length - len(body))):
        body += data
    if len(head) < 5 or len(body) < length:
        os._exit(1)  # the worker has ended already
    return bytes(body)


def refuse(control: socket.socket, why: str) -> None:
    """Answer those who ask for a child now that there will be none."""
    until_s = time.monotonic() + REFUSE_FOR_S
    while wait_for([control], timeout_s=max(0.0, until_s - time.monotonic())):
        fds = request(control)
        if not fds:
            return
        os.close(fds[0])
        leash = Line.of(fds[1])
        leash.queue(Kind.REFUSED, why.encode("utf-8", "replace"))
        leash.close()
        until_s = min(until_s, time.monotonic())  # whoever has asked already is answered, but no time is lost

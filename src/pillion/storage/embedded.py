"""The embedded Redis: one server for all Pillion processes of one data folder, started by need.

Design record. Three locks, all flock, so that the kernel drops them when a process dies in any way:

    users.lock    shared: held by every process that uses the server
    server.lock   exclusive: held by the server itself as long as it lives
    gate.lock     exclusive, briefly: whoever joins, revives or leaves

- Joining: take the gate, take `users` shared, start the server unless it answers, open the gate.
- Leaving: close `users`, take the gate, try `users` exclusively on a fresh open file. If that works
  nobody else is there: stop the server. Otherwise somebody is, and the server stays.
- A fork copies the open `users` file, and the copies share one lock, which lasts until the last copy is
  closed. That is what we want: parent and child each hold on by having it open, and let go by closing.
  (Hence never LOCK_UN there, and never an upgrade of the lock in place: both would act for the other.)
- A process that dies by kill -9 just lets go. If it was the last one, the server stays; the next
  process finds it, uses it, and stops it when it leaves.
- A server that dies by kill -9 is started again by the first connection that finds nobody listening.

No part of this file imports redis.
"""

from __future__ import annotations

import atexit
import logging
import os
import stat
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pillion.errors import EmbeddedRedisError
from pillion.storage.embedded_lock import exclusive, open_lock_file, try_lock, wait_lock
from pillion.storage.embedded_paths import server_dir, short_dir
from pillion.storage.embedded_server import Server

log = logging.getLogger("pillion")

GATE_TIMEOUT_S = 60.0
LEAVE_TIMEOUT_S = 10.0  # the end of a process waits no longer for another one that is starting or stopping
LOADING_TIMEOUT_S = 120.0
_POLL_S = 0.05


class Lease:
    """One user's hold on the embedded server of `folder`. Threads may share it; it survives a fork.

    Nothing happens before `hold`. At the end of the process it leaves by itself.
    """

    def __init__(self, folder: Path, socket: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._server = Server(server_dir(folder), socket)
        self._environ = environ
        self._users: int | None = None
        self._left = False
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def holds(self) -> bool:
        """Whether the server is held, so that `hold` would do nothing."""
        return self._users is not None

    def hold(self) -> None:
        """Make sure that the server runs and stays as long as we do. Cheap after the first time.

        Raises EmbeddedRedisError.
        """
        self._notice_fork()
        if self._users is None:
            self.revive()

    def revive(self) -> None:
        """Nobody listens: start the server, unless another process has done so. Raises EmbeddedRedisError."""
        self._notice_fork()
        with self._lock:
            if self._left:
                raise EmbeddedRedisError("This process has left the embedded Redis already. Open another storage.")
            try:
                self._join()
            except OSError as error:
                raise EmbeddedRedisError(
                    f"The embedded Redis cannot work in {self._server.folder}: {error}. Make the folder writable for"
                    " this user (or free space on its disk), set PILLION_DATA_DIR to another folder, or set REDIS_URL"
                    " to use a Redis that runs elsewhere."
                ) from error
            self._wait_while_loading()

    def leave(self) -> None:
        """Let go. The last one to leave stops the server. Idempotent; raises nothing."""
        self._notice_fork()
        with self._lock:
            self._left = True
            if self._users is None:
                return
            os.close(self._users)
            self._users = None
            atexit.unregister(self.leave)
            try:
                self._stop_if_last()
            except (OSError, EmbeddedRedisError) as error:
                log.warning("the embedded Redis of %s could not be stopped: %s", self._server.folder, error)

    # -- steps -----------------------------------------------------------------------------------

    def _notice_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock, for ever here."""
        if self._pid != os.getpid():
            self._lock = threading.Lock()
            self._pid = os.getpid()

    def _join(self) -> None:
        self._prepare_folders()
        with self._gate(GATE_TIMEOUT_S):
            self._hold_on()
            if not self._server.answers():
                log.info("starting the embedded Redis, data in %s", self._server.folder)
                self._server.start(self._environ)

    @contextmanager
    def _gate(self, timeout_s: float) -> Generator[None]:
        with exclusive(self._server.folder / "gate.lock", timeout_s) as opened:
            if not opened:
                raise EmbeddedRedisError(
                    f"Another process has been starting or stopping the embedded Redis of {self._server.folder}"
                    f" for more than {timeout_s:.0f} s. End that process if it is stuck, or set REDIS_URL."
                )
            yield

    def _hold_on(self) -> None:
        if self._users is not None:
            return
        users = open_lock_file(self._users_path)
        if not wait_lock(users, GATE_TIMEOUT_S, shared=True):
            os.close(users)
            raise EmbeddedRedisError(f"{self._users_path} is locked by another program. Find it with: fuser, lsof.")
        self._users = users
        atexit.register(self.leave)

    @property
    def _users_path(self) -> Path:
        return self._server.folder / "users.lock"

    def _wait_while_loading(self) -> None:
        deadline = time.monotonic() + LOADING_TIMEOUT_S
        try:
            while self._server.is_loading():
                if time.monotonic() > deadline:
                    raise EmbeddedRedisError(
                        f"The embedded Redis of {self._server.folder} is still loading its data. Try again later."
                    )
                time.sleep(_POLL_S)  # loading ends without a signal
        except OSError:
            return  # gone again: the connection that follows will say so

    def _stop_if_last(self) -> None:
        with self._gate(LEAVE_TIMEOUT_S):
            users = open_lock_file(self._users_path)
            try:
                if try_lock(users):
                    self._server.stop()
            finally:
                os.close(users)

    def _prepare_folders(self) -> None:
        self._server.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server.folder.mkdir(mode=0o700, exist_ok=True)
        _own(self._server.folder)
        if self._server.socket.parent == short_dir():
            short_dir().mkdir(mode=0o700, exist_ok=True)
            _own(short_dir())


def _own(folder: Path) -> None:
    """Make sure that `folder` is this user's and closed to all others."""
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise EmbeddedRedisError(
            f"{folder} must be a folder of this user's own. Move it away, or set PILLION_DATA_DIR to another folder."
        )
    if stat.S_IMODE(info.st_mode) != 0o700:
        folder.chmod(0o700)

"""The process of the embedded Redis: is it there, start it, stop it. Called with the gate held.

Design record.
- The server holds the lock on `server.lock`: it inherits the open file. So "does a server of this
  folder live?" has an exact answer, also after a kill -9 or a restart of the machine, and two servers
  can never write to the same data.
- It makes itself a daemon (own session): it outlives whoever started it, a Ctrl-C in the terminal does
  not reach it, and nobody has to collect its exit status.
- Data: an append-only file, written before each reply and synced every second. So the death of the
  server loses nothing, and a power failure at most the last second or two. Syncing before each reply
  (`always`) would make every push wait for the disk, in the mode meant for development and small sites.
- It listens on a Unix socket in a folder of mode 0700 and on no port.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pillion.errors import EmbeddedRedisError
from pillion.storage.embedded_binary import Binary, find_binary
from pillion.storage.embedded_lock import is_locked, open_lock_file, wait_lock

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 5.0
_LEAVING_TIMEOUT_S = 2.0  # of a server that has closed its socket already and is about to end
_POLL_S = 0.01
_LOG_LIMIT = 1_000_000
_LOG_TAIL = 1_000


@dataclass(slots=True, frozen=True)
class Server:
    """The server of one folder. `folder` is for its files alone, `socket` is where it listens."""

    folder: Path
    socket: Path

    @property
    def lock(self) -> Path:
        """Held by the server as long as it lives."""
        return self.folder / "server.lock"

    @property
    def log(self) -> Path:
        """What the server says about itself."""
        return self.folder / "redis.log"

    # -- questions -------------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether a server listens; it may still be loading its data. Raises if it is stuck."""
        try:
            return bool(self.ask(b"PING"))
        except TimeoutError:
            raise EmbeddedRedisError(
                f"The embedded Redis of {self.folder} runs{self._pid_text()} but does not answer."
                " If its process has been stopped, let it go on (kill -CONT) or end it (kill -9): nothing is lost."
            ) from None
        except OSError:
            return False

    def is_loading(self) -> bool:
        """Whether it is still reading its data."""
        return self.ask(b"PING").startswith(b"-LOADING")

    def ask(self, command: bytes, timeout_s: float = ANSWER_TIMEOUT_S) -> bytes:
        """Send one command, return the first piece of the reply; b"" if it closed the line. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            line.connect(str(self.socket))
            line.sendall(command + b"\r\n")
            return line.recv(4096)

    # -- start -----------------------------------------------------------------------------------

    def start(self, environ: Mapping[str, str]) -> None:
        """Start it, and return when it listens. Raises EmbeddedRedisError, which says what to do."""
        binary = find_binary(self.folder, environ)
        self._trim_log()
        descriptor = self._take_lock()
        try:
            self._spawn(binary, descriptor)
        finally:
            os.close(descriptor)  # the server has its own
        self._wait_until_it_listens(binary)

    def _take_lock(self) -> int:
        descriptor = open_lock_file(self.lock)
        if wait_lock(descriptor, _LEAVING_TIMEOUT_S):
            return descriptor
        os.close(descriptor)
        self._end_unreachable()
        descriptor = open_lock_file(self.lock)
        if wait_lock(descriptor, STOP_TIMEOUT_S):
            return descriptor
        os.close(descriptor)
        raise EmbeddedRedisError(
            f"Another Redis server{self._pid_text()} uses {self.folder} and cannot be reached at {self.socket}."
            " End that process, or set PILLION_DATA_DIR to another folder."
        )

    def _end_unreachable(self) -> None:
        """End a server that lives, but whose socket somebody has deleted: nobody can reach it again."""
        pid = self._pid()
        if pid is None:
            # It has died, and a process forked while it was started has kept its lock: use a new file.
            self.lock.unlink(missing_ok=True)
        elif not self.socket.exists() and has_open(pid, self.lock):
            os.kill(pid, signal.SIGTERM)

    def _spawn(self, binary: Binary, descriptor: int) -> None:
        try:
            with self.log.open("ab") as log:
                child = subprocess.Popen(  # noqa: S603  # see embedded_binary
                    [binary.path, *self._arguments()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(descriptor,),
                    start_new_session=True,
                    umask=0o077,
                    env={"PATH": os.defpath, "LC_ALL": "C"},
                )
            status = child.wait(START_TIMEOUT_S)  # it ends when its daemon has been born
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedRedisError(f"{binary} cannot be run: {error}. Set REDIS_URL to use another Redis.") from error
        if status != 0:
            raise EmbeddedRedisError(self._failure(binary))

    def _arguments(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "yes",
            "pidfile": str(self.folder / "redis.pid"),
            "logfile": str(self.log),
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _wait_until_it_listens(self, binary: Binary) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if not is_locked(self.lock):
                raise EmbeddedRedisError(self._failure(binary))
            if time.monotonic() > deadline:
                raise EmbeddedRedisError(f"{binary} started but does not listen. {self._log_text()}")
            time.sleep(_POLL_S)  # a server that starts gives no other signal than its socket

    # -- stop ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Have it write everything and end; return when it has."""
        try:
            refusal = self.ask(b"SHUTDOWN", STOP_TIMEOUT_S)
        except TimeoutError:
            return  # it is stuck: the next start will see
        except OSError:
            refusal = b""  # it went without a good-bye
        if refusal:
            return  # it cannot save: better that it stays, with the jobs in its memory
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while is_locked(self.lock) and time.monotonic() < deadline:
            time.sleep(_POLL_S)  # the end of a process that is not our child gives no other signal

    # -- details ---------------------------------------------------------------------------------

    def _pid(self) -> int | None:
        """Its process id, if it lives: after a kill -9 the number in its file may be that of a stranger."""
        try:
            pid = int((self.folder / "redis.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if has_open(pid, self.lock) is not False else None

    def _pid_text(self) -> str:
        pid = self._pid()
        return f" (process {pid})" if pid else ""

    def _failure(self, binary: Binary) -> str:
        return (
            f"{binary} cannot serve {self.folder}. Mend what it says below (disk full, not writable, data of a newer"
            f" or another server), or set PILLION_DATA_DIR to another folder. {self._log_text()}"
        )

    def _log_text(self) -> str:
        try:
            tail = self.log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        except OSError:
            return f"Its log {self.log} cannot be read."
        return f"The end of its log {self.log}:\n{tail}"

    def _trim_log(self) -> None:
        try:
            if self.log.stat().st_size > _LOG_LIMIT:
                self.log.unlink()
        except OSError:
            return


def has_open(pid: int, path: Path) -> bool | None:
    """Whether process `pid` has the file `path` open; None where nobody says so: no /proc, or not for us."""
    try:
        wanted = path.stat()
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False if Path("/proc/self/fd").exists() else None
    except OSError:
        return None
    return any(_is_file(each, wanted) for each in opened)


def _is_file(descriptor: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), wanted)
    except OSError:
        return False  # closed in the meantime

"""A private PostgreSQL for tests: real, on a Unix socket in a folder of its own, no TCP port, nothing flushed to disk.

PILLION_TEST_POSTGRES chooses it: a folder with `initdb` and `postgres`, or "off" to leave out the tests that need it,
for machines that have none. Without it the newest one of this machine is used; none is a failure, never a skip.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

START_TIMEOUT_S = 60.0
MISSING = """\
The tests in tests/postgres need a PostgreSQL server (initdb and postgres, 12 or newer), and there is none here.
  Debian, Ubuntu:  apt-get install postgresql        macOS:  brew install postgresql
  elsewhere:       PILLION_TEST_POSTGRES=/folder/with/initdb make test
  do without:      PILLION_TEST_POSTGRES=off make test  (then nothing has been said about transactions on Postgres)"""


def find_programs(choice: str) -> Path | None:
    """The folder of the programs of PostgreSQL; None if the tests do without. Raises LookupError if there is none."""
    if choice == "off":
        return None
    for folder in [Path(choice)] if choice else _known_folders():
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise LookupError(MISSING)


def _known_folders() -> list[Path]:
    """Debian and Fedora keep them beside the path, as several versions may be there; the newest one comes first."""
    versions = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    newest_first = sorted(versions, key=lambda folder: _number(folder.parent.name), reverse=True)
    found = shutil.which("initdb")
    return [*newest_first, *([Path(found).resolve().parent] if found else [])]


def _number(name: str) -> float:
    found = re.search(r"\d+(\.\d+)?", name)
    return float(found[0]) if found else 0.0


class PostgresProcess:
    """A PostgreSQL server. `folder` must be short (a socket's path has at most 107 bytes) and empty.

    The server refuses to run as root: then it runs as `postgres`, or `nobody` where that is missing.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._data = folder / "data"
        self._user = _other_user() if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._initialise()
        self._process = self._start()

    def url(self, driver: str) -> str:
        """The address for SQLAlchemy: `driver` is "psycopg" or "asyncpg"."""
        return f"postgresql+{driver}://tests@/postgres?host={self.folder}"

    def django(self) -> dict[str, object]:
        """The settings of Django for a database on it."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "tests",
            "HOST": str(self.folder),
        }

    @property
    def log(self) -> str:
        return (self.folder / "postgres.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it, and every connection with it."""
        self._process.send_signal(signal.SIGINT)  # "fast": it waits for no client
        try:
            self._process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _initialise(self) -> None:
        command = [self._programs / "initdb", "-D", self._data, "-U", "tests", "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*command, "--no-sync", "--locale=C"], capture_output=True, text=True, check=False, **self._identity()
        )
        assert done.returncode == 0, f"initdb failed:\n{done.stdout}{done.stderr}"

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "full_page_writes": "off",
            "max_prepared_transactions": "10",
            "shared_buffers": "16MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "postgres.log").open("ab") as log:
            process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._identity(),
            )
        self._wait_until_it_answers(process)
        return process

    def _identity(self) -> dict[str, object]:
        """Whose processes these are, and where: the folder of the tests may be closed to that user."""
        if self._user is None:
            return {"cwd": self.folder}
        return {"cwd": self.folder, "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        import psycopg

        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(host=str(self.folder), user="tests", dbname="postgres").close()
                return
            except psycopg.OperationalError:
                assert process.poll() is None, f"postgres did not start:\n{self.log}"
                assert time.monotonic() < deadline, f"postgres does not answer:\n{self.log}"
                time.sleep(0.01)  # a server that starts gives no other signal than its socket


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LookupError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as.")

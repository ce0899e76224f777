"""Where the embedded Redis keeps its data and its socket. Only computes paths; makes nothing.

The socket lives beside the data, where no cleaner of temporary files finds it. A socket's path may
have 107 bytes on Linux (103 on macOS), so the socket of a folder with a long name moves to a short
place of the same user, under a name made from the folder's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from pillion.errors import EmbeddedRedisError

_LONGEST_SOCKET_PATH = 100


def data_dir(configured: str | None, environ: Mapping[str, str]) -> Path:
    """The folder for data: configured, else PILLION_DATA_DIR, else `pillion` in the user's data folder.

    Returns the real path (no symlinks), so that all processes mean the same folder by the same name.
    Raises EmbeddedRedisError where there is no home folder to derive it from.
    """
    explicit = configured or environ.get("PILLION_DATA_DIR")
    if explicit:
        return Path(explicit).expanduser().resolve()
    shared = environ.get("XDG_DATA_HOME", "")
    if shared.startswith("/"):  # the XDG rules say to ignore a relative path
        return Path(shared, "pillion").resolve()
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise EmbeddedRedisError(
            "No Redis is configured, and there is no home folder for an embedded one."
            " Set REDIS_URL to use a Redis, or PILLION_DATA_DIR to the folder where an embedded one may keep its data."
        )
    return Path(home, ".local", "share", "pillion").resolve()


def server_dir(folder: Path) -> Path:
    """The folder of the server itself inside the data folder; Pillion alone writes there."""
    return folder / "redis"


def socket_path(folder: Path) -> Path:
    """The path of the server's socket; the same for every process of this user with this folder."""
    beside = server_dir(folder) / "redis.sock"
    if len(os.fsencode(beside)) <= _LONGEST_SOCKET_PATH:
        return beside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return short_dir() / f"{digest}.sock"


def short_dir() -> Path:
    """This user's own folder for sockets whose usual path would be too long."""
    return Path("/tmp") / f"pillion-{os.getuid()}"  # noqa: S108  # made 0700 and checked to be ours

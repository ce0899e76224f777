"""Identity: the name under which one worker process appears in Redis, and the tag it shows."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

_RELEASE = re.compile(r"\d{8,}")


def new_nonce() -> str:
    """Twelve random lower-case hex characters, once for each worker process (wire-format 7.1)."""
    return os.urandom(6).hex()


def hostname(environ: Mapping[str, str] = os.environ) -> str:
    """The host part of an identity: the platform's DYNO if it names one, else the machine's name."""
    return environ.get("DYNO") or socket.gethostname()


def make_identity(nonce: str, pid: int | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Return "host:pid:nonce" (wire-format 7.1).

    Parameters: `pid` is the process meant, without it this one. The supervisor chooses the nonce
    before the fork, so parent and child come to the same name without a word between them.
    """
    return f"{hostname(environ)}:{os.getpid() if pid is None else pid}:{nonce}"


def default_tag(directory: Path) -> str:
    """What to call an app that gave itself no tag: its folder (behaviour 11).

    Deployment tools put each release into `app/releases/20260131120000`; there it is `app`.
    """
    if directory.parent.name == "releases" and _RELEASE.fullmatch(directory.name):
        return directory.parent.parent.name
    return directory.name

"""File locks that the kernel drops when their holder dies: flock(2) on files that stay empty."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_RETRY_S = 0.01


def open_lock_file(path: Path) -> int:
    """A new open file for locking (never shared with another holder in this process). Close it to let go."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock without waiting; False if somebody else's lock is in the way."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_lock(descriptor: int, timeout_s: float, *, shared: bool = False) -> bool:
    """Lock, waiting up to `timeout_s` seconds; False if that was not long enough."""
    deadline = time.monotonic() + timeout_s
    while not try_lock(descriptor, shared=shared):
        if time.monotonic() > deadline:
            return False
        time.sleep(_RETRY_S)  # flock has no timeout of its own, and an alarm signal is not ours to use
    return True


@contextmanager
def exclusive(path: Path, timeout_s: float) -> Generator[bool]:
    """Hold `path` exclusively during the block; False if it was not free within `timeout_s` seconds."""
    descriptor = open_lock_file(path)
    try:
        locked = wait_lock(descriptor, timeout_s)
        try:
            yield locked
        finally:
            if locked:
                # Not only closed: a child forked meanwhile has a copy, and would hold it on and on.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds `path` now."""
    descriptor = open_lock_file(path)
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)

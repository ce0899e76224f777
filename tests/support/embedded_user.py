"""A process that uses the embedded Redis, told what to do line by line; run by test_embedded_processes.py.

INCR n           any command: its reply is printed as a Python literal, an error as its text
fork             fork a child that keeps its inherited storage, uses it once, and waits for SIGTERM; prints its pid
close            close the storage; prints "closed"
(end of input)   end in order, without closing anything by hand
"""

from __future__ import annotations

import os
import signal
import sys

from pillion.config import Config
from pillion.errors import PillionError
from pillion.storage.connect import open_storage
from pillion.storage.ops.base import command
from pillion.storage.sync import Storage


def answer(storage: Storage, words: list[str]) -> object:
    if words == ["close"]:
        storage.close()
        return "closed"
    if words == ["fork"]:
        return fork(storage)
    try:
        return storage.run(command(*words))
    except PillionError as error:
        return f"{type(error).__name__}: {error}"


def fork(storage: Storage) -> int:
    # Held back since before the fork, and then waited for: a SIGTERM counts whenever it comes. With a handler and
    # signal.pause() one that came just before the pause was heard only by the next signal, which never came.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    child = os.fork()
    if child == 0:
        storage.run(command("INCR", "forked"))
        signal.sigwait([signal.SIGTERM])
        sys.exit(0)  # in order: atexit runs
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    while storage.run(command("GET", "forked")) is None:
        pass
    return child


def main() -> None:
    storage = open_storage(Config(), os.environ)
    for line in sys.stdin:
        print(repr(answer(storage, line.split())), flush=True)


main()

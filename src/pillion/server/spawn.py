"""Spawn: forks a worker process off the supervisor, so that nothing of the supervisor lives on in it.

A fork copies everything: signal handlers, exit handlers, open sockets. The new process gives all of it
up before it does anything else, and it never returns into the supervisor's code: it ends in `os._exit`.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable

from pillion.server.children import Link
from pillion.server.signals import SignalInbox

# All that the supervisor handles, and so all that a worker must not inherit.
SIGNALS = ("TERM", "INT", "HUP", "TSTP", "TTIN", "CHLD", "USR2")
# A terminal sends these to the whole foreground group: the supervisor decides, its workers wait for it.
LEFT_TO_SUPERVISOR = ("INT", "HUP")
# These mean something even while the app is being imported; TERM ends the process there and then.
TRAPPED_FROM_BIRTH = ("TSTP", "TTIN")

EXIT_INTERNAL_ERROR = 70
LAST_WORDS_S = 2.0

WorkerMain = Callable[[Link, SignalInbox], int]


def fork_worker(work: WorkerMain, inherited: Iterable[Link | SignalInbox]) -> tuple[int, Link]:
    """Start a process that runs `work` and exits with the code it returns.

    Parameters: `inherited` is what the supervisor holds and the worker must let go. Without that, a
    worker would keep the links of its siblings open and they would never notice the supervisor's death.
    Returns the process id and the supervisor's end of the link. Raises OSError if there can be no fork.
    """
    ours, theirs = Link.pair()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()  # so that no collection in a worker writes to the memory it shares with us
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.Signals[f"SIG{name}"] for name in SIGNALS])
    try:
        pid = os.fork()
        if pid == 0:
            _be_worker(work, theirs, [ours, *inherited], mask)
    except OSError:
        ours.close()
        theirs.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return pid, ours


def _be_worker(
    work: WorkerMain, link: Link, inherited: Iterable[Link | SignalInbox], mask: set[int | signal.Signals]
) -> None:
    code = EXIT_INTERNAL_ERROR
    try:
        atexit._clear()  # pyright: ignore[reportPrivateUsage] - what was registered is the supervisor's to run
        for each in inherited:
            each.close()
        for name in SIGNALS:
            ignored = name in LEFT_TO_SUPERVISOR
            signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_IGN if ignored else signal.SIG_DFL)
        inbox = SignalInbox()
        inbox.trap(TRAPPED_FROM_BIRTH)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = work(link, inbox)
    except BaseException:  # noqa: BLE001 - whatever it is, it must not unwind into the supervisor's code
        traceback.print_exc()
    finally:
        leave(code)


def leave(code: int) -> None:
    """End this process with `code`, now, whatever its threads are doing.

    Exit handlers run first (error trackers send their last reports in them) and the streams are
    flushed, but only for LAST_WORDS_S: a stuck thread may hold a lock that they need.
    """
    last_words = threading.Thread(target=_last_words, name="pillion.exit", daemon=True)
    last_words.start()
    last_words.join(LAST_WORDS_S)
    os._exit(code)


def _last_words() -> None:
    try:
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] - multiprocessing ends its children so too
    finally:
        sys.stdout.flush()
        sys.stderr.flush()

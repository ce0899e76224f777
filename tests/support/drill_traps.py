"""Traps: a worker process that kills itself at one named point of the engine, once.

The app of a drill says `import drill_traps; drill_traps.set_trap()`; the variable PILLION_DRILL_TRAP
names the point. The trap is armed while the file `armed` is there, and taken down with it before the
kill, so that the process that replaces this one goes on. It is set in the worker only, which loads
the app: the supervisor stays as it is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pillion.server import fetcher, give_back, leases, processor, promotion, settlement
from pillion.server.outcome import Done, Retry
from pillion.storage import link, queue_wait
from pillion.storage.ops import work

FOLDER = Path(os.environ["PILLION_TEST_FOLDER"])
ARMED = FOLDER / "armed"

Function = Callable[..., Any]
Trap = Callable[[], None]
TRAPS: dict[str, Trap] = {}


def set_trap() -> None:
    """Set the trap that PILLION_DRILL_TRAP names."""
    TRAPS[os.environ["PILLION_DRILL_TRAP"]]()


def trap(setter: Trap) -> Trap:
    """Make a trap known by the name of its function."""
    TRAPS[setter.__name__] = setter
    return setter


def die() -> None:
    """kill -9 of this process, if the trap is armed and no other process has been quicker."""
    try:
        ARMED.rename(FOLDER / "sprung")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # not one more line of Python in this thread


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Die on entering a function, if `when(arguments)`."""
    original: Function = getattr(owner, name)

    def trapped(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            die()
        return original(*args, **kwargs)

    setattr(owner, name, trapped)


def after(owner: Any, name: str, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Die on leaving a function, if `when(result)`."""
    original: Function = getattr(owner, name)

    def trapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if when(result):
            die()
        return result

    setattr(owner, name, trapped)


# -- a job comes in --------------------------------------------------------------------------------


@trap
def fetched_and_the_reply_not_processed() -> None:
    after(link.Link, "exchange", when=lambda results: bool(results and isinstance(results[-1], list) and results[-1]))


@trap
def moved_and_not_adopted() -> None:
    after(queue_wait.QueueWait, "take_moved", when=bool)


@trap
def adopted_and_not_begun() -> None:
    after(leases.Leases, "adopt")


@trap
def before_perform() -> None:
    before(processor.Processor, "_run")


@trap
def within_perform() -> None:
    """The job itself calls `die`."""


# -- and goes out ----------------------------------------------------------------------------------


@trap
def after_perform() -> None:
    before(settlement.Settlement, "settle", when=lambda _, __, outcome: isinstance(outcome, Done))


@trap
def before_the_acknowledgement_is_sent() -> None:
    after(work, "acknowledge")


@trap
def after_the_acknowledgement_is_sent() -> None:
    _after_sending("ack")


@trap
def failed_and_not_decided() -> None:
    before(settlement.Settlement, "settle", when=lambda _, __, outcome: isinstance(outcome, Retry))


@trap
def before_the_retry_is_sent() -> None:
    after(work, "settle")


@trap
def after_the_retry_is_sent() -> None:
    _after_sending("settle")


def _after_sending(script: str) -> None:
    """Die with the request on its way and the reply not read."""
    original: Function = link._send

    def trapped(connection: Any, ops: Any) -> None:
        original(connection, ops)
        if any(op.script is not None and op.script.name == script for op in ops):
            die()

    link._send = trapped  # type: ignore[assignment]


# -- a due job --------------------------------------------------------------------------------------


@trap
def due_and_not_promoted() -> None:
    before(promotion.Promoter, "_carry_out")


@trap
def just_promoted() -> None:
    after(promotion.Promoter, "_carry_out")


# -- a job goes back ----------------------------------------------------------------------------------


@trap
def between_two_jobs_of_a_recovery() -> None:
    give_back.PAGE = 1  # jobs of one page share a packet, and there is no "between"
    after(give_back.GiveBack, "_settle")


@trap
def before_a_hand_back() -> None:
    _buffer_much()
    before(leases.Leases, "hand_back")


@trap
def between_two_queues_of_a_hand_back() -> None:
    """As if the packet had been cut in half: Redis gets the give-back of the first queue only."""
    _buffer_much()
    original: Function = link._send

    def trapped(connection: Any, ops: Any) -> None:
        backs = [op for op in ops if op.script is not None and op.script.name == "give_back"]
        if backs and ARMED.exists():
            original(connection, backs[:1])
            die()
        original(connection, ops)

    link._send = trapped  # type: ignore[assignment]


@trap
def after_a_hand_back() -> None:
    _buffer_much()
    after(leases.Leases, "hand_back")


def _buffer_much() -> None:
    """Fetch five more than there are free threads, and let them lie in the buffer until it goes quiet."""
    original: Function = fetcher.Pace.batch
    fetcher.Pace.batch = lambda self, **counts: original(self, **counts) + 5  # type: ignore[method-assign]
    fetcher.HAND_BACK_AFTER_S = 3600.0  # type: ignore[misc]

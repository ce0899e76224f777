"""Signals are written down by the handler and read by one loop (behaviour 10)."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from pillion.server.signals import Action, SignalInbox, action_of


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    inbox = SignalInbox()
    yield inbox
    inbox.close()


def is_readable(inbox: SignalInbox) -> bool:
    return bool(select.select([inbox], [], [], 0)[0])


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("INT", Action.STOP),
        ("TERM", Action.STOP),
        ("TSTP", Action.QUIET),
        ("TTIN", Action.DUMP),
        ("USR2", None),
        ("", None),
    ],
)
def test_what_each_signal_asks_for(name: str, action: Action | None) -> None:
    assert action_of(name) is action


def test_a_trapped_signal_is_noted_by_name(inbox: SignalInbox) -> None:
    inbox.trap(["TERM"])
    signal.raise_signal(signal.SIGTERM)
    assert inbox.drain() == ["TERM"]


def test_signals_are_noted_in_order_of_arrival(inbox: SignalInbox) -> None:
    inbox.trap(["TSTP", "TTIN", "TERM"])
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTERM):
        signal.raise_signal(number)
    assert inbox.drain() == ["TSTP", "TTIN", "TERM"]


def test_a_signal_makes_the_inbox_readable_until_it_is_drained(inbox: SignalInbox) -> None:
    inbox.trap(["TERM"])
    assert not is_readable(inbox)
    signal.raise_signal(signal.SIGTERM)
    assert is_readable(inbox)
    inbox.drain()
    assert not is_readable(inbox)


def test_a_signal_from_another_thread_is_noted_too(inbox: SignalInbox) -> None:
    sender = threading.Thread(target=inbox.put, args=("TSTP",))
    sender.start()
    sender.join()
    assert is_readable(inbox)
    assert inbox.drain() == ["TSTP"]


def test_a_flood_of_signals_neither_blocks_nor_is_lost(inbox: SignalInbox) -> None:
    for _ in range(100_000):  # more than fits into the pipe
        inbox.put("TTIN")
    assert len(inbox.drain()) == 100_000
    assert not is_readable(inbox)


def test_the_handler_that_was_there_before_is_called_first(inbox: SignalInbox) -> None:
    seen: list[list[str]] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: seen.append(list(inbox._names)))
    try:
        inbox.trap(["USR2"])
        signal.raise_signal(signal.SIGUSR2)
        assert seen == [[]]
        assert inbox.drain() == ["USR2"]
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize("failure", [lambda: 1 / 0, lambda: sys.exit(3)])
def test_a_failing_handler_of_the_app_does_not_swallow_the_signal(inbox: SignalInbox, failure: object) -> None:
    before = signal.signal(signal.SIGUSR2, lambda number, frame: failure())  # type: ignore[operator]
    try:
        inbox.trap(["USR2"])
        signal.raise_signal(signal.SIGUSR2)
        assert inbox.drain() == ["USR2"]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_pythons_own_keyboard_interrupt_is_not_a_prior_handler(inbox: SignalInbox) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    inbox.trap(["INT"])
    signal.raise_signal(signal.SIGINT)
    assert inbox.drain() == ["INT"]


def test_trapping_twice_notes_a_signal_once(inbox: SignalInbox) -> None:
    inbox.trap(["TERM"])
    inbox.trap(["TERM"])
    signal.raise_signal(signal.SIGTERM)
    assert inbox.drain() == ["TERM"]


def test_restore_brings_back_the_handlers_from_before_the_first_trap(inbox: SignalInbox) -> None:
    before = signal.getsignal(signal.SIGTERM)
    inbox.trap(["TERM"])
    inbox.trap(["TERM"])
    inbox.restore()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_real_signal_from_the_kernel_wakes_a_sleeping_select(inbox: SignalInbox) -> None:
    inbox.trap(["TSTP"])
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTSTP)).start()
    assert select.select([inbox], [], [], 30)[0] == [inbox]
    assert inbox.drain() == ["TSTP"]

"""What the supervisor concludes from the end of a worker, and when it starts the next one."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from pillion.server.children import (
    LONGEST_RESTART_DELAY_S,
    QUICK_DEATH_S,
    READY,
    STOPPING,
    Child,
    Fate,
    Link,
    fate_of,
    quick_deaths_after,
    restart_delay_s,
)
from pillion.server.endings import describe_end


@pytest.fixture
def link() -> Iterator[Link]:
    ours, theirs = Link.pair()
    yield ours
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    ("words", "exit_code", "had_ready", "told_to_stop", "fate"),
    [
        ({READY, STOPPING}, 0, True, False, Fate.STOPPED),
        ({READY}, 0, True, False, Fate.CRASHED),  # a job called os._exit(0)
        ({READY, STOPPING}, -signal.SIGKILL, True, False, Fate.CRASHED),
        ({READY}, -signal.SIGKILL, True, False, Fate.CRASHED),
        ({READY}, -signal.SIGKILL, True, True, Fate.STOPPED),
        (set[str](), 1, False, False, Fate.BOOT_FAILED),
        (set[str](), 0, False, False, Fate.BOOT_FAILED),
        (set[str](), -signal.SIGSEGV, False, False, Fate.BOOT_FAILED),
        (set[str](), 1, True, False, Fate.CRASHED),  # it has worked before: a broken deploy may be mended
        (set[str](), -signal.SIGTERM, False, True, Fate.STOPPED),
    ],
)
def test_the_fate_of_a_worker(
    link: Link, words: set[str], exit_code: int, had_ready: bool, told_to_stop: bool, fate: Fate
) -> None:
    child = Child(1, "host:1:abc", link, 0.0, words=words)
    assert fate_of(child, exit_code, had_ready=had_ready, told_to_stop=told_to_stop) is fate


def test_a_worker_that_lived_is_replaced_at_once() -> None:
    assert restart_delay_s(quick_deaths_after(5, QUICK_DEATH_S)) == 0.0


def test_the_waits_of_a_crash_loop_double_up_to_half_a_minute() -> None:
    waits, deaths = [], 0
    for _ in range(8):
        deaths = quick_deaths_after(deaths, 0.1)
        waits.append(restart_delay_s(deaths))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_crash_loop_of_weeks_does_not_overflow() -> None:
    assert restart_delay_s(100_000) == LONGEST_RESTART_DELAY_S


@pytest.mark.parametrize(
    ("exit_code", "words"), [(0, "exit code 0"), (7, "exit code 7"), (-9, "signal SIGKILL"), (-63, "signal 63")]
)
def test_an_end_in_words(exit_code: int, words: str) -> None:
    assert describe_end(exit_code) == words

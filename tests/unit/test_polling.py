"""When schedulers look again (behaviour 8)."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest

from pillion.server.polling import poll_interval, wait_until_due


def intervals(processes: int, average_s: float = 5.0) -> list[float]:
    rng = Random(20260214)
    return [poll_interval(processes, average_s, rng) for _ in range(4000)]


@pytest.mark.parametrize(
    ("processes", "low", "high"),
    [(1, 2.5, 7.5), (3, 7.5, 22.5), (9, 22.5, 67.5), (10, 0.0, 100.0), (40, 0.0, 400.0)],
)
def test_intervals_lie_between_their_bounds_and_fill_them(processes: int, low: float, high: float) -> None:
    found = intervals(processes)
    assert low <= min(found) < low + (high - low) * 0.01
    assert high - (high - low) * 0.01 < max(found) <= high


@pytest.mark.parametrize("processes", [1, 3, 9, 10, 40])
def test_on_average_there_is_one_poll_each_five_seconds_in_the_whole_cluster(processes: int) -> None:
    assert fmean(intervals(processes)) / processes == pytest.approx(5.0, rel=0.03)


def test_an_empty_process_list_counts_as_one_process() -> None:
    assert intervals(0) == intervals(1)


def test_the_leader_waits_until_the_next_job_is_due() -> None:
    assert wait_until_due(1000.25, 1000.0, 1.5) == 0.25


def test_an_overdue_job_is_not_waited_for() -> None:
    assert wait_until_due(990.0, 1000.0, 1.5) == 0.0


@pytest.mark.parametrize("next_due_s", [None, 5000.0, float("inf")])
def test_the_leader_never_waits_longer_than_the_longest_wait(next_due_s: float | None) -> None:
    assert wait_until_due(next_due_s, 1000.0, 1.5) == 1.5


def test_a_clock_that_jumps_back_does_not_lengthen_the_wait() -> None:
    due_s = 1000.0
    assert wait_until_due(due_s, due_s - 3600.0, 1.5) == 1.5

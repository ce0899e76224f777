"""Fetching, sleeping and ending: what follows what, and what is never done beside a fetch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from fetcher_scene import ROUTES, SECOND, Eager, GatedLine, NoWaiter, make_fetcher

from pillion.server import fetcher as fetching
from pillion.server.fetcher import Fetcher
from pillion.storage.ops.base import Op


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    monkeypatch.setattr(fetching, "Pace", Eager)
    return []


def open_line(*answers: Sequence[bytes]) -> GatedLine:
    line = GatedLine(SECOND)
    line.gate.set()
    line.answers = [[(0, list(payloads))] for payloads in answers]
    return line


def take(fetcher: Fetcher, count: int) -> list[bytes]:
    return [unit.raw for unit in (fetcher.take() for _ in range(count)) if unit is not None]


def test_a_thread_that_is_alone_runs_what_is_buffered_first(reports: list[BaseException]) -> None:
    line = open_line([b"a", b"b", b"c", b"d"], [b"e", b"f", b"g", b"h"])
    assert take(make_fetcher(line, reports, takers=lambda: 1), 4) == [b"a", b"b", b"c", b"d"]
    assert line.fetches == 1


class Bed(NoWaiter):
    """Somebody pushes a job as soon as anybody sleeps."""

    slept = 0
    look_every_s = 5.0

    def wait(self, paused: Any) -> bool:
        self.slept += 1
        return True

    def take_moved(self) -> list[Any]:
        return []


def test_after_a_fetch_that_brought_less_than_it_asked_for_the_next_is_a_sleep(reports: list[BaseException]) -> None:
    bed = Bed()
    fetcher = make_fetcher(open_line([b"one"], [b"two"]), reports, waiter=bed)
    assert take(fetcher, 1) == [b"one"]
    assert bed.slept == 0
    assert take(fetcher, 1) == [b"two"]
    assert (bed.slept, reports) == (1, [])


def test_after_a_fetch_that_huge_jobs_cut_short_nobody_sleeps(reports: list[BaseException]) -> None:
    line = open_line([b"h" * 600_000, b"i" * 600_000], [b"j"])  # two of four, and 1 MB
    assert [taken[:1] for taken in take(make_fetcher(line, reports), 3)] == [b"h", b"i", b"j"]
    assert reports == []


def test_nobody_fetches_ahead_after_such_a_fetch(reports: list[BaseException]) -> None:
    line = open_line([b"one", b"two"], [b"three"])
    assert take(make_fetcher(line, reports), 2) == [b"one", b"two"]
    assert line.fetches == 1


def test_what_is_buffered_is_counted_when_the_next_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, reports: list[BaseException]
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Eager, "batch", lambda self, *, buffered, **_: seen.append(buffered) or 4)
    line = open_line([b"a", b"b", b"c", b"d"], [b"e", b"f", b"g", b"h"])
    assert take(make_fetcher(line, reports), 3) == [b"a", b"b", b"c"]
    assert seen == [0, 2]


def test_the_pace_is_told_how_long_a_fetch_took(monkeypatch: pytest.MonkeyPatch, reports: list[BaseException]) -> None:
    took: list[float] = []
    monkeypatch.setattr(Eager, "took", lambda self, elapsed_s: took.append(elapsed_s))

    class Slow(GatedLine):
        def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
            time.sleep(0.02)  # the time that is to be measured
            return super().exchange(ops)

    take(make_fetcher(Slow(SECOND), reports), 1)
    assert len(took) == 1
    assert took[0] >= 0.02


class Witness(NoWaiter):
    """Looks, whenever it is asked anything, whether somebody could begin to fetch ahead just now."""

    def __init__(self) -> None:
        self.fetcher: Fetcher | None = None
        self.free: list[bool] = []

    @property
    def armed(self) -> bool:
        self._look()
        return False

    def close(self) -> None:
        self._look()

    def _look(self) -> None:
        assert self.fetcher is not None
        free = self.fetcher._turn.take_if(lambda: True)
        self.free.append(free)
        if free:
            self.fetcher._turn.end()


@pytest.fixture
def witness(reports: list[BaseException]) -> Witness:
    witness = Witness()
    witness.fetcher = make_fetcher(GatedLine(SECOND), reports, waiter=witness)
    return witness


def test_blocking_moves_are_called_off_while_nobody_can_fetch(witness: Witness) -> None:
    assert witness.fetcher is not None
    witness.fetcher.leave()
    assert witness.free == [False]


def test_the_waiter_is_closed_while_nobody_can_fetch(witness: Witness) -> None:
    assert witness.fetcher is not None
    witness.fetcher.close()
    assert witness.free == [False]


class Late(Bed):
    """The process goes quiet while somebody sleeps, and a job is pushed in that moment."""

    fetcher: Fetcher

    def wait(self, paused: Any) -> bool:
        self.fetcher.quiet()
        return True

    def take_moved(self) -> list[Any]:
        return [(ROUTES[0], b"late")]


def test_a_job_that_comes_while_the_process_goes_quiet_goes_back(reports: list[BaseException]) -> None:
    late, line = Late(), open_line([b"one"])
    late.fetcher = make_fetcher(line, reports, waiter=late)
    assert take(late.fetcher, 2) == [b"one"]
    assert [unit.raw for unit in late.fetcher._leases.held.values()] == [b"one"]
    assert reports == []

"""Fetching ahead: one thread waits for Redis, the others run what is buffered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fetcher_scene import SECOND, Eager, GatedLine, make_fetcher

from pillion.errors import RedisUnavailable
from pillion.server import fetcher as fetching
from pillion.server.fetcher import Fetcher
from pillion.server.turn import Turn
from pillion.server.unit_of_work import UnitOfWork


class Taker(threading.Thread):
    """Takes one job."""

    def __init__(self, fetcher: Fetcher) -> None:
        super().__init__(daemon=True)
        self._fetcher = fetcher
        self.taken: bytes | None = b"nothing yet"
        self.start()

    def run(self) -> None:
        unit = self._fetcher.take()
        self.taken = unit and unit.raw

    def result(self) -> bytes | None:
        self.join(60)
        return self.taken


class Scene:
    """A fetcher whose buffer has just become low, and a thread that fetches ahead."""

    def __init__(self, second: Any, reports: list[BaseException]) -> None:
        self.line = GatedLine(second)
        self.fetcher = make_fetcher(self.line, reports)
        assert [self.take(), self.take()] == [b"a", b"b"]
        self.ahead = Taker(self.fetcher)
        assert self.line.reached.wait(60)

    def take(self) -> bytes | None:
        unit = self.fetcher.take()
        return unit and unit.raw


@pytest.fixture
def reports() -> list[BaseException]:
    return []


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, reports: list[BaseException]) -> Callable[[Any], Scene]:
    monkeypatch.setattr(fetching, "Pace", Eager)
    return lambda second: Scene(second, reports)


def test_others_run_what_is_buffered_meanwhile(scene: Callable[[Any], Scene]) -> None:
    running = scene(SECOND)
    assert [running.take(), running.take()] == [b"c", b"d"]
    running.line.gate.set()
    assert running.ahead.result() == b"e"


def test_who_finds_nothing_waits_for_what_is_on_its_way_and_fetches_nothing(scene: Callable[[Any], Scene]) -> None:
    running = scene(SECOND)
    assert [running.take(), running.take()] == [b"c", b"d"]
    others = [Taker(running.fetcher), Taker(running.fetcher)]
    running.line.gate.set()
    assert {running.ahead.result(), *(other.result() for other in others)} == {b"e", b"f", b"g"}
    assert running.line.fetches == 2


def test_an_outage_is_reported_and_holds_nobody_up_while_there_are_jobs(
    scene: Callable[[Any], Scene], reports: list[BaseException]
) -> None:
    error = RedisUnavailable("gone")
    running = scene(error)
    running.line.gate.set()
    assert {running.ahead.result(), running.take()} == {b"c", b"d"}
    assert reports == [error]
    assert running.line.fetches == 2


def test_after_one_that_broke_the_next_fetch_looks_into_the_private_lists(scene: Callable[[Any], Scene]) -> None:
    running = scene(RedisUnavailable("gone"))
    running.line.gate.set()
    assert {running.ahead.result(), running.take()} == {b"c", b"d"}
    running.line.answers.append([(0, [b"e"])])
    assert not running.line.drained
    assert running.take() == b"e"
    assert running.line.drained


def test_nobody_fetches_ahead_after_quiet(monkeypatch: pytest.MonkeyPatch, reports: list[BaseException]) -> None:
    monkeypatch.setattr(fetching, "Pace", Eager)
    line = GatedLine(SECOND)
    line.gate.set()
    fetcher = make_fetcher(line, reports)
    assert [unit.raw for unit in (fetcher.take(), fetcher.take()) if unit] == [b"a", b"b"]
    fetcher.quiet()
    assert fetcher.take() is None
    assert line.answers == [SECOND]


class Preceded(Turn):
    """Just before anybody takes it to fetch ahead, somebody else did, and got less than he asked for."""

    fetcher: Fetcher

    def take_if(self, is_due: Callable[[], object]) -> bool:
        self.fetcher._low, self.fetcher._dry = 0, True
        return super().take_if(is_due)


def test_nobody_fetches_ahead_because_it_was_due_a_moment_ago(
    monkeypatch: pytest.MonkeyPatch, reports: list[BaseException]
) -> None:
    monkeypatch.setattr(fetching, "Pace", Eager)
    line = GatedLine(SECOND)
    line.gate.set()
    fetcher = make_fetcher(line, reports)
    fetcher._turn = Preceded()
    fetcher._turn.fetcher = fetcher
    assert [unit.raw for unit in (fetcher.take(), fetcher.take(), fetcher.take()) if unit] == [b"a", b"b", b"c"]
    assert line.answers == [SECOND]


def test_what_arrives_after_quiet_goes_back(scene: Callable[[Any], Scene]) -> None:
    running = scene(SECOND)
    quieting = threading.Thread(target=running.fetcher.quiet)
    quieting.start()
    assert running.fetcher._stopping.wait(60)
    running.line.gate.set()
    quieting.join(60)
    assert running.ahead.result() is None
    assert running.take() is None
    assert [unit.raw for unit in running.fetcher._leases.held.values()] == [b"a", b"b"]  # these run


def test_closing_waits_for_what_is_on_its_way(scene: Callable[[Any], Scene]) -> None:
    running = scene(SECOND)
    closing = threading.Thread(target=running.fetcher.close)
    closing.start()
    running.line.gate.set()
    closing.join(60)
    assert not closing.is_alive()
    running.ahead.join(60)
    assert running.fetcher._leases.held == {}


class Outpaced(Turn):
    """Who waits for it the first time finds that jobs have come, and then that others have taken them."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = [False]

    def take_unless(self, is_enough: Callable[[], object]) -> bool:
        return self._waits.pop() if self._waits else super().take_unless(is_enough)


def test_who_is_outpaced_by_others_fetches_and_does_not_go_to_sleep(reports: list[BaseException]) -> None:
    fetcher = make_fetcher(GatedLine(SECOND), reports)
    fetcher._turn = Outpaced()
    unit = fetcher.take()
    assert unit is not None
    assert (unit.raw, reports) == (b"a", [])


def test_what_comes_back_just_before_a_fetch_is_taken_and_nobody_goes_to_sleep(reports: list[BaseException]) -> None:
    back = [UnitOfWork("default", 1, b"of a queue that is not paused")]

    line = GatedLine(SECOND)

    def order() -> Sequence[int]:
        fetcher._buffer.extendleft(back)  # as `tick` does, on another thread
        return (0,)

    fetcher = make_fetcher(line, reports, order=order)
    fetcher.one_at_a_time = True
    assert fetcher.take() is back[0]
    assert (line.fetches, reports) == (0, [])


def test_who_gives_up_waiting_at_the_end_disturbs_nobody_who_does_the_same(reports: list[BaseException]) -> None:
    line, others = GatedLine(SECOND), []
    fetcher = make_fetcher(line, reports)
    fetcher._put([UnitOfWork("default", 1, b"buffered")])
    fetcher._waiter.drop = lambda: others.append(fetcher._turn.take_if(lambda: True))
    line.exchange = lambda ops: (_ for _ in ()).throw(RedisUnavailable("gone"))
    fetcher.leave()
    assert others == [False]

"""Fetching ahead: one thread waits for Redis, the others run what is buffered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pillion.config import Config
from pillion.errors import RedisUnavailable
from pillion.server import fetcher as fetching
from pillion.server.fetcher import Fetcher
from pillion.server.reporter import Reporter
from pillion.server.turn import Turn
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import work
from pillion.storage.ops.base import Op

ROUTES = [work.Route.of("default", "host:1:me")]
FIRST, SECOND = [(0, [b"a", b"b", b"c", b"d"])], [(0, [b"e", b"f", b"g", b"h"])]


class Eager:
    """A pace at which four jobs are fetched as soon as fewer than three are left."""

    def batch(self, **_: int) -> int:
        return 4

    def low(self, _threads: int) -> int:
        return 3

    def observe(self, *_: float) -> None: ...

    def took(self, _elapsed_s: float) -> None: ...

    def forget(self) -> None: ...


class GatedLine:
    """Answers the first fetch at once, and the second, with `second`, when `gate` is open."""

    def __init__(self, second: Any) -> None:
        self.answers: list[Any] = [FIRST, second]
        self.reached, self.gate = threading.Event(), threading.Event()
        self.others: list[str] = []

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        return [self._answer(op) for op in ops]

    def _answer(self, op: Op[Any]) -> Any:
        if op.script is None or op.script.name != "fetch":
            self.others.append(op.script.name if op.script else str(op.args[0]))
            return 0
        if len(self.answers) < 2:
            self.reached.set()
            assert self.gate.wait(60)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class NoWaiter:
    """Of a capsule that never gets to sleep."""

    armed = False

    def settle_cancelled(self) -> bool:
        return False

    def cancel_ops(self) -> list[Op[Any]]:
        return []

    def wait(self, paused: Any) -> bool:
        raise AssertionError("there is work")

    def wake(self) -> None: ...

    def drop(self) -> None: ...

    def close(self) -> None: ...


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


def make_fetcher(
    line: GatedLine, reports: list[BaseException], order: Callable[[], Sequence[int]] = lambda: (0,)
) -> Fetcher:
    config = Config()
    config.error_handlers.append(lambda exc, context, config: reports.append(exc))
    return Fetcher(ROUTES, order, line=line, waiter=NoWaiter(), threads=3, reporter=Reporter(config))


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
    assert running.line.answers == []


def test_an_outage_is_reported_and_holds_nobody_up_while_there_are_jobs(
    scene: Callable[[Any], Scene], reports: list[BaseException]
) -> None:
    error = RedisUnavailable("gone")
    running = scene(error)
    running.line.gate.set()
    assert {running.ahead.result(), running.take()} == {b"c", b"d"}
    assert reports == [error]


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

    def order() -> Sequence[int]:
        fetcher._buffer.extendleft(back)  # as `tick` does, on another thread
        return (0,)

    fetcher = make_fetcher(GatedLine(SECOND), reports, order)
    fetcher.one_at_a_time = True
    assert fetcher.take() is back[0]
    assert reports == []


def test_who_gives_up_waiting_at_the_end_disturbs_nobody_who_does_the_same(reports: list[BaseException]) -> None:
    line, others = GatedLine(SECOND), []
    fetcher = make_fetcher(line, reports)
    fetcher._put([UnitOfWork("default", 1, b"buffered")])
    fetcher._waiter.drop = lambda: others.append(fetcher._turn.take_if(lambda: True))
    line.exchange = lambda ops: (_ for _ in ()).throw(RedisUnavailable("gone"))
    fetcher.leave()
    assert others == [False]

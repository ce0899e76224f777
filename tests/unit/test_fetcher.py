"""Fetcher: what becomes of jobs when blocking moves are called off late, or an exchange breaks midway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pillion.config import Config
from pillion.errors import RedisUnavailable
from pillion.server import fetcher as fetching
from pillion.server.fetcher import Fetcher
from pillion.server.reporter import Reporter
from pillion.storage.ops import work
from pillion.storage.ops.base import Op

ROUTES = [work.Route.of(name, "host:1:me") for name in ("high", "low")]


class FetchLine:
    """Answers each fetch with the next of `fetches`; remembers which of them were to drain the private lists."""

    def __init__(self, *fetches: Any) -> None:
        self.fetches = list(fetches)
        self.drained: list[bool] = []

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        return [self._answer(op) for op in ops]

    def _answer(self, op: Op[Any]) -> Any:
        if op.script is None or op.script.name != "fetch":
            return 0
        self.drained.append(op.args[-2] == 1)
        answer = self.fetches.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class LateMove:
    """A waiter with one move under way, that answers when it is called off the second time."""

    def __init__(self, *, brings: bool) -> None:
        self.armed = True
        self._brings = brings
        self._calls = 0

    def settle_cancelled(self) -> bool:
        self._calls += 1
        self.armed = self._calls < 2
        return self._brings and not self.armed

    def cancel_ops(self) -> list[Op[Any]]:
        return []

    def take_moved(self) -> list[Any]:
        return []

    def wait(self) -> bool:
        raise AssertionError("there is work")

    def wake(self) -> None: ...

    def drop(self) -> None:
        self.armed = False

    def close(self) -> None: ...


def _fetcher(line: FetchLine, *, brings: bool = False, reports: list[BaseException] | None = None) -> Fetcher:
    config = Config()
    config.error_handlers.append(lambda exc, context, config: None if reports is None else reports.append(exc))
    waiter = LateMove(brings=brings)
    return Fetcher(ROUTES, lambda: (0, 1), line=line, waiter=waiter, threads=1, reporter=Reporter(config))


def test_a_job_that_a_called_off_move_brought_after_the_fetch_is_looked_for_again() -> None:
    line = FetchLine([(0, [b"one"])], [], [(1, [b"late"])])
    fetcher = _fetcher(line, brings=True)
    assert [unit.raw for unit in (fetcher.take(), fetcher.take()) if unit] == [b"one", b"late"]
    assert line.drained == [True, True, True]


def test_jobs_of_one_exchange_are_not_forgotten_when_the_next_breaks() -> None:
    fetcher = _fetcher(FetchLine([(0, [b"one"])], RedisUnavailable("gone")))
    unit = fetcher.take()
    assert unit is not None
    assert unit.raw == b"one"


@pytest.mark.parametrize("bug", [AttributeError("a bug"), IndexError("no popleft of ours")])
def test_a_bug_is_reported_and_costs_a_thread_one_attempt_and_not_its_life(
    monkeypatch: pytest.MonkeyPatch, bug: Exception
) -> None:
    monkeypatch.setattr(fetching, "OUTAGE_WAIT_S", 0.0)
    reports: list[BaseException] = []
    fetcher = _fetcher(FetchLine(bug, [(0, [b"one"])]), reports=reports)
    unit = fetcher.take()
    assert unit is not None
    assert unit.raw == b"one"
    assert reports == [bug]

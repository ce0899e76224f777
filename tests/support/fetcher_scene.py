"""A Fetcher on a line that answers what it is told to: what it fetches when, and what others do meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from pillion.config import Config
from pillion.server.fetcher import Fetcher
from pillion.server.reporter import Reporter
from pillion.storage.ops import work
from pillion.storage.ops.base import Op

ROUTES = [work.Route.of("default", "host:1:me")]
FIRST, SECOND = [(0, [b"a", b"b", b"c", b"d"])], [(0, [b"e", b"f", b"g", b"h"])]


class Eager:
    """A pace at which four jobs are fetched as soon as fewer than three are left."""

    def batch(self, **_: int) -> int:
        return 4

    def low(self, *, threads: int, takers: int) -> int:
        return 3 if takers > 1 else 0

    def observe(self, *_: float) -> None: ...

    def took(self, _elapsed_s: float) -> None: ...

    def forget(self) -> None: ...


class GatedLine:
    """Answers the first fetch at once, and the second, with `second`, when `gate` is open."""

    def __init__(self, second: Any) -> None:
        self.answers: list[Any] = [FIRST, second]
        self.reached, self.gate = threading.Event(), threading.Event()
        self.fetches = 0
        self.drained = False  # whether the last fetch was to look into the private lists

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        return [self._answer(op) for op in ops]

    def _answer(self, op: Op[Any]) -> Any:
        if op.script is None or op.script.name != "fetch":
            return 0
        self.fetches += 1
        self.drained = op.args[-2] == 1
        if len(self.answers) < 2:
            self.reached.set()
            assert self.gate.wait(60)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class NoWaiter:
    """Of a capsule that never gets to sleep."""

    armed = unsure = False

    def settle_cancelled(self) -> bool:
        return False

    def cancel_ops(self) -> list[Op[Any]]:
        return []

    def wait(self, paused: Any) -> bool:
        raise AssertionError("there is work")

    def wake(self) -> None: ...

    def drop(self) -> None: ...

    def close(self) -> None: ...


def make_fetcher(
    line: GatedLine,
    reports: list[BaseException],
    *,
    order: Callable[[], Sequence[int]] = lambda: (0,),
    waiter: Any = None,
    **more: Any,
) -> Fetcher:
    """For three threads; its errors come into `reports`."""
    config = Config()
    config.error_handlers.append(lambda exc, context, config: reports.append(exc))
    return Fetcher(ROUTES, order, line=line, waiter=waiter or NoWaiter(), threads=3, reporter=Reporter(config), **more)

"""Leases: what this process believes to hold, against a line to Redis that fails in chosen places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pillion.errors import RedisError
from pillion.server.leases import Leases
from pillion.storage.ops import work
from pillion.storage.ops.base import Op

ROUTE = work.Route.of("default", "host:1:me")


class ScriptedLine:
    """Answers each op by the name of its script; remembers the names, one list an exchange."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.sent: list[list[str]] = []

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        names = [op.script.name if op.script else str(op.args[0]) for op in ops]
        self.sent.append(names)
        return [self.answers[name] for name in names]


def _leases(answers: dict[str, Any], on_refusal: Callable[[BaseException], None] = lambda _: None) -> Any:
    line = ScriptedLine(answers)
    return line, Leases([ROUTE], line, on_refusal)


def test_a_fetch_that_redis_answered_with_an_error_is_reconciled_before_the_next():
    """What the script did before it failed stands, and the next fetch counts from the same token."""
    line, leases = _leases({"fetch": RedisError("WRONGTYPE"), "reconcile": 1})
    with pytest.raises(RedisError):
        leases.fetch([ROUTE], 1, first=(), drain=False)
    line.answers["fetch"] = [(0, [b"job"])]
    (unit,) = leases.fetch([ROUTE], 1, first=(), drain=False)
    assert line.sent == [["fetch"], ["reconcile"], ["fetch"]]
    assert unit.raw == b"job"

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
    """What the script did before it failed stands."""
    line, leases = _leases({"fetch": RedisError("WRONGTYPE"), "reconcile": 1})
    with pytest.raises(RedisError):
        leases.fetch([ROUTE], 1, first=(), drain=False)
    line.answers["fetch"] = [(0, [b"job"])]
    (unit,) = leases.fetch([ROUTE], 1, first=(), drain=False)
    assert line.sent == [["fetch"], ["reconcile"], ["fetch"]]
    assert unit.raw == b"job"


def test_tokens_of_a_fetch_without_an_answer_are_never_given_out_again():
    """A stray lease under such a token would be overwritten, and its job lost."""
    line, leases = _leases({"fetch": [(0, [b"first", b"second"])], "reconcile": 0})
    assert [unit.token for unit in leases.fetch([ROUTE], 2, first=(), drain=False)] == [1, 2]
    assert [unit.token for unit in leases.fetch([ROUTE], 2, first=(), drain=False)] == [3, 4]
    line.answers["fetch"] = RedisError("gone")
    with pytest.raises(RedisError):
        leases.fetch([ROUTE], 2, first=(), drain=False)
    (adopted,) = leases.adopt([(ROUTE, b"moved")])
    assert adopted.token > 1_000_000

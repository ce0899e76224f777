"""An Attempt does exactly what a Batch does, whatever comes back (behaviour 1.7, wire-format 0)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from redis import exceptions as redis_errors

from pillion.storage.attempt import Attempt
from pillion.storage.exchange import Batch, Exchange
from pillion.storage.ops.base import Op, Script, command

OPS = [Op((0, 2), int, Script.of("double", "return ARGV[1] * 2")), command("INCR", "a")]
REPLIES = [
    b"4",
    redis_errors.NoScriptError("No matching script."),
    redis_errors.ReadOnlyError("You can't write against a read only replica."),
    redis_errors.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
]
BREAKS: list[tuple[int, Exception]] = [
    (0, redis_errors.ConnectionError("Connection closed by server.")),
    (1, redis_errors.ConnectionError("Connection closed by server.")),
    (0, redis_errors.TimeoutError("Timeout reading from socket")),
]
ROUNDS: list[Any] = [*product(REPLIES, repeat=2), *BREAKS]


def told(exchange: Exchange, rounds: tuple[Any, ...]) -> list[object]:
    """All that an exchange says while these rounds come back."""
    said: list[object] = []
    for round_ in rounds:
        if not exchange.unsettled:
            break
        commands = exchange.commands()
        said.append(commands)
        said.append(_outcome(lambda: _take(exchange, commands, round_)))  # called at once
        if isinstance(said[-1], Exception):
            return said
    said.append(exchange.unsettled)
    if not exchange.unsettled:
        said.append(_outcome(lambda: exchange.results(lambda error: error)))
    return said


def _take(exchange: Exchange, commands: list[Any], round_: Any) -> bool | None:
    loads = [b"sha"] * sum(1 for each in commands if each[0] == "SCRIPT")
    if isinstance(round_[0], int):
        exchange.broke([*loads, *[b"4"] * len(commands)][: round_[0]], round_[1])
        return None
    return exchange.settle([*loads, *round_][: len(commands)])


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # it is what is compared
        return error


@pytest.mark.parametrize("first", ROUNDS, ids=repr)
def test_an_attempt_says_what_a_batch_says(first: Any) -> None:
    for second in ROUNDS:
        rounds = (first, second, REPLIES[:1] * 2)
        assert told(Attempt(OPS), rounds) == told(Batch(OPS), rounds)


def test_an_attempt_at_nothing_is_settled() -> None:
    assert not Attempt([]).unsettled
    assert Attempt([]).results(lambda error: error) == []

"""What is sent, what is sent again, and what is not (behaviour 1.7, wire-format 0)."""

from __future__ import annotations

from typing import Any

import pytest
from redis import exceptions as redis_errors

from pillion.errors import RedisRefused
from pillion.storage.errors_map import explain
from pillion.storage.exchange import Batch, Exchange, Transaction
from pillion.storage.ops.base import Op, Script, command

READONLY = redis_errors.ReadOnlyError("You can't write against a read only replica.")
NOSCRIPT = redis_errors.NoScriptError("No matching script.")
BROKEN = redis_errors.ConnectionError("Connection closed by server.")
DOUBLE = Script.of("double", "return ARGV[1] * 2")


def double(number: int) -> Op[int]:
    return Op((0, number), int, DOUBLE)


def results(exchange: Exchange) -> list[Any]:
    return exchange.results(lambda error: explain(error, "here"))


def test_all_ops_go_out_in_one_round_and_replies_are_parsed_in_order() -> None:
    batch = Batch([Op(("GET", "a"), lambda reply: reply.decode()), command("PING")])
    assert batch.commands() == [("GET", "a"), ("PING",)]
    assert batch.settle([b"x", b"PONG"]) is False
    assert not batch.unsettled
    assert results(batch) == ["x", b"PONG"]


def test_an_unknown_script_is_loaded_and_only_its_ops_are_sent_again() -> None:
    batch = Batch([double(1), command("INCR", "a"), double(2)])
    batch.commands()
    batch.settle([NOSCRIPT, 7, NOSCRIPT])
    assert batch.commands() == [("SCRIPT", "LOAD", DOUBLE.source), double(1).command, double(2).command]
    batch.settle([DOUBLE.sha.encode(), 2, 4])
    assert not batch.unsettled
    assert results(batch) == [2, 7, 4]


def test_a_script_that_stays_unknown_after_loading_is_an_error_and_no_endless_loop() -> None:
    batch = Batch([double(1)])
    for replies in ([NOSCRIPT], [b"sha", NOSCRIPT]):
        batch.commands()
        batch.settle(replies)
    assert not batch.unsettled
    with pytest.raises(Exception, match="No matching script"):
        results(batch)


@pytest.mark.parametrize(
    "error",
    [
        READONLY,
        redis_errors.ResponseError("NOREPLICAS Not enough good replicas to write."),
        redis_errors.ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"),
        redis_errors.ResponseError(
            "ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't write"
        ),
    ],
)
def test_a_change_of_role_gives_up_the_connection_and_sends_the_op_once_more(error: Exception) -> None:
    batch = Batch([command("INCR", "a"), command("INCR", "b")])
    batch.commands()
    assert batch.settle([1, error]) is True
    assert batch.commands() == [("INCR", "b")]
    assert batch.settle([1]) is False
    assert results(batch) == [1, 1]


def test_a_second_change_of_role_is_an_error() -> None:
    batch = Batch([command("INCR", "a")])
    batch.commands()
    assert batch.settle([READONLY]) is True
    batch.commands()
    assert batch.settle([READONLY]) is False
    with pytest.raises(RedisRefused, match="Redis at here refused: it is a replica"):
        results(batch)


def test_the_server_after_a_change_of_role_is_given_the_script_as_well() -> None:
    batch = Batch([double(1)])
    for replies in ([NOSCRIPT], [b"sha", READONLY]):
        batch.commands()
        batch.settle(replies)
    assert batch.commands() == [("SCRIPT", "LOAD", DOUBLE.source), double(1).command]


def test_a_broken_connection_has_only_the_unanswered_ops_sent_again() -> None:
    batch = Batch([command("INCR", name) for name in "abc"])
    batch.commands()
    batch.broke([1], BROKEN)
    assert batch.commands() == [("INCR", "b"), ("INCR", "c")]
    batch.settle([1, 1])
    assert results(batch) == [1, 1, 1]


def test_a_connection_that_breaks_again_is_the_end() -> None:
    batch = Batch([command("PING")])
    batch.commands()
    batch.broke([], BROKEN)
    batch.commands()
    with pytest.raises(redis_errors.ConnectionError):
        batch.broke([], BROKEN)


@pytest.mark.parametrize(
    "error",
    [
        redis_errors.TimeoutError("Timeout reading from socket"),
        redis_errors.AuthenticationError("invalid username-password pair"),
        redis_errors.BusyLoadingError("Redis is loading the dataset in memory"),
        redis_errors.ConnectionError("No connection available."),
    ],
)
@pytest.mark.parametrize("kind", [Batch, Transaction])
def test_a_failure_that_another_connection_would_not_mend_is_not_tried_again(kind: type, error: Exception) -> None:
    exchange = kind([command("PING")])
    exchange.commands()
    with pytest.raises(type(error)):
        exchange.broke([], error)


def test_the_first_error_reply_is_raised_when_all_is_settled() -> None:
    batch = Batch([command("PING"), command("A"), command("B")])
    batch.commands()
    batch.settle([b"PONG", redis_errors.ResponseError("ERR first"), redis_errors.ResponseError("ERR second")])
    with pytest.raises(Exception, match="ERR first"):
        results(batch)


def test_a_transaction_sends_scripts_in_full() -> None:
    transaction = Transaction([double(21), command("INCR", "a")])
    assert transaction.commands() == [("MULTI",), ("EVAL", DOUBLE.source, 0, 21), ("INCR", "a"), ("EXEC",)]
    transaction.settle([b"OK", b"QUEUED", b"QUEUED", [42, 1]])
    assert results(transaction) == [42, 1]


def test_a_transaction_refused_by_a_replica_is_sent_once_more_as_a_whole() -> None:
    aborted = redis_errors.ExecAbortError("Transaction discarded because of previous errors.")
    transaction = Transaction([command("GET", "a"), command("INCR", "a")])
    first = transaction.commands()
    assert transaction.settle([b"OK", b"QUEUED", READONLY, aborted]) is True
    assert transaction.unsettled
    assert transaction.commands() == first
    transaction.settle([b"OK", b"QUEUED", b"QUEUED", [None, 1]])
    assert not transaction.unsettled
    assert results(transaction) == [None, 1]


def test_a_transaction_names_the_command_that_was_wrong_and_not_only_that_it_was_discarded() -> None:
    aborted = redis_errors.ExecAbortError("Transaction discarded because of previous errors.")
    transaction = Transaction([command("INCR", "a"), command("NONSENSE")])
    transaction.commands()
    transaction.settle([b"OK", b"QUEUED", redis_errors.ResponseError("ERR unknown command 'NONSENSE'"), aborted])
    with pytest.raises(Exception, match="unknown command 'NONSENSE'"):
        results(transaction)

"""What redis-py raises, and what Pillion makes of it: each message says where and what to do."""

from __future__ import annotations

import pytest
from redis import exceptions as redis_errors

from pillion.errors import EmbeddedRedisError, RedisError, RedisRefused, RedisUnavailable
from pillion.storage.errors_map import code_of, explain

WHERE = "example.com:6379/0"


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (redis_errors.ReadOnlyError("You can't write against a read only replica."), RedisRefused, "Connect to the"),
        (redis_errors.ResponseError("NOREPLICAS Not enough good replicas to write."), RedisRefused, "min-replicas"),
        (redis_errors.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), RedisRefused, "Raise"),
        (redis_errors.ResponseError("MISCONF Errors writing to the AOF file"), RedisRefused, "disk is full"),
        (redis_errors.NoPermissionError("this user has no permissions"), RedisRefused, "ACL SETUSER"),
        (redis_errors.AuthenticationError("Authentication required."), RedisRefused, "Check the Redis URL"),
        (redis_errors.ResponseError("WRONGPASS invalid username-password pair"), RedisRefused, "Check the Redis URL"),
        (redis_errors.BusyLoadingError("Redis is loading the dataset in memory"), RedisUnavailable, "Wait until"),
        (redis_errors.ResponseError("BUSY Redis is busy running a script."), RedisUnavailable, "SCRIPT KILL"),
        (redis_errors.MasterDownError("Link with MASTER is down"), RedisUnavailable, "Connect to the primary"),
        (redis_errors.ConnectionError("Error 111 connecting. Connection refused."), RedisUnavailable, "Start it"),
        (redis_errors.ConnectionError("max number of clients reached"), RedisUnavailable, "max number of clients"),
        (redis_errors.TimeoutError("Timeout reading from socket"), RedisUnavailable, "did not answer in time"),
        (redis_errors.ConnectionError("No connection available."), RedisUnavailable, "Raise pool_size"),
        (OSError("broken pipe"), RedisUnavailable, "cannot be reached: broken pipe"),
        (redis_errors.MovedError("1 10.0.0.1:7000"), RedisError, "Redis Cluster"),
        (redis_errors.ResponseError("ERR unknown command 'NONSENSE'"), RedisError, "unknown command 'NONSENSE'"),
    ],
)
def test_an_error_says_where_and_what_to_do(error: Exception, kind: type[Exception], advice: str) -> None:
    explained = explain(error, WHERE)
    assert type(explained) is kind
    assert WHERE in str(explained)
    assert advice in str(explained)


@pytest.mark.parametrize("code", ["READONLY", "OOM", "NOREPLICAS", "MISCONF", "NOPERM"])
def test_an_error_inside_a_script_is_told_apart_on_redis_6_and_7(code: str) -> None:
    six = f"ERR Error running script (call to f_12ab): @user_script:1: -{code} what it says."
    seven = f"{code} what it says. script: 12ab, on @user_script:1."
    assert code_of(redis_errors.ResponseError(six)) == code
    assert code_of(redis_errors.ResponseError(seven)) == code


def test_text_that_a_script_raises_by_itself_is_no_code() -> None:
    assert code_of(redis_errors.ResponseError("ERR user_script:1: Script attempted to access x")) == "ERR"
    assert code_of(redis_errors.ResponseError("something in small letters")) == ""


def test_pillions_own_errors_stay_as_they_are_also_where_redis_py_has_wrapped_them() -> None:
    own = EmbeddedRedisError("no server")
    wrapped = redis_errors.ConnectionError(own)
    wrapped.__cause__ = own
    assert explain(own, WHERE) is own
    assert explain(wrapped, WHERE) is own

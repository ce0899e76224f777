"""Ops whose error is their result."""

from __future__ import annotations

import asyncio

import pytest
import redis

from pillion.config import Config, RedisConfig
from pillion.errors import RedisError
from pillion.storage.connect import open_async_storage
from pillion.storage.ops.base import command, script, tolerant
from pillion.storage.ops.web import works
from pillion.storage.sync import Storage


def test_an_error_of_one_does_not_take_the_others_along(storage: Storage, raw: redis.Redis) -> None:
    raw.set("text", "x")
    first, wrong, last = storage.run_all([command("PING"), tolerant(command("LLEN", "text")), command("PING")])
    assert (first, last) == (b"PONG", b"PONG")
    assert isinstance(wrong, RedisError)
    assert "WRONGTYPE" in str(wrong)


def test_others_raise_as_ever(storage: Storage, raw: redis.Redis) -> None:
    raw.set("text", "x")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        storage.run_all([tolerant(command("LLEN", "text")), command("LLEN", "text")])


def test_a_tolerant_script_that_redis_does_not_know_is_loaded(storage: Storage, raw: redis.Redis) -> None:
    raw.script_flush()
    (found,) = storage.run_all([tolerant(works(skip=0, count=10))])
    assert found.total == 0
    assert raw.script_exists(script("web_works").sha) == [True]


def test_the_same_from_an_event_loop(redis_url: str, raw: redis.Redis) -> None:
    raw.set("text", "x")

    async def ask() -> object:
        opened = open_async_storage(Config(redis=RedisConfig(url=redis_url)))
        try:
            return await opened.run(tolerant(command("LLEN", "text")))
        finally:
            await opened.close()

    assert isinstance(asyncio.run(ask()), RedisError)

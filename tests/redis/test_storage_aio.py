"""AsyncStorage: as Storage, from asyncio (against a real server)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import redis
from redis_process import RedisProcess
from relay import Relay

from pillion.config import Config, RedisConfig
from pillion.errors import RedisError, RedisRefused, RedisUnavailable
from pillion.storage.aio import AsyncStorage
from pillion.storage.connect import open_async_storage
from pillion.storage.ops.base import Op, Script, command

T = TypeVar("T")

INCR = command("INCR", "n")
INCR_IN_LUA = Op((1, "n"), int, Script.of("incr", "return redis.call('INCR', KEYS[1])"))


def open_at(url: str, **settings: object) -> AsyncStorage:
    return open_async_storage(Config(redis=RedisConfig(url=url, **settings)), {})  # type: ignore[arg-type]


def with_storage(work: Callable[[AsyncStorage], Awaitable[T]], url: str, **settings: object) -> T:
    """Run `work` with a storage in an event loop of its own."""

    async def run() -> T:
        storage = open_at(url, **settings)
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(run())


def test_ops_scripts_and_transactions(redis_url: str, raw: redis.Redis) -> None:
    raw.script_flush()

    async def work(storage: AsyncStorage) -> None:
        assert await storage.run(Op(("ECHO", "x"), lambda reply: reply * 2)) == b"xx"
        assert await storage.run_all([INCR, INCR_IN_LUA, INCR]) == [1, 3, 2]
        assert await storage.transaction([INCR, INCR_IN_LUA]) == [4, 5]
        assert await storage.run_all([]) == []

    with_storage(work, redis_url)


def test_replies_come_as_redis_sent_them(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> None:
        await storage.run_all([command("ZADD", "z", 1.5, "m"), command("HSET", "h", "f", "v")])
        assert await storage.run(command("ZSCORE", "z", "m")) == b"1.5"
        assert await storage.run(command("HGETALL", "h")) == [b"f", b"v"]

    with_storage(work, redis_url)


def test_a_write_refused_by_a_replica_is_sent_once_more_on_a_new_connection(
    empty_redis: RedisProcess, own_redis: RedisProcess, short_tmp: Path
) -> None:
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", "1")
    relay = Relay(short_tmp, own_redis.socket, empty_redis.socket)
    assert with_storage(lambda storage: storage.run(INCR), relay.url) == 1
    assert relay.connections == 2
    with pytest.raises(RedisRefused, match="it is a replica"):
        with_storage(lambda storage: storage.run(INCR), own_redis.url)
    relay.close()


def test_after_a_lost_reply_the_op_is_sent_once_more(empty_redis: RedisProcess, short_tmp: Path) -> None:
    relay = Relay(short_tmp, empty_redis.socket)

    async def work(storage: AsyncStorage) -> int:
        await storage.run(command("PING"))
        relay.lose_next_reply()
        return int(await storage.run(INCR))

    assert with_storage(work, relay.url) == 2
    relay.close()


def test_an_idle_connection_that_the_server_has_closed_is_replaced(redis_url: str, raw: redis.Redis) -> None:
    async def work(storage: AsyncStorage) -> None:
        assert await storage.run(INCR) == 1
        raw.client_kill_filter(_id=await storage.run(command("CLIENT", "ID")))
        assert await storage.run(INCR) == 2

    with_storage(work, redis_url)


def test_a_server_that_does_not_answer_is_an_error_and_the_op_is_not_sent_twice(own_redis: RedisProcess) -> None:
    async def work(storage: AsyncStorage) -> None:
        await storage.run(INCR)
        own_redis.pause()
        with pytest.raises(RedisUnavailable, match="did not answer in time"):
            await storage.run(INCR)
        own_redis.resume()

    with_storage(work, own_redis.url, timeout_s=0.2)
    with own_redis.client() as client:
        assert client.get("n") == b"2"


def test_an_unreachable_server_is_named_with_host_and_port() -> None:
    with pytest.raises(RedisUnavailable, match=r"Redis at 127\.0\.0\.1:1/0 cannot be reached"):
        with_storage(lambda storage: storage.run(INCR), "redis://127.0.0.1:1/0")


def test_many_tasks_share_the_connections_of_the_pool(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> list[int]:
        async def count() -> int:
            await storage.run(INCR)
            return len((await storage.run(command("CLIENT", "LIST"))).splitlines())

        return await asyncio.gather(*(count() for _ in range(100)))

    assert max(with_storage(work, redis_url, pool_size=5, pool_timeout_s=30)) <= 5


def test_an_exhausted_pool_is_an_error_that_says_what_to_change(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> None:
        async with storage.connection():
            with pytest.raises(RedisUnavailable, match=r"All connections.*pool_size"):
                await storage.run(INCR)
        assert await storage.run(INCR) == 1

    with_storage(work, redis_url, pool_size=1, pool_timeout_s=0.05)


def test_a_cancelled_op_does_not_leave_its_reply_to_the_next(own_redis: RedisProcess) -> None:
    async def work(storage: AsyncStorage) -> None:
        await storage.run_all([command("SET", "a", "of a"), command("SET", "b", "of b")])
        own_redis.pause()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await storage.run(command("GET", "a"))
        own_redis.resume()
        assert await storage.run(command("GET", "b")) == b"of b"

    with_storage(work, own_redis.url, pool_size=1)


def test_a_task_cancelled_between_sending_and_reading_does_not_leave_the_reply_to_the_next(
    own_redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = redis.asyncio.UnixDomainSocketConnection
    send = kind.send_packed_command

    async def send_and_no_more(connection: redis.asyncio.Connection, *args: object, **options: object) -> None:
        await send(connection, *args, **options)  # type: ignore[arg-type]
        raise asyncio.CancelledError

    async def work(storage: AsyncStorage) -> None:
        await storage.run(command("PING"))
        own_redis.pause()  # the reply is late, so that nothing is there to be read when the connection is lent again
        with monkeypatch.context() as patch, pytest.raises(asyncio.CancelledError):
            patch.setattr(kind, "send_packed_command", send_and_no_more)
            await storage.run(command("ECHO", "first"))
        asyncio.get_running_loop().call_later(0.1, own_redis.resume)
        assert await storage.run(command("ECHO", "second")) == b"second"

    with_storage(work, own_redis.url, pool_size=1)


def test_one_storage_serves_several_event_loops_one_after_the_other(redis_url: str, raw: redis.Redis) -> None:
    storage = open_at(redis_url)
    assert [asyncio.run(storage.run(INCR)) for _ in range(3)] == [1, 2, 3]
    # The end of each loop closed its connections: only our own client is left.
    assert len(raw.client_list()) == 1


def test_a_block_has_one_connection_for_all_it_does(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> None:
        async with storage.connection() as client:
            first = await client.client_id()
            assert await client.pipeline().client_id().execute() == [first]
        async with storage.connection() as client:
            subscription = client.pubsub()  # kept: what is thrown away closes by itself
            await subscription.subscribe("news")
        assert await storage.run(INCR) == 1

    with_storage(work, redis_url, pool_size=1)


def test_what_a_block_leaves_open_does_not_reach_the_next_user(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> None:
        async with storage.connection() as client:
            subscription = client.pubsub()  # kept: what is thrown away closes by itself
            await subscription.subscribe("news")
        assert await storage.run(INCR) == 1
        assert await storage.run(command("PUBSUB", "NUMSUB", "news")) == [b"news", 0]
        with pytest.raises(ZeroDivisionError):
            async with storage.connection() as client:
                await client.execute_command("MULTI")
                raise ZeroDivisionError
        assert await storage.run(INCR) == 2

    with_storage(work, redis_url, pool_size=1)


def test_redis_py_never_tries_again_by_itself(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> None:
        async with storage.connection() as client:
            assert client.connection_pool.make_connection().retry._retries == 0

    with_storage(work, redis_url)


def test_a_closed_storage_says_so(redis_url: str) -> None:
    async def work(storage: AsyncStorage) -> None:
        await storage.close()
        with pytest.raises(RedisError, match="has been closed"):
            await storage.run(INCR)

    with_storage(work, redis_url)


def test_a_cancellation_is_never_lost_whichever_turn_of_the_loop_it_comes_in(redis_url: str) -> None:
    async def cancelled_after(storage: AsyncStorage, turns: int) -> bool:
        """Whether the task ended as cancelled, or had ended before."""
        task = asyncio.create_task(storage.run(INCR))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_over = not task.cancel()
        await asyncio.wait([task])
        return was_over or task.cancelled()

    async def work(storage: AsyncStorage) -> None:
        await storage.run(INCR)  # connected
        assert [turns for turns in range(60) if not await cancelled_after(storage, turns)] == []

    with_storage(work, redis_url)

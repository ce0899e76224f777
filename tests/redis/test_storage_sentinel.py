"""Behind Sentinel: a real master, replica and Sentinel, and real failovers (F074, behaviour 25)."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sentinel_process import SERVICE, Watched, free_port

from pillion.config import Config, RedisConfig
from pillion.errors import RedisError, RedisUnavailable
from pillion.storage.connect import open_async_storage, open_storage
from pillion.storage.ops.base import command
from pillion.storage.sync import Storage

INCR = command("INCR", "n")
REPLICATED = command("WAIT", 1, 10_000)


@pytest.fixture
def watch(redis_binary: str) -> Iterator[Callable[..., Watched]]:
    """Starts a master, a replica and a Sentinel."""
    started: list[tuple[Watched, Path]] = []

    def start(**options: object) -> Watched:
        folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
        started.append((Watched(redis_binary, folder, **options), folder))  # type: ignore[arg-type]
        return started[-1][0]

    yield start
    for watched, folder in started:
        watched.stop()
        shutil.rmtree(folder)


@pytest.fixture
def opened() -> Iterator[Callable[..., Storage]]:
    """Opens storages and closes them after the test."""
    storages: list[Storage] = []

    def open_it(**settings: object) -> Storage:
        storages.append(open_storage(Config(redis=RedisConfig(timeout_s=1, **settings)), {}))  # type: ignore[arg-type]
        return storages[-1]

    yield open_it
    for storage in storages:
        storage.close()


def port_of(storage: Storage) -> int:
    return int(storage.run(command("CONFIG", "GET", "port"))[1])


def test_ops_go_to_the_master(watch: Callable[..., Watched], opened: Callable[..., Storage]) -> None:
    watched = watch()
    storage = opened(sentinels=(f"127.0.0.1:{watched.port}",), master_name=SERVICE)
    assert storage.run(INCR) == 1
    assert port_of(storage) == watched.master.port
    assert storage.description == f"{SERVICE}@127.0.0.1:{watched.port}/0"


def test_the_death_of_the_master_is_an_error_until_the_replica_has_taken_over(
    watch: Callable[..., Watched], opened: Callable[..., Storage]
) -> None:
    watched = watch()
    storage = opened(url=watched.url)
    assert storage.run_all([INCR, REPLICATED]) == [1, 1]
    watched.master.kill()
    with pytest.raises(RedisUnavailable, match=f"{SERVICE}@127.0.0.1:{watched.port}"):
        storage.run(INCR)
    Watched.wait_until(lambda: _answers(storage))
    assert storage.run(command("GET", "n")) == b"1"
    assert storage.run(INCR) == 2
    assert port_of(storage) == watched.replica.port


def test_a_planned_failover_moves_the_pooled_connections_to_the_new_master(
    watch: Callable[..., Watched], opened: Callable[..., Storage]
) -> None:
    watched = watch()
    storage = opened(url=watched.url)
    assert storage.run_all([INCR, REPLICATED]) == [1, 1]
    watched.fail_over()
    assert storage.run(INCR) == 2
    assert port_of(storage) == watched.replica.port


def _answers(storage: Storage) -> bool:
    try:
        return bool(storage.run(command("SET", "probe", "1")))
    except RedisError:
        return False


def test_a_link_connection_finds_the_master_at_each_connect(
    watch: Callable[..., Watched], opened: Callable[..., Storage]
) -> None:
    watched = watch()
    storage = opened(url=watched.url)
    link = storage.link_connection()
    link.connect()
    assert link.port == watched.master.port
    link.disconnect()
    watched.master.kill()
    Watched.wait_until(lambda: _answers(storage))
    link.connect()
    assert link.port == watched.replica.port
    link.disconnect()


def test_asyncio_goes_to_the_master_too(watch: Callable[..., Watched]) -> None:
    watched = watch()

    async def work() -> int:
        storage = open_async_storage(Config(redis=RedisConfig(url=watched.url)), {})
        try:
            await storage.run(INCR)
            return int((await storage.run(command("CONFIG", "GET", "port")))[1])
        finally:
            await storage.close()

    assert asyncio.run(work()) == watched.master.port


def test_sentinels_may_have_a_password_of_their_own(
    watch: Callable[..., Watched], opened: Callable[..., Storage]
) -> None:
    watched = watch(password="s3cret")
    assert opened(url=watched.url, sentinel_password="s3cret").run(INCR) == 1
    wrong = watched.url.encode().hex()  # not written here, because a traceback shows source lines
    with pytest.raises(RedisError, match=r"No master found for 'orders', .*AuthenticationError") as error:
        opened(url=watched.url, sentinel_password=wrong).run(INCR)
    assert wrong not in "".join(traceback.format_exception(error.value))


def test_a_service_that_the_sentinels_do_not_know_is_named(
    watch: Callable[..., Watched], opened: Callable[..., Storage]
) -> None:
    watched = watch()
    with pytest.raises(RedisUnavailable, match="No master found for 'other'"):
        opened(url=f"redis+sentinel://127.0.0.1:{watched.port}/other").run(INCR)


def test_sentinels_that_cannot_be_reached_are_named(opened: Callable[..., Storage]) -> None:
    port = free_port()
    with pytest.raises(RedisUnavailable, match=f"Redis at orders@127.0.0.1:{port}/0 cannot be reached"):
        opened(url=f"redis+sentinel://127.0.0.1:{port}/orders").run(INCR)

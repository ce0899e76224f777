"""The embedded Redis through Storage and AsyncStorage, within one process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pillion.config import Config, RedisConfig
from pillion.errors import EmbeddedRedisError, RedisUnavailable
from pillion.storage.connect import open_async_storage, open_storage
from pillion.storage.embedded_lock import is_locked
from pillion.storage.ops.base import command

INCR = command("INCR", "n")


@pytest.fixture
def environ(redis_binary: str, short_tmp: Path) -> dict[str, str]:
    """In which the chosen server is the only one on PATH."""
    programs = short_tmp / "bin"
    programs.mkdir()
    (programs / "redis-server").symlink_to(redis_binary)
    return {"PATH": str(programs), "PILLION_DATA_DIR": str(short_tmp / "data")}


def runs(folder: Path) -> bool:
    return is_locked(folder / "redis" / "server.lock")


def test_opening_a_storage_starts_nothing(environ: dict[str, str], short_tmp: Path) -> None:
    open_storage(Config(), environ).close()
    assert not (short_tmp / "data").exists()


def test_two_storages_of_one_process_hold_it_each_for_itself(environ: dict[str, str], short_tmp: Path) -> None:
    one, two = open_storage(Config(), environ), open_storage(Config(), environ)
    assert [one.run(INCR), two.run(INCR)] == [1, 2]
    one.close()
    assert runs(short_tmp / "data")
    assert two.run(INCR) == 3
    two.close()
    assert not runs(short_tmp / "data")


def test_asyncio_starts_it_and_stops_it(environ: dict[str, str], short_tmp: Path) -> None:
    async def work() -> int:
        storage = open_async_storage(Config(), environ)
        try:
            return int(await storage.run(INCR))
        finally:
            await storage.close()

    assert [asyncio.run(work()), asyncio.run(work())] == [1, 2]
    assert not runs(short_tmp / "data")


def test_asyncio_gets_the_embedded_servers_own_errors(environ: dict[str, str], short_tmp: Path) -> None:
    (short_tmp / "data").write_text("a file, not a folder")

    async def work() -> None:
        storage = open_async_storage(Config(), environ)
        with pytest.raises(EmbeddedRedisError, match="cannot work in"):
            await storage.run(INCR)
        await storage.close()

    asyncio.run(work())


def test_a_link_connection_starts_it_too(environ: dict[str, str], short_tmp: Path) -> None:
    storage = open_storage(Config(), environ)
    link = storage.link_connection()
    link.connect()
    assert runs(short_tmp / "data")
    link.disconnect()
    storage.close()


def test_databases_are_apart(environ: dict[str, str]) -> None:
    zero, one = open_storage(Config(), environ), open_storage(Config(redis=RedisConfig(db=1)), environ)
    assert [zero.run(INCR), one.run(INCR)] == [1, 1]
    zero.close()
    one.close()


def test_a_configured_redis_that_is_unreachable_is_an_error_and_no_reason_to_start_one(
    environ: dict[str, str], short_tmp: Path
) -> None:
    storage = open_storage(Config(), environ | {"REDIS_URL": "redis://127.0.0.1:1/0"})
    with pytest.raises(RedisUnavailable, match=r"Redis at 127\.0\.0\.1:1/0"):
        storage.run(INCR)
    assert not (short_tmp / "data").exists()

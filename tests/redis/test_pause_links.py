"""Pausing over every kind of way to Redis, and over ways that break: no job runs, is lost or doubled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from engine import Engine, payload, until
from redis_process import RedisProcess
from relay import TLS_CERTIFICATE, Relay
from sentinel_process import Watched

from pillion.config import Config, RedisConfig
from pillion.errors import RedisError
from pillion.storage.connect import open_storage
from pillion.storage.ops import pause
from pillion.storage.ops.base import command
from pillion.storage.sync import Storage

Open = Callable[..., Storage]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens storages and closes them after the test."""
    storages: list[Storage] = []

    def open_it(environ: dict[str, str] | None = None, **settings: Any) -> Storage:
        storages.append(open_storage(Config(redis=RedisConfig(timeout_s=2, **settings)), environ or {}))
        return storages[-1]

    yield open_it
    for storage in storages:
        storage.close()


@contextmanager
def _at_work(storage: Storage, ran: list[Any]) -> Iterator[Engine]:
    engine = Engine(storage, concurrency=1)
    engine.job("Note", ran.append)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def _obeys(storage: Storage, ran: list[Any]) -> None:
    """Pause, push, unpause: the job runs after that, and not before."""
    subscribed = command("PUBSUB", "NUMSUB", "pl:control")
    until(lambda: storage.run(subscribed)[1] == 1, "a subscription")
    storage.run(pause.pause("default"))
    until(lambda: not _moves(storage), "no blocking move")
    storage.run(command("LPUSH", "queue:default", payload("Note", len(ran))))
    assert storage.run(command("LLEN", "queue:default")) == 1
    before = len(ran)
    storage.run(pause.unpause("default"))
    until(lambda: len(ran) == before + 1, "the job")


def _moves(storage: Storage) -> bool:
    return b"cmd=blmove" in storage.run(command("CLIENT", "LIST"))


def _port(storage: Storage) -> int:
    try:
        return int(storage.run(command("CONFIG", "GET", "port"))[1])
    except RedisError:
        return 0


def test_over_tls(opened: Open, empty_redis: RedisProcess, short_tmp: Path) -> None:
    ran: list[Any] = []
    relay = Relay(short_tmp, empty_redis.socket, tls=True)
    storage = opened(url=relay.url, ssl={"ca_certs": str(TLS_CERTIFICATE)})
    with _at_work(storage, ran):
        for _ in range(5):
            _obeys(storage, ran)
    relay.close()


def test_with_the_embedded_redis(opened: Open, redis_binary: str, short_tmp: Path) -> None:
    programs = short_tmp / "bin"
    programs.mkdir()
    (programs / "redis-server").symlink_to(redis_binary)
    storage = opened({"PATH": str(programs), "PILLION_DATA_DIR": str(short_tmp / "data")})
    ran: list[Any] = []
    with _at_work(storage, ran):
        _obeys(storage, ran)


def test_behind_sentinel_and_after_a_failover(opened: Open, redis_binary: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    watched = Watched(redis_binary, folder)
    try:
        storage = opened(url=watched.url)
        ran: list[Any] = []
        with _at_work(storage, ran):
            _obeys(storage, ran)
            storage.run(command("WAIT", 1, 10_000))
            watched.fail_over()
            until(lambda: _port(storage) == watched.replica.port, "the new master")
            _obeys(storage, ran)
    finally:
        watched.stop()
        shutil.rmtree(folder)


def test_replies_that_are_lost_around_a_pause_neither_lose_nor_double_a_job(
    opened: Open, empty_redis: RedisProcess, raw: redis.Redis, storage: Storage, short_tmp: Path
) -> None:
    ran: list[int] = []
    relay = Relay(short_tmp, empty_redis.socket)
    with _at_work(opened(url=relay.url), ran):
        for number in range(6):
            until(lambda: raw.pubsub_numsub("pl:control")[0][1] == 1)
            until(lambda: raw.info("clients")["blocked_clients"] == 1)
            relay.lose_next_reply()
            storage.run(pause.pause("default"))
            raw.lpush("queue:default", payload("Note", number))
            until(lambda: raw.info("clients")["blocked_clients"] == 0 and raw.llen("queue:default") == 1)
            assert not raw.exists("{queue:default}:wait:host:1:abc", "{queue:default}:inflight:host:1:abc")
            storage.run(pause.unpause("default"))
            until(lambda number=number: ran == list(range(number + 1)))
    relay.close()

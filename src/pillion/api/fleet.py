"""Fleet: one Redis with its jobs and processes, as the data API sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from pillion.client import Client
from pillion.config import Config
from pillion.storage.connect import AsyncStorage, Storage, open_async_storage, open_storage


class Fleet:
    """Which Redis the objects of the data API ask: `Queue("mail", fleet=Fleet(config))`.

    Parameters: `config` says where Redis is, and has the limits of the dead set, the client middleware
    and the death handlers that actions on jobs use; `clock` is epoch seconds, for tests. Nothing is
    connected before the first call. Safe to share between threads and event loops.
    """

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._storage: Storage | None = None
        self._async_storage: AsyncStorage | None = None
        self.clock = clock

    @property
    def config(self) -> Config:
        """The settings."""
        return self._config

    @property
    def storage(self) -> Any:
        """Runs ops from threads (`storage.sync.Storage`)."""
        with self._lock:
            if self._storage is None:
                self._storage = open_storage(self._config)
            return self._storage

    @property
    def async_storage(self) -> Any:
        """Runs ops from event loops (`storage.aio.AsyncStorage`)."""
        with self._lock:
            if self._async_storage is None:
                self._async_storage = open_async_storage(self._config)
            return self._async_storage

    def stamp(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """A stored payload as it goes into its queue now; None if client middleware stopped it (wire-format 3.2)."""
        return Client(self.storage, self.config).promote_payload(payload)

    def close(self) -> None:
        """Close the connections for threads."""
        if self._storage is not None:
            self._storage.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        if self._async_storage is not None:
            await self._async_storage.close()


class DefaultFleet(Fleet):
    """The Redis that this process pushes to: whatever `pillion.default` knows at the time of a call."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock

    @property
    def config(self) -> Config:
        """The settings of this process."""
        from pillion import default

        return default.config()

    @property
    def storage(self) -> Any:
        """The storage that pushes go through."""
        from pillion import default

        return default.client().storage

    @property
    def async_storage(self) -> Any:
        """The storage that pushes from event loops go through."""
        from pillion import default

        return default.async_client().storage

    def close(self) -> None:
        """Nothing: pushes use these connections."""

    async def aclose(self) -> None:
        """Nothing: pushes use these connections."""


DEFAULT = DefaultFleet()

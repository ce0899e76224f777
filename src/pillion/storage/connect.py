"""Opening a storage: the one door from a Config to Redis."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pillion.config import Config, RedisConfig
from pillion.storage.aio import AsyncStorage
from pillion.storage.aio_wiring import make_async_pool
from pillion.storage.embedded import Lease
from pillion.storage.sync import Storage
from pillion.storage.target import Target, resolve_url
from pillion.storage.wiring import make_pool

__all__ = [
    "AsyncStorage",
    "Storage",
    "Target",
    "open_async_storage",
    "open_async_target",
    "open_storage",
    "open_target",
    "resolve_url",
]


def open_storage(config: Config, environ: Mapping[str, str] = os.environ) -> Storage:
    """The storage for `config`: where it says, else where the environment says, else embedded.

    Nothing is connected or started before the first op. Raises ConfigError for settings that cannot
    be right. Spec: behaviour 25, F240, F241.
    """
    return open_target(resolve_url(config.redis, environ, config.embedded_data_dir), config.redis, environ)


def open_target(target: Target, settings: RedisConfig, environ: Mapping[str, str] = os.environ) -> Storage:
    """The storage for a target that is known already; `settings` says the sizes and timeouts."""
    lease = _lease(target, environ)
    pool = make_pool(target, settings, lease)
    return Storage(pool, target.description, leave=lease.leave if lease else None)


def open_async_storage(config: Config, environ: Mapping[str, str] = os.environ) -> AsyncStorage:
    """`open_storage` for asyncio. May be called outside of an event loop."""
    return open_async_target(resolve_url(config.redis, environ, config.embedded_data_dir), config.redis, environ)


def open_async_target(target: Target, settings: RedisConfig, environ: Mapping[str, str] = os.environ) -> AsyncStorage:
    """`open_target` for asyncio."""
    lease = _lease(target, environ)
    return AsyncStorage(
        lambda: make_async_pool(target, settings, lease),
        target.description,
        leave=lease.leave if lease else None,
    )


def _lease(target: Target, environ: Mapping[str, str]) -> Lease | None:
    return Lease(Path(target.data_dir), Path(target.path), environ) if target.kind == "embedded" else None

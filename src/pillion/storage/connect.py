"""Opening a storage: the one door from a Config to Redis."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pillion.config import Config, RedisConfig
from pillion.errors import EmbeddedRedisError
from pillion.storage.sync import Storage
from pillion.storage.target import Target, resolve_url
from pillion.storage.wiring import make_pool

__all__ = ["Storage", "Target", "open_storage", "open_target", "resolve_url"]


def open_storage(config: Config, environ: Mapping[str, str] = os.environ) -> Storage:
    """The storage for `config`: where it says, else where the environment says, else embedded.

    Connects on first use, but starts the embedded server at once where that is the one. Raises
    ConfigError for settings that cannot be right, EmbeddedRedisError if there is no server to start.
    """
    return open_target(resolve_url(config.redis, environ, config.embedded_data_dir), config.redis)


def open_target(target: Target, settings: RedisConfig) -> Storage:
    """The storage for a target that is known already; `settings` says the sizes and timeouts."""
    if target.kind == "embedded":
        raise EmbeddedRedisError("The embedded Redis is still being built: set REDIS_URL.")
    return Storage(make_pool(target, settings, lambda: None), target.description)

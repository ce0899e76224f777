"""Preflight: is this Redis fit for a worker? Asked once, before the first job is taken (behaviour 11)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from pillion.errors import RedisError, RedisRefused, RedisUnavailable
from pillion.storage.ops.base import command
from pillion.storage.ops.server import parse_info
from pillion.storage.sync import Storage

log = logging.getLogger("pillion")

OLDEST = (6, 2)
UNKNOWN = "unknown"


def check_redis(storage: Storage, *, warn: bool = True) -> str:
    """Return the server's version; with `warn`, log a warning for settings that can lose jobs.

    Raises RedisUnavailable if it cannot be reached, RedisRefused if it is older than 6.2. A server
    whose INFO is forbidden or renamed passes: it may still do everything that is needed.
    """
    try:
        info = parse_info(storage.run(command("INFO")))
    except RedisUnavailable:
        raise
    except RedisError as exc:
        log.debug("Redis at %s does not tell its version: %s", storage.description, exc)
        return UNKNOWN
    version = info.get("redis_version", UNKNOWN)
    if is_too_old(version):
        raise RedisRefused(
            f"Redis at {storage.description} is version {version}; Pillion needs {'.'.join(map(str, OLDEST))} "
            "or newer (it has the BLMOVE command). Upgrade the server or set REDIS_URL to another one."
        )
    for warning in warnings_for(info) if warn else ():
        log.warning("%s", warning)
    return version


def is_too_old(version: str) -> bool:
    """True if `version` is below the oldest one supported. One that cannot be read passes."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST


def warnings_for(info: Mapping[str, str]) -> list[str]:
    """What is set on this server that can lose jobs, in words for the log."""
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return []
    warning = (
        f"Redis has maxmemory-policy {policy!r}: when it is full it throws keys away, and whole queues may be "
        "among them. Set it to 'noeviction', and keep caches in another Redis."
    )
    return [warning]

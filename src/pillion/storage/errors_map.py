"""From what redis-py raises to what Pillion raises, with what to do about it in the message.

Redis says what is wrong in the first word of an error (`READONLY`, `OOM`). redis-py cuts that word off
for the errors it has a class for; Redis 6 buries it in the middle when a script failed
("ERR Error running script ...: -READONLY ..."). `code_of` finds it in all three places.
"""

from __future__ import annotations

import re

import redis
from redis import exceptions as redis_errors

from pillion import errors

# Worth one more attempt on a fresh connection (wire-format 0): the server changed its role under us.
ROLE_CHANGED = frozenset({"READONLY", "NOREPLICAS", "UNBLOCKED"})

_POOL_EMPTY = "No connection available"

_CODE_OF_CLASS: tuple[tuple[type[Exception], str], ...] = (
    (redis_errors.NoScriptError, "NOSCRIPT"),
    (redis_errors.ReadOnlyError, "READONLY"),
    (redis_errors.OutOfMemoryError, "OOM"),
    (redis_errors.NoPermissionError, "NOPERM"),
    (redis_errors.AuthenticationError, "NOAUTH"),
    (redis_errors.AuthorizationError, "NOPERM"),
    (redis_errors.AuthenticationWrongNumberOfArgsError, "NOAUTH"),
    (redis_errors.BusyLoadingError, "LOADING"),
    (redis_errors.ExecAbortError, "EXECABORT"),
    # the more special class first
    (redis_errors.MasterDownError, "MASTERDOWN"),
    (redis_errors.ClusterDownError, "CLUSTERDOWN"),
    (redis_errors.MovedError, "MOVED"),
    (redis_errors.AskError, "ASK"),
    (redis_errors.TryAgainError, "TRYAGAIN"),
    (redis_errors.ClusterCrossSlotError, "CROSSSLOT"),
)

_REFUSED = {
    "READONLY": "it is a replica. Connect to the primary (or to its Sentinels: redis+sentinel://)",
    "NOREPLICAS": "it has fewer good replicas than min-replicas-to-write. Bring the replicas back",
    "OOM": "its memory is full. Raise maxmemory or free keys, and keep maxmemory-policy noeviction",
    "MISCONF": "it cannot save to its disk. Look into the Redis log: the disk is full or not writable",
    "NOPERM": "this user may not do that. Give it the command and the keys with ACL SETUSER",
    "NOAUTH": "it does not accept the username and password. Check the Redis URL",
    "WRONGPASS": "it does not accept the username and password. Check the Redis URL",
}

_UNAVAILABLE = {
    "LOADING": "it is still reading its data from disk. Wait until it has finished",
    "BUSY": "a Lua script of someone has been running too long. End it with SCRIPT KILL",
    "MASTERDOWN": "it is a replica that has lost its primary. Connect to the primary",
    "CLUSTERDOWN": "its cluster is down. Bring the missing nodes back",
    "TRYAGAIN": "its cluster is moving slots. Try again",
}

_CLUSTER = frozenset({"MOVED", "ASK", "CROSSSLOT"})
_BURIED = re.compile(r"-([A-Z]{3,}) ")
_FIRST_WORD = re.compile(r"-?([A-Z]{3,})\b")


def code_of(error: BaseException) -> str:
    """The code of an error reply (`READONLY`), or "" for an error that did not come from Redis."""
    for kind, code in _CODE_OF_CLASS:
        if isinstance(error, kind):
            return code
    if not isinstance(error, redis_errors.ResponseError):
        return ""
    text = str(error)
    first = _FIRST_WORD.match(text)
    code = first.group(1) if first else ""
    buried = _BURIED.search(text)
    if code in ("", "ERR") and buried:
        return buried.group(1)
    return code


def pool_is_empty(error: BaseException) -> bool:
    """Whether redis-py's pool had no free connection within its timeout."""
    return isinstance(error, redis_errors.ConnectionError) and str(error).startswith(_POOL_EMPTY)


def may_try_again(error: BaseException) -> bool:
    """Whether the connection broke or could not be made, so that another one may do better.

    Not after a timeout: the server is slow or stopped, has the command, and may still carry it out.
    """
    return (
        isinstance(error, redis_errors.ConnectionError)
        and not pool_is_empty(error)
        and code_of(error) == ""
        and _own(error) is None
    )


def explain(error: BaseException, where: str) -> BaseException:
    """Pillion's error for one of redis-py's, naming `where` (host:port/db) and what to do.

    An error that is Pillion's own already is returned as it is.
    """
    own = _own(error)
    if own is not None:
        return own
    code = code_of(error)
    if code in _REFUSED:
        return errors.RedisRefused(f"Redis at {where} refused: {_REFUSED[code]}. It said: {_said(error, code)}")
    if code in _UNAVAILABLE:
        return errors.RedisUnavailable(
            f"Redis at {where} does not serve now: {_UNAVAILABLE[code]}. It said: {_said(error, code)}"
        )
    if code in _CLUSTER:
        return errors.RedisError(
            f"Redis at {where} is a node of a Redis Cluster, and Pillion needs a single Redis, or one behind"
            f" Sentinel. It said: {_said(error, code)}"
        )
    return _without_code(error, where)


def _own(error: BaseException) -> errors.PillionError | None:
    """The error of ours that this is, or that redis-py's asyncio connection has wrapped in one of its own."""
    for candidate in (error, error.__cause__):
        if isinstance(candidate, errors.PillionError):
            return candidate
    return None


def _without_code(error: BaseException, where: str) -> BaseException:
    if pool_is_empty(error):
        return errors.RedisUnavailable(
            f"All connections to Redis at {where} were in use for the whole pool_timeout."
            " Raise pool_size to the number of threads or tasks that use Redis at a time,"
            " or hold connections for less long."
        )
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return errors.RedisUnavailable(
            f"Redis at {where} did not answer in time ({error}). Look whether it is overloaded, stopped, or behind"
            " a firewall; timeout_s is how long Pillion waits."
        )
    if isinstance(error, redis.ConnectionError | OSError):
        return errors.RedisUnavailable(
            f"Redis at {where} cannot be reached: {str(error).rstrip('.')}. Start it, or correct the Redis URL"
            " (REDIS_URL, or `url` in the redis settings)."
        )
    return errors.RedisError(f"Redis at {where} answered with an error: {error}")


def _said(error: BaseException, code: str) -> str:
    text = str(error)
    return text if code in text else f"{code} {text}"

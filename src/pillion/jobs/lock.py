"""Lock: one run at a time, over all processes (F110).

    with self.lock(f"payment:{payment_id}", timeout_s=300):     # in a job; also `async with`
        charge(payment_id)

If somebody else has the lock, LockNotAcquired comes out, and the job is retried later. The lock ends by itself after
`timeout_s`: it outlives a process that dies, but not for long. What it guards must therefore be done by then, or be
extended in time; where even a rare overlap does harm, the receiving side must check as well (a unique key, a version).

Design record. The lock has a random token for each holder, and only the holder's token releases it: a run that took
too long must not release the lock of the next one. The token is not the job's id: a job whose lease was lost
is run a second time while its first run may still be going on, and those two must not share a lock.

A run may be cancelled, or interrupted at the deadline, just as Redis answers that the lock is its own. It never comes
to the end of a block, so the lock is released at once. An async run waits for that answer first: a lock that is taken
after it was released would last until it ends by itself.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from pillion.errors import ConfigError, LockNotAcquired, RedisError
from pillion.jobs.calls import Home
from pillion.jobs.guard_runs import run, run_aio_to_end
from pillion.storage.ops.base import Op
from pillion.storage.ops.guards import extend_lock, release_lock, take_lock

LOCK_TIMEOUT_S: Final = 300.0

_log = logging.getLogger("pillion")


class Lock:
    """The lock `key`, held inside of a `with` or `async with` block. Make one for each block.

    `timeout_s` is when it ends by itself. Entering raises LockNotAcquired if somebody else has it, and RedisError.
    """

    def __init__(self, home: Home, key: str, timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self.key = checked_key("lock", key)
        self._home = home
        self._timeout_ms = checked_ms("timeout_s", timeout_s)
        self._token: str | None = None

    def __enter__(self) -> Self:
        token = self._new_token()
        try:
            is_ours = self._run(take_lock(self.key, token, self._timeout_ms))
        except RedisError:
            raise
        except BaseException:  # the process must stop: whoever gets the job next must not wait for our lock to end
            with suppress(RedisError):
                self._run(release_lock(self.key, token))
            raise
        self._taken(token, is_ours)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None
    ) -> None:
        try:
            self._released(self._run(self._release()))
        except RedisError as error:
            self._not_released(error)

    async def __aenter__(self) -> Self:
        token = self._new_token()
        try:
            is_ours = await self._run_aio(take_lock(self.key, token, self._timeout_ms))
        except RedisError:
            raise
        except BaseException:  # cancelled, perhaps for good: nobody would be there to let it go
            with suppress(RedisError):
                await self._run_aio(release_lock(self.key, token))
            raise
        self._taken(token, is_ours)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None
    ) -> None:
        try:
            self._released(await self._run_aio(self._release()))
        except RedisError as error:
            self._not_released(error)

    def extend(self, timeout_s: float | None = None) -> None:
        """Hold it for `timeout_s` seconds from now (as at first, if None). Raises LockNotAcquired if it is lost."""
        if not self._run(self._extend(timeout_s)):
            raise LockNotAcquired(self.key)

    async def extend_aio(self, timeout_s: float | None = None) -> None:
        """The same, to be awaited."""
        if not await self._run_aio(self._extend(timeout_s)):
            raise LockNotAcquired(self.key)

    # -- inside ----------------------------------------------------------------------------------

    def _new_token(self) -> str:
        if self._token is not None:
            raise LockNotAcquired(self.key)
        return secrets.token_hex(12)

    def _taken(self, token: str, is_ours: bool) -> None:  # noqa: FBT001 - the reply of Redis
        if not is_ours:
            raise LockNotAcquired(self.key)
        self._token = token

    def _release(self) -> Op[bool]:
        token, self._token = self._token or "", None
        return release_lock(self.key, token)

    def _extend(self, timeout_s: float | None) -> Op[bool]:
        ms = self._timeout_ms if timeout_s is None else checked_ms("timeout_s", timeout_s)
        return extend_lock(self.key, self._token or "", ms)

    def _released(self, was_ours: bool) -> None:  # noqa: FBT001 - the reply of Redis
        if not was_ours:
            _log.warning(
                "The lock %r ended after %g s, before its block did: another run may have had it meanwhile. "
                "Give it a longer timeout_s, or extend() it in the block.",
                self.key,
                self._timeout_ms / 1000,
            )

    def _not_released(self, error: RedisError) -> None:
        _log.warning("The lock %r could not be released (%s); it ends by itself", self.key, error)

    def _run(self, op: Op[bool]) -> bool:
        return bool(run(self._home, [op])[0])

    async def _run_aio(self, op: Op[bool]) -> bool:
        return bool((await run_aio_to_end(self._home, [op]))[0])


def checked_key(option: str, key: object) -> str:
    """Return a text that is not empty. Raises ConfigError."""
    if isinstance(key, str) and key:
        return key
    raise ConfigError(option, 'a text that names one thing, such as "payment:1"', key)


def checked_ms(option: str, seconds: object) -> int:
    """Seconds above 0 as milliseconds. Raises ConfigError."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        raise ConfigError(option, "seconds, a number above 0", seconds)
    return max(1, round(seconds * 1000))

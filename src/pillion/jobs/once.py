"""Once: what was done is not done again, for a day (F111).

    with self.lock(f"payment:{payment_id}"), self.once(f"payment:{payment_id}") as first:
        if first:
            charge(payment_id)

The marker is set at the end of the block, and only if no error came out of it: what failed is tried again. So there
is a gap. If the process dies after the charge and before the marker, the job runs again and charges again. `once`
keeps repetitions away that come later, a second push or a retry of the steps behind it; what must not happen twice
even in a crash needs a key that the receiving side checks (an idempotency key), or a marker in the same
transaction as the work.

Two runs at the same time both find no marker. Hence the lock around it: look inside of the lock, as above.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final

from pillion.errors import RedisError
from pillion.jobs.calls import Home
from pillion.jobs.guard_runs import run, run_aio, run_aio_to_end
from pillion.jobs.lock import checked_key, checked_ms
from pillion.log import running_payload
from pillion.storage.ops.base import Op
from pillion.storage.ops.guards import mark_done, was_done

ONCE_TTL_S: Final = 86_400.0

_log = logging.getLogger("pillion")


class Once:
    """Tells in a `with` or `async with` block whether `key` still has to be done. Make one for each block.

    `ttl_s` is how long it is remembered. Entering raises RedisError. If the marker cannot be set at the end, that is
    logged as an error and not raised: the work is done, and a retry would do it again for certain.
    """

    def __init__(self, home: Home, key: str, ttl_s: float = ONCE_TTL_S) -> None:
        self.key = checked_key("once", key)
        self._home = home
        self._ttl_ms = checked_ms("ttl_s", ttl_s)
        self._is_first = False

    def __enter__(self) -> bool:
        self._is_first = not run(self._home, [was_done(self.key)])[0]
        return self._is_first

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None
    ) -> None:
        if not self._is_first or kind is not None:
            return
        try:
            run(self._home, [self._mark()])
        except RedisError as error:
            self._not_marked(error)

    async def __aenter__(self) -> bool:
        self._is_first = not (await run_aio(self._home, [was_done(self.key)]))[0]
        return self._is_first

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None
    ) -> None:
        if not self._is_first or kind is not None:
            return
        try:
            await run_aio_to_end(self._home, [self._mark()])
        except RedisError as error:
            self._not_marked(error)

    def _mark(self) -> Op[object]:
        payload = running_payload()
        return mark_done(self.key, str((payload or {}).get("jid") or "1"), self._ttl_ms)

    def _not_marked(self, error: RedisError) -> None:
        _log.error("%r is done, but could not be marked so (%s): a further job may do it again", self.key, error)

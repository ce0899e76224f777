"""Intents: a job is in Redis at once, and runs only if the transaction that meant it has been committed (F020).

    @pillion.job(requires_intent=True)
    def complete_order(order_id: int) -> None: ...

    outbox.require_intents(engine)                              # in the worker
    outbox.enqueue(session, complete_order, [order.id])         # pushes it, and writes the intent

The row is there: it was committed, so the job runs; afterwards the row is deleted. It is not: either the commit still
takes, or there never was one; so the job is postponed a few times and then discarded, with a line in the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, delete, select

import pillion
from pillion.config import Config
from pillion.errors import Postponed
from pillion.outbox.enqueueing import OPTION
from pillion.outbox.table import table
from pillion.wire.timestamps import to_seconds

_log = logging.getLogger("pillion")


def require_intents(
    engine: Engine, *, wait_s: float = 15.0, look_every_s: float = 1.0, config: Config | None = None
) -> None:
    """Have jobs with `requires_intent` looked up in the database of `engine` before they run.

    A job whose intent is not there is run again every `look_every_s` seconds, until `wait_s` seconds after its push.
    Call it where the worker comes by. `config` is that of the process unless given.
    """

    def block(config: Config) -> None:
        config.server_middleware.add(Intents(engine, wait_s, look_every_s))

    if config is not None:
        block(config)
    else:
        pillion.configure_server(block)


class Intents:
    """Server middleware. Jobs that require no intent cost it one look into their payload."""

    def __init__(
        self, engine: Engine, wait_s: float, look_every_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._wait_s = wait_s
        self._look_every_s = look_every_s
        self._clock = clock

    def __call__(self, job: Any, payload: dict[str, Any], queue: str, next_: Callable[[], Any]) -> Any:  # noqa: ARG002
        """Run the job, put it off, or discard it."""
        if not payload.get(OPTION):
            return next_()
        jid = payload["jid"]
        if not self._is_committed(jid):
            self._put_off(payload)
            _log.warning(
                "Discarded %s %s: its intent was not committed within %g s", payload["class"], jid, self._wait_s
            )
            return None
        result = next_()
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.jid == jid))
        return result

    def _is_committed(self, jid: str) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(select(table.c.id).where(table.c.jid == jid).limit(1)) is not None

    def _put_off(self, payload: dict[str, Any]) -> None:
        """Raise Postponed while the commit may still come."""
        pushed_s = to_seconds(payload.get("created_at"))
        if pushed_s is not None and self._clock() - pushed_s < self._wait_s:
            raise Postponed(self._look_every_s, "its intent is not committed yet")

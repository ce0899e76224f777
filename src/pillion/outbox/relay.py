"""Relay: moves committed jobs from the outbox into Redis.

Design record. One transaction for each batch: take rows that nobody else has, push them in one round trip, delete them,
commit. Whatever dies in between leaves the rows where they are, and the next relay pushes them: at least once, and
after a death exactly there perhaps twice, with the same jid. Several relays can run: each takes other rows (Postgres),
or waits for its turn (SQLite, where a write, even of nothing, takes the lock that a SELECT does not).

A committed job is accepted, so limits of queues do not count here: what refuses work has to do so at `enqueue`.

Intents are no jobs of the relay, but it cleans up behind them: a job that ended in the dead set, or was removed by
hand, X take 21 days, and the dead set lets go of a job after 180, until when it can be tried once more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, delete, select

from pillion.client import Client
from pillion.errors import DecodeError
from pillion.outbox.table import table
from pillion.wire.codec import loads_job

BATCH_SIZE: Final = 500
LONGEST_PAUSE_S: Final = 30.0
KEEP_INTENTS_S: Final = 365 * 86_400.0
FORGET_EVERY_S: Final = 3600.0

_log = logging.getLogger("pillion")


class Relay:
    """One relay. `client` is what it pushes with; its config should have no limits of queues.

    `keep_intents_s` is after how many seconds an intent is removed whose job has not ended well: a job that came back
    after that would be discarded. None: never. It should be longer than `dead_timeout_s` of the workers.
    """

    def __init__(
        self,
        engine: Engine,
        client: Client,
        *,
        batch_size: int = BATCH_SIZE,
        keep_intents_s: float | None = KEEP_INTENTS_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._client = client
        self._batch_size = batch_size
        self._keep_intents_s = keep_intents_s
        self._clock = clock
        self._unreadable: set[int] = set()  # rows that somebody else has written, or cut off: they must not stop others

    def move(self) -> int:
        """Push one batch and return how many jobs that were. Raises RedisError and what the database raises."""
        with self._engine.begin() as connection:
            while rows := self._take(connection):
                jobs = {number: job for number, raw in rows if (job := self._read(number, raw)) is not None}
                if jobs:
                    self._client.push_prepared(list(jobs.values()), self._client.storage)
                    connection.execute(delete(table).where(table.c.id.in_(list(jobs))))
                    return len(jobs)
        return 0

    def forget_intents(self) -> int:
        """Remove the intents that are too old, and return how many. Raises what the database raises."""
        if self._keep_intents_s is None:
            return 0
        oldest = datetime.fromtimestamp(self._clock() - self._keep_intents_s, UTC)
        is_over = and_(table.c.payload.is_(None), table.c.created_at < oldest)
        with self._engine.begin() as connection:
            forgotten = connection.execute(delete(table).where(is_over)).rowcount
        if forgotten:
            _log.info("Removed %d intents of before %s: their jobs never ended well", forgotten, oldest)
        return forgotten

    def run(self, stop: threading.Event, poll_s: float = 1.0) -> None:
        """Move what comes until `stop` is set, looking every `poll_s` seconds. Outages are logged and outlived."""
        pause_s, forget_at_s = poll_s, 0.0
        while not stop.is_set():
            try:
                moved = self.move()
                if self._clock() >= forget_at_s:
                    self.forget_intents()
                    forget_at_s = self._clock() + FORGET_EVERY_S
            except Exception as error:  # noqa: BLE001 -- whichever of the two is away: it will be back
                _log.warning("The outbox waits %.0f s, as %s: %s", pause_s, type(error).__name__, error)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = poll_s
            if not moved:
                stop.wait(poll_s)

    def _read(self, number: int, raw: str) -> dict[str, Any] | None:
        """The job of a row. None for what is none: it stays where it is, and is named in the log once."""
        try:
            job = loads_job(raw.encode())
            if not all(isinstance(job.get(key), str) for key in ("class", "jid", "queue")):
                raise DecodeError("a job has the keys class, jid and queue")
        except (DecodeError, UnicodeEncodeError) as error:
            self._unreadable.add(number)
            _log.error("Row %d of %s is no job, and is left there: %s", number, table.name, error)
            return None
        return job

    def _take(self, connection: Connection) -> list[tuple[int, str]]:
        if connection.dialect.name == "sqlite":
            connection.execute(delete(table).where(table.c.id < 0))
        is_job = table.c.payload.is_not(None)
        is_readable = table.c.id.not_in(self._unreadable)
        query = (
            select(table.c.id, table.c.payload).where(is_job, is_readable).order_by(table.c.id).limit(self._batch_size)
        )
        return [(row.id, row.payload) for row in connection.execute(query.with_for_update(skip_locked=True))]

"""enqueue: a job goes into the database instead of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pillion.errors import ConfigError
from pillion.jobs.setter import Setter
from pillion.outbox.table import Entry
from pillion.wire.codec import dumps

OPTION: Final = "requires_intent"
_LATEST_S: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # later than that is no moment in a database


def enqueue(session: Any, job: Any, args: Sequence[Any] = (), *, at: float | None = None, **options: Any) -> str | None:
    """Have `job` pushed by the relay once the transaction of `session` is committed; never if it is rolled back.

    Parameters: `session` is a Session or AsyncSession (there is nothing to await, it is written with the rest of the
    session); `job` a job, or `job.set(...)`; `args` the list of its arguments; `at` when it is to run (epoch seconds);
    `options` as for `set`. All checks of a push are made here, and client middleware runs here. Returns the jid, or
    None if middleware stopped it. Raises InvalidJob, JobArgumentError, ConfigError.

    A job with the option `requires_intent` is pushed at once, and the database only notes that it is meant: a worker
    runs it if that has been committed; see `require_intents`.
    """
    if not callable(getattr(session, "add", None)):
        raise ConfigError("session", "a Session or AsyncSession of SQLAlchemy", session)
    known: Any = getattr(job, "__setter__", job)
    if not isinstance(known, Setter):
        raise ConfigError("job", "a job, or what `set` of a job returns", job)
    pusher = known.set(**options)
    client = pusher.home.client()
    item = {**pusher.options, "class": pusher.job, "args": list(args)}
    if at is not None:
        item["at"] = at
    elif pusher.when is not None:
        item |= client.due(pusher.when)
    payload = client.prepare(item)
    if payload is None:
        return None
    if payload.get(OPTION):
        session.add(Entry(payload["jid"], None, _moment(payload.get("at"))))
        client.push_prepared([payload], client.storage)
    else:
        session.add(Entry(payload["jid"], dumps(payload).decode()))
    return str(payload["jid"])


def _moment(at_s: float | None) -> datetime | None:
    return None if at_s is None else datetime.fromtimestamp(min(at_s, _LATEST_S), UTC)

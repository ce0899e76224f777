"""enqueue: a job goes into the database instead of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pillion.errors import ConfigError
from pillion.jobs.calls import Pusher
from pillion.outbox.table import Entry
from pillion.wire.codec import dumps

OPTION: Final = "requires_intent"


def enqueue(session: Any, job: Any, args: Sequence[Any] = (), **options: Any) -> str | None:
    """Have `job` pushed by the relay once the transaction of `session` is committed; never if it is rolled back.

    Parameters: `session` is a Session or AsyncSession (there is nothing to await, it is written with the rest of the
    session); `job` a job, or `job.set(...)`; `args` the list of its arguments; `options` as for `set`, and `at` (epoch
    seconds). All checks of a push are made here, and client middleware runs here. Returns the jid, or None if
    middleware stopped it. Raises InvalidJob, JobArgumentError, ConfigError.

    A job with the option `requires_intent` is pushed at once, and the database only notes that it is meant: a worker
    runs it if that has been committed; see `require_intents`.
    """
    if not callable(getattr(session, "add", None)):
        raise ConfigError("session", "a Session or AsyncSession of SQLAlchemy", session)
    pusher: Any = getattr(job, "__setter__", job)
    if not isinstance(pusher, Pusher):
        raise ConfigError("job", "a job, or what `set` of a job returns", job)
    client = pusher.home.client()
    item = {**pusher.options, **options, "class": pusher.job, "args": list(args)}
    if pusher.when is not None and "at" not in item:
        item |= client.due(pusher.when)
    payload = client.prepare(item)
    if payload is None:
        return None
    is_intent = bool(payload.get(OPTION))
    session.add(Entry(payload["jid"], None if is_intent else dumps(payload).decode()))
    if is_intent:
        client.push_prepared([payload], client.storage)
    return str(payload["jid"])

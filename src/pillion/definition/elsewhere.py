"""Options that other libraries have and Pillion has under another name, or does without.

An option that Pillion does not know is the application's own, and goes into each payload (behaviour.md 2). Of these
nobody means that: `countdown=10` would push at once, and say nothing. So they are refused, with what to write instead.
Words that an application may well use for something of its own (`expires`, `priority`) are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_RETRY_IN: Final = "write a retry_in(count, exc, payload) that returns the seconds until the next try"
_EVERY_ERROR: Final = (
    'leave it out, as every exception is retried; a retry_in(count, exc, payload) may return "discard" for some'
)
_AT_LEAST_ONCE: Final = "leave it out, as a job counts as done when it has ended, and runs again if its process died"
_NO_RESULTS: Final = "leave it out, as what a job returns is not kept"
_KILLED: Final = 'write execution="process", hard_timeout_s=...; for an async job timeout_s=...'
_JID: Final = 'leave it out, as perform_async returns the jid; one of your own goes with Client.push({"jid": ..., ...})'

# The library that has the word, and what to do here.
_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "countdown": ("Celery", "use perform_in(seconds, ...) or set(wait=seconds)"),
        "eta": ("Celery", "use perform_at(moment, ...) or set(wait_until=moment)"),
        "delay": ("Dramatiq", "use perform_in(seconds, ...) or set(wait=seconds)"),
        "bind": ("Celery", "write a job class, whose perform has self"),
        "name": ("Celery", "write wire_name=..., where the job is defined"),
        "actor_name": ("Dramatiq", "write wire_name=..., where the job is defined"),
        "queue_name": ("Dramatiq", "write queue=..."),
        "routing_key": ("Celery", "write queue=..."),
        "max_retries": ("Celery", "write retry=..."),
        "max_tries": ("arq", "write retry=..., which does not count the first run"),
        "autoretry_for": ("Celery", _EVERY_ERROR),
        "dont_autoretry_for": ("Celery", _EVERY_ERROR),
        "retry_when": ("Dramatiq", _EVERY_ERROR),
        "retry_kwargs": ("Celery", "write retry=..."),
        "retry_backoff": ("Celery", _RETRY_IN),
        "retry_backoff_max": ("Celery", _RETRY_IN),
        "retry_jitter": ("Celery", "leave it out, as there always is some"),
        "default_retry_delay": ("Celery", _RETRY_IN),
        "retry_delay": ("Huey", _RETRY_IN),
        "min_backoff": ("Dramatiq", _RETRY_IN),
        "max_backoff": ("Dramatiq", _RETRY_IN),
        "acks_late": ("Celery", _AT_LEAST_ONCE),
        "acks_on_failure_or_timeout": ("Celery", _AT_LEAST_ONCE),
        "reject_on_worker_lost": ("Celery", _AT_LEAST_ONCE),
        "soft_time_limit": ("Celery", "write timeout_s=..., which is for async jobs"),
        "time_limit": ("Celery", _KILLED),
        "job_timeout": ("RQ", _KILLED),
        "rate_limit": ("Celery", "give the job a queue of its own, and that a capsule with little concurrency"),
        "ignore_result": ("Celery", _NO_RESULTS),
        "result_ttl": ("RQ", _NO_RESULTS),
        "failure_ttl": ("RQ", "set dead_timeout_s of the config"),
        "store_results": ("Dramatiq", _NO_RESULTS),
        "keep_result": ("arq", _NO_RESULTS),
        "track_started": ("Celery", "leave it out, as the dashboard shows what runs"),
        "task_id": ("Celery", _JID),
        "job_id": ("RQ", _JID),
        "at_front": ("RQ", "push to a queue that the worker looks at first"),
    }
)


def instead_of(option: str) -> str | None:
    """What to write instead of an option of another library, as a sentence; None for any other name."""
    found = _WORDS.get(option)
    return None if found is None else f"{option}= is {found[0]}'s: {found[1]}."

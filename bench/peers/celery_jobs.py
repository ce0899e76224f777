"""celery: acknowledges late, no results, no events, prefetch of 4 for each slot (its default)."""

from __future__ import annotations

from datetime import UTC, datetime

from celery import Celery

from bench.peers.work import BODIES, REDIS_URL, RETRY_S, FailedOnPurpose

app = Celery("bench", broker=REDIS_URL)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=4,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
TASKS = {
    kind: app.task(
        body,
        name=kind,
        autoretry_for=(FailedOnPurpose,),
        default_retry_delay=RETRY_S,
        retry_kwargs={"max_retries": 3, "countdown": RETRY_S},
    )
    for kind, body in BODIES.items()
}


def push(kind: str, n: int, arg: int) -> None:
    TASKS[kind].apply_async((n, arg))


def push_at(kind: str, n: int, arg: int, due: float) -> None:
    TASKS[kind].apply_async((n, arg), eta=datetime.fromtimestamp(due, UTC))

"""What the jobs do, the same for every Python contestant. `n` is the job's slot in the ledger."""

from __future__ import annotations

import asyncio
import os
import time

from bench.peers.ledger import opened

KINDS = ("noop", "sleep_io", "cpu", "fail_once")
RETRY_S = 1  # the delay that every contestant is told to wait before it tries again
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "10"))
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

ledger = opened()


class FailedOnPurpose(Exception):
    """What `fail_once` raises."""


def noop(n: int, arg: int) -> None:
    """Nothing but the entry in the ledger."""
    ledger.begin(n)
    ledger.finished[n] = 1


def sleep_io(n: int, arg: int) -> None:
    """Wait `arg` milliseconds, as for an answer from far away."""
    ledger.begin(n)
    time.sleep(arg / 1000)
    ledger.finish(n)


def cpu(n: int, arg: int) -> None:
    """Count to `arg`."""
    ledger.begin(n)
    total = 0
    for i in range(arg):
        total ^= i * i
    ledger.finish(n)


def fail_once(n: int, arg: int) -> None:
    """Fail the first time."""
    if ledger.begin(n) == 1:
        raise FailedOnPurpose
    ledger.finish(n)


async def anoop(n: int, arg: int) -> None:
    """`noop` for those that run coroutines."""
    noop(n, arg)


async def asleep_io(n: int, arg: int) -> None:
    """`sleep_io` for those that run coroutines."""
    ledger.begin(n)
    await asyncio.sleep(arg / 1000)
    ledger.finish(n)


async def acpu(n: int, arg: int) -> None:
    """`cpu` for those that run coroutines: it holds the loop, as such a job does."""
    cpu(n, arg)


async def afail_once(n: int, arg: int) -> None:
    """`fail_once` for those that run coroutines."""
    fail_once(n, arg)


BODIES = {"noop": noop, "sleep_io": sleep_io, "cpu": cpu, "fail_once": fail_once}
ASYNC_BODIES = {"noop": anoop, "sleep_io": asleep_io, "cpu": acpu, "fail_once": afail_once}

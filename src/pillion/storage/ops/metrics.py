"""Metrics and deploy marks, as ops (wire-format 8 and 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pillion.storage.ops.base import Arg, Op, call, command
from pillion.wire import histogram, keys, rollup
from pillion.wire.rollup import Counts

_READ_HISTOGRAM: tuple[Arg, ...] = tuple(
    part for bucket in range(histogram.BUCKETS) for part in ("GET", "u16", f"#{bucket}")
)


# -- writing ---------------------------------------------------------------------------------------------


def add_once(identity: str, number: int, counts: Mapping[str, Counts], at_s: float) -> Op[bool]:
    """Add what was counted by class to the buckets of an epoch time, coarse ones first. False: it was added before.

    `number` is that of this batch among those of the process `identity`: 1, 2, 3 and so on. A batch
    may be sent again, with the same counts, when nobody knows what became of it; it counts once.
    """
    adds = add(counts, at_s)
    where = list(dict.fromkeys(str(op.args[1]) for op in adds))
    position = {key: index for index, key in enumerate(where, start=2)}
    steps: list[Arg] = []
    for name, key, *words in (op.args for op in adds):
        steps += [len(words), position[str(key)], name, *words]
    marker = keys.metrics_batch(identity)
    return call("count_once", (marker, *where), (number, keys.METRICS_BATCH_TTL_S, *steps), bool)


def add(counts: Mapping[str, Counts], at_s: float) -> list[Op[Any]]:
    """What adds what was counted by class to the buckets of an epoch time, coarse ones first."""
    coarse, fine = keys.rollup(rollup.ten_minutes(at_s)), keys.rollup(rollup.minute(at_s))
    ops = _add_rollup(coarse, counts, keys.ROLLUP_TEN_MINUTES_TTL_S)
    ops += _add_rollup(fine, counts, keys.ROLLUP_MINUTE_TTL_S)
    minute = rollup.histogram_minute(at_s)
    for job_class, counted in counts.items():
        ops += _add_histogram(keys.histogram(job_class, minute), counted.histogram)
    return ops


def _add_rollup(key: str, counts: Mapping[str, Counts], ttl_s: int) -> list[Op[Any]]:
    ops: list[Op[Any]] = []
    for job_class, counted in counts.items():
        amounts = ((rollup.RUNS, counted.runs), (rollup.FAILURES, counted.failed), (rollup.TIME_MS, counted.time_ms))
        ops += [command("HINCRBY", key, rollup.field(job_class, metric), by) for metric, by in amounts if by]
    return [*ops, command("EXPIRE", key, ttl_s)] if ops else []


def _add_histogram(key: str, amounts: Iterable[int]) -> list[Op[Any]]:
    # SAT: a counter that is full stays full, instead of beginning anew at 0.
    steps = [part for bucket, by in enumerate(amounts) if by for part in ("INCRBY", "u16", f"#{bucket}", by)]
    if not steps:
        return []
    return [command("BITFIELD", key, "OVERFLOW", "SAT", *steps), command("EXPIRE", key, keys.HISTOGRAM_TTL_S)]


def claim_mark(label: str, stamp: str) -> Op[bool]:
    """Claim the marking of a deploy for a minute. False: somebody else has marked it."""
    return Op(("SET", keys.deploy_lock(label), stamp, "NX", "EX", keys.DEPLOY_LOCK_TTL_S), bool)


def set_mark(day: date, stamp: str, label: str) -> list[Op[Any]]:
    """One transaction that marks a minute. The first reply is 0 if that minute has a mark already."""
    key = keys.deploy_marks(day)
    return [command("HSETNX", key, stamp, label), command("EXPIRE", key, keys.DEPLOY_MARKS_TTL_S)]


# -- reading -----------------------------------------------------------------------------------------------


def rollup_of_all(bucket: str) -> Op[list[bytes]]:
    """What all classes did in a bucket: field, value, field, value ..."""
    return Op(("HGETALL", keys.rollup(bucket)), list)


def rollup_of(bucket: str, job_class: str) -> Op[list[bytes | None]]:
    """Runs, failures and milliseconds of a class in a bucket; None for what is not there."""
    metrics = (rollup.RUNS, rollup.FAILURES, rollup.TIME_MS)
    return Op(("HMGET", keys.rollup(bucket), *(rollup.field(job_class, metric) for metric in metrics)), list)


def histogram_of(job_class: str, minute: str) -> Op[list[int]]:
    """The counters of a class's histogram in a minute, fastest first; zeros if there is none."""
    return Op(("BITFIELD_RO", keys.histogram(job_class, minute), *_READ_HISTOGRAM), list)


def marks(day: date) -> Op[list[bytes]]:
    """The deploys of a UTC day: stamp, label, stamp, label ..."""
    return Op(("HGETALL", keys.deploy_marks(day)), list)

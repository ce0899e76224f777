"""Pillion. Defaults; what it promises (no job lost when a process is killed) is always on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bench.peers.work import ASYNC_BODIES, BODIES, RETRY_S
from pillion import Job


class Noop(Job, wire_name="Noop"):
    def perform(self, n: int, arg: int) -> None:
        BODIES["noop"](n, arg)


class SleepIo(Job, wire_name="SleepIo"):
    def perform(self, n: int, arg: int) -> None:
        BODIES["sleep_io"](n, arg)


class AsyncSleepIo(Job, wire_name="AsyncSleepIo"):
    async def perform(self, n: int, arg: int) -> None:
        await ASYNC_BODIES["sleep_io"](n, arg)


class Cpu(Job, wire_name="Cpu"):
    def perform(self, n: int, arg: int) -> None:
        BODIES["cpu"](n, arg)


class FailOnce(Job, wire_name="FailOnce"):
    def perform(self, n: int, arg: int) -> None:
        BODIES["fail_once"](n, arg)

    @staticmethod
    def retry_in(count: int, exc: BaseException, payload: dict[str, Any]) -> float:
        return RETRY_S


JOBS: dict[str, type[Any]] = {
    "noop": Noop,
    "sleep_io": SleepIo,
    "asleep_io": AsyncSleepIo,
    "cpu": Cpu,
    "fail_once": FailOnce,
}
ASYNC_OF_MIXED = 4  # after each sync job so many async ones


def push(kind: str, n: int, arg: int) -> None:
    JOBS[kind].perform_async(n, arg)


def push_many(kind: str, numbers: range, arg: int) -> None:
    if kind == "mixed_io":
        for n in range(numbers.start, numbers.stop, ASYNC_OF_MIXED + 1):
            push("sleep_io", n, arg)
            push_many("asleep_io", range(n + 1, min(n + 1 + ASYNC_OF_MIXED, numbers.stop)), arg)
    else:
        JOBS[kind].perform_bulk([[n, arg] for n in numbers])


def push_at(kind: str, n: int, arg: int, due: float) -> None:
    JOBS[kind].perform_at(datetime.fromtimestamp(due, UTC), n, arg)

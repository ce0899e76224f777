"""Pillion, with the job that computes in a process of its own."""

from __future__ import annotations

from typing import Any

from bench.peers.work import BODIES
from pillion import Job


class Cpu(Job, wire_name="Cpu", execution="process"):
    def perform(self, n: int, arg: int) -> None:
        BODIES["cpu"](n, arg)


JOBS: dict[str, type[Any]] = {"cpu": Cpu}


def push_many(kind: str, numbers: range, arg: int) -> None:
    JOBS[kind].perform_bulk([[n, arg] for n in numbers])

"""A Home for tests: settings, registry and clients of its own, with a clock that stands still.

Its clients talk to nobody: they keep the commands they were given, one list for each round trip.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from pillion.client import AsyncClient, Client
from pillion.client.intake import Intake
from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.jobs.base import BaseJob, JobDecorator
from pillion.storage.ops.base import Op

NOW_S = 1_795_300_000.5
NOW_MS = 1_795_300_000_500


class Recorder:
    """Keeps the commands of each round trip."""

    def __init__(self) -> None:
        self.trips: list[list[tuple[Any, ...]]] = []

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        if ops:
            self.trips.append([op.command for op in ops])
        return [None] * len(ops)

    @contextmanager
    def connection(self) -> Any:
        yield "a connection"

    @property
    def commands(self) -> list[tuple[Any, ...]]:
        return [command for trip in self.trips for command in trip]

    @property
    def pushed(self) -> list[dict[str, Any]]:
        """The payloads written to queues and to the schedule, in order, as maps."""
        return [json.loads(part) for command in self.commands for part in command if isinstance(part, bytes)]

    @property
    def scheduled(self) -> list[tuple[float, dict[str, Any]]]:
        """(score, payload) pairs written to the schedule."""
        zadds = [command[2:] for command in self.commands if command[0] == "ZADD"]
        return [(float(zadd[i]), json.loads(zadd[i + 1])) for zadd in zadds for i in range(0, len(zadd), 2)]


class AsyncRecorder(Recorder):
    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        return super().run_all(ops)


class OwnHome:
    """`now_s` can be set; `rand_value` is what the random source answers; jids count up from j1."""

    def __init__(self, **options: Any) -> None:
        self.settings = Config(**options)
        self.jobs = Registry()
        self.sent = Recorder()
        self.sent_async = AsyncRecorder()
        self.now_s = NOW_S
        self.rand_value = 0.5
        numbers = itertools.count(1)
        intake = Intake(
            self.settings,
            clock=lambda: self.now_s,
            rand=lambda: self.rand_value,
            jid=lambda: f"j{next(numbers)}",
        )
        self._client = Client(self.sent, self.settings, intake=intake)
        self._async_client = AsyncClient(self.sent_async, self.settings, intake=intake)
        self.job = JobDecorator(self)

        class Job(BaseJob, abstract=True, home=self):
            """The base class of this home's jobs."""

        self.Job = Job

    def registry(self) -> Registry:
        return self.jobs

    def config(self) -> Config:
        return self.settings

    def client(self) -> Client:
        return self._client

    def async_client(self) -> AsyncClient:
        return self._async_client

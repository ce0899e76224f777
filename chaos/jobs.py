"""The jobs that Pillion's workers run. Each says in the ledger when it starts and how it ends."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pillion.server.retry
from chaos.ledger import Writer
from pillion import Job

# A jitter of up to nine seconds would only make the end of a run longer.
pillion.server.retry.JITTER_STEP_S = 1

LEDGER = Writer()


class Failure(Exception):
    """What a job raises that is meant to fail."""


class Noted(Job, abstract=True):
    """Keeps the books: `with self.turn() as number`, the number of runs that were settled before this one."""

    @staticmethod
    def retry_in(count, exc, payload):
        return 1

    @contextmanager
    def turn(self) -> Iterator[int]:
        generation = self.__payload__.get("generation", 0)
        turn = (self.jid, self.attempt, generation)
        LEDGER.note("start", *turn)
        try:
            yield self.attempt + generation
        except Failure:
            LEDGER.note("fail", *turn)
            raise
        except BaseException:
            LEDGER.note("cut", *turn)
            raise
        LEDGER.note("end", *turn)


class Work(Noted, wire_name="ChaosWork"):
    """Takes some milliseconds, and fails the first `failures` times. `ballast` only makes it large."""

    def perform(self, milliseconds, failures=0, ballast=""):
        with self.turn() as number:
            until = time.monotonic() + milliseconds / 1000
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, 0.02))  # Shutdown is raised between two lines of Python, not in a sleep
            if number < failures:
                raise Failure(f"run {number}")


class AsyncWork(Noted, wire_name="ChaosAsyncWork"):
    """The same on the event loop."""

    async def perform(self, milliseconds, failures=0):
        with self.turn() as number:
            await asyncio.sleep(milliseconds / 1000)
            if number < failures:
                raise Failure(f"run {number}")


class Doomed(Noted, wire_name="ChaosDoomed", retry=1):
    """Fails as often as it is tried."""

    def perform(self):
        with self.turn() as number:
            raise Failure(f"run {number}, as always")


class Exit(Noted, wire_name="ChaosExit"):
    """Takes its process with it."""

    def perform(self):
        with self.turn():
            LEDGER.note("exit", self.jid, self.attempt, self.__payload__.get("generation", 0))
            os._exit(1)

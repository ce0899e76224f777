"""The demo's side of Redis: push each file once, and look into the dead set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pillion.cli.demo.app import CountFile, SumUp
from pillion.cli.demo.results import Run
from pillion.client import Client
from pillion.config import Config
from pillion.errors import DecodeError
from pillion.storage.connect import Storage
from pillion.storage.ops.base import Op, command
from pillion.wire import keys
from pillion.wire.codec import loads_job

BATCH = 200


def jid_of(run: Run, path: str) -> str:
    """The jid of the job for `path`: the same each time, so that a push can be recognised."""
    return hashlib.sha256(f"{run.token}:{path}".encode()).hexdigest()[:24]


class Recorded:
    """A storage that, in one transaction with each push, writes down in Redis which jids were pushed.

    A process can be killed at any moment. With the note in another place there would be a moment in
    which the jobs are pushed and the note is missing, and the next start would push them again.
    """

    def __init__(self, storage: Storage, note: Op[Any]) -> None:
        self._storage = storage
        self._note = note

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops of the push, and the note."""
        return self._storage.transaction([*ops, self._note])[:-1]

    def connection(self) -> AbstractContextManager[Any]:
        """A connection of the pool."""
        return self._storage.connection()


class DemoQueue:
    """What the demo does with Redis for one run."""

    def __init__(self, storage: Storage, config: Config, run: Run) -> None:
        self._storage = storage
        self._config = config
        self._run = run
        self._pushed = f"pl:demo:{run.token}"

    def push_files(self, paths: Sequence[str]) -> int:
        """Push the jobs for those of `paths` that have never been pushed. Returns their number."""
        known = {jid.decode() for jid in self._storage.run(command("SMEMBERS", self._pushed))}
        waiting = [path for path in paths if jid_of(self._run, path) not in known]
        for start in range(0, len(waiting), BATCH):
            self._push_batch(waiting[start : start + BATCH])
        return len(waiting)

    def _push_batch(self, paths: Sequence[str]) -> None:
        jids = [jid_of(self._run, path) for path in paths]
        note = command("SADD", self._pushed, *jids)
        jobs = [
            {"class": CountFile, "args": [self._run.number, path], "jid": jid}
            for path, jid in zip(paths, jids, strict=True)
        ]
        Client(Recorded(self._storage, note), self._config).push_many(jobs, batch_size=BATCH)

    def push_sum(self) -> None:
        """Push the last job of the run, which the worker that wrote the last row should have done."""
        Client(self._storage, self._config).push({"class": SumUp, "args": [self._run.number]})

    def dead(self) -> Mapping[str, tuple[int, str]]:
        """The files of this run in the dead set: path to (runs, error)."""
        found: dict[str, tuple[int, str]] = {}
        for raw in self._storage.run(command("ZRANGE", keys.DEAD, 0, -1)):
            payload = _read(raw)
            path = str((payload.get("args") or [""])[-1])
            if payload.get("jid") == jid_of(self._run, path):
                error = f"{payload.get('error_class')}: {payload.get('error_message')}"
                found[path] = (int(payload.get("retry_count", 0)) + 1, error)
        return found

    def forget(self) -> None:
        """Remove the note of what was pushed: the run is over."""
        self._storage.run(command("UNLINK", self._pushed))


def _read(raw: bytes) -> dict[str, Any]:
    try:
        return loads_job(raw)
    except DecodeError:
        return {}

"""Where one iterable job keeps how far it has come: in Redis, or nowhere for a run without a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pillion.storage.ops import iteration as ops
from pillion.storage.ops.iteration import Flushed


class Runner(Protocol):
    """What the state needs of a storage: `run` of either kind, so its results may have to be awaited."""

    def run(self, op: Any, /) -> Any:
        """Carry out one op."""
        ...


class State(Protocol):
    """The state of one job. What comes back may have to be awaited. All raise RedisError."""

    def load(self) -> Any:
        """The fields, as a Mapping[str, bytes]; empty if nothing is known."""
        ...

    def flush(self, executions: int, cursor: bytes, runtime: str) -> Any:
        """Save; returns a Flushed."""
        ...

    def cancelled_at(self) -> Any:
        """When the job was cancelled (epoch seconds), or None."""
        ...

    def cancel(self, now_s: int) -> Any:
        """Cancel it; returns when that was done first."""
        ...

    def forget(self) -> Any:
        """The job is complete."""
        ...


class RedisState:
    """The hash `it-<jid>` (wire-format 10)."""

    def __init__(self, storage: Runner, jid: str) -> None:
        self._storage = storage
        self._jid = jid

    def load(self) -> Any:
        """Everything that is known."""
        return self._storage.run(ops.read(self._jid))

    def flush(self, executions: int, cursor: bytes, runtime: str) -> Any:
        """Save; returns a Flushed."""
        return self._storage.run(ops.flush(self._jid, executions, cursor, runtime))

    def cancelled_at(self) -> Any:
        """When the job was cancelled (epoch seconds), or None."""
        return self._storage.run(ops.cancelled_at(self._jid))

    def cancel(self, now_s: int) -> Any:
        """Cancel it; returns when that was done first."""
        return self._storage.run(ops.cancel(self._jid, now_s))

    def forget(self) -> Any:
        """The job is complete."""
        return self._storage.run(ops.forget(self._jid))


class NoState:
    """For `perform_inline`, and for a job that you call yourself: it begins at the beginning and runs to its end."""

    def load(self) -> Mapping[str, bytes]:
        """Nothing is known."""
        return {}

    def flush(self, executions: int, cursor: bytes, runtime: str) -> Flushed:
        """Nothing to save."""
        del executions, cursor, runtime
        return Flushed(saved=True, cancelled_at=None)

    def cancelled_at(self) -> None:
        """Nobody can cancel it from outside."""
        return

    def cancel(self, now_s: int) -> int:
        """It cancels itself."""
        return now_s

    def forget(self) -> None:
        """Nothing to forget."""

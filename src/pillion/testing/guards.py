"""What locks, markers and circuits of jobs have in test modes instead of Redis (`pillion.storage.ops.guards`).

The keys live in the memory of the mode and end by its clock, so `travel` lets a lock or a marker expire.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pillion.storage.ops.base import Op
from pillion.testing.store import Clock


class GuardMemory:
    """A few keys that end by themselves. Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[str, float]] = {}
        self._scripts: Mapping[str, Callable[..., int]] = {
            "lock_take": self._take,
            "lock_release": self._release,
            "lock_extend": self._extend,
            "circuit_fail": self._fail,
            "circuit_close": self._close,
        }
        self._commands: Mapping[str, Callable[..., Any]] = {
            "EXISTS": self._exists,
            "GET": self._get,
            "SET": self._set_px,
            "PTTL": self._left_ms,
        }

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops of guards, as Redis would."""
        with self._lock:
            return [op.parse(self._carry_out(op)) for op in ops]

    def _carry_out(self, op: Op[Any]) -> Any:
        if op.script is not None:
            _count, *args = op.args
            return self._scripts[op.script.name](*map(str, args))
        name, *args = op.args
        return self._commands[str(name)](*map(str, args))

    def _get(self, key: str) -> str | None:
        value, end_s = self._keys.get(key, (None, 0.0))
        return value if end_s > self._clock.now_s() else None

    def _exists(self, key: str) -> int:
        return int(self._get(key) is not None)

    def _set_px(self, key: str, value: str, _px: str, ms: str) -> int:
        return self._set(key, value, ms)

    def _set(self, key: str, value: str, ms: str) -> int:
        self._keys[key] = (value, self._clock.now_s() + int(ms) / 1000)
        return 1

    def _left_ms(self, key: str) -> int:
        return -2 if self._get(key) is None else int((self._keys[key][1] - self._clock.now_s()) * 1000)

    # -- the scripts, by the name of their file ------------------------------------------------------

    def _take(self, key: str, token: str, ms: str) -> int:
        holder = self._get(key)
        return self._set(key, token, ms) if holder is None else int(holder == token)

    def _release(self, key: str, token: str) -> int:
        if self._get(key) != token:
            return 0
        del self._keys[key]
        return 1

    def _extend(self, key: str, token: str, ms: str) -> int:
        return self._set(key, token, ms) if self._get(key) == token else 0

    def _fail(self, key: str, threshold: str, window_ms: str) -> int:
        failures = int(self._get(key) or 0) + 1
        begins_anew = failures == 1 or failures >= int(threshold)
        end_s = self._clock.now_s() + int(window_ms) / 1000 if begins_anew else self._keys[key][1]
        self._keys[key] = (str(failures), end_s)
        return failures

    def _close(self, key: str, threshold: str) -> int:
        if int(self._get(key) or 0) >= int(threshold):
            return 0
        return int(self._keys.pop(key, None) is not None)


class AsyncGuardMemory:
    """GuardMemory for asyncio."""

    def __init__(self, memory: GuardMemory) -> None:
        self._memory = memory

    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops of guards, as Redis would."""
        return self._memory.run_all(ops)

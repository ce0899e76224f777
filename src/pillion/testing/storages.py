"""What the clients of test modes push through instead of Redis.

Fake and inline mode use the real clients, with everything that these do before a push: options, checks,
client middleware, JSON, limits of queues. Only the commands that they send at the end go elsewhere.
These are Sidekiq's (wire-format 2.1 and 3.1) and few; anything else is refused, lest a test passes
because nothing happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from pillion.errors import PillionError
from pillion.storage.ops.base import Op
from pillion.testing.run import Runner
from pillion.testing.store import Entry, FakeQueues
from pillion.wire import keys
from pillion.wire.codec import dumps, loads_job
from pillion.wire.timestamps import to_seconds

_QUEUE_PREFIX = keys.queue("")
_WITHOUT_EFFECT = {"SADD", "LTRIM", "EXPIRE"}


class Pushed(NamedTuple):
    """One payload on its way to a queue, or to the schedule if it has an `at_s` (epoch seconds)."""

    raw: bytes
    queue: str
    at_s: float | None = None


class Reader:
    """Reads the ops of a push: what they would push, and what Redis would answer."""

    def __init__(self, queues: FakeQueues) -> None:
        self._queues = queues

    def read(self, op: Op[Any]) -> tuple[Any, list[Pushed]]:
        """The parsed reply, and what is to be pushed."""
        reply, pushed = self._script(op) if op.script is not None else self._command(op.args)
        return op.parse(reply), pushed

    def _command(self, args: Sequence[Any]) -> tuple[Any, list[Pushed]]:
        name, key, *rest = args
        if name in _WITHOUT_EFFECT or key == keys.SCHEDULER_WAKE:
            return 0, []
        if name == "LPUSH":
            return len(rest), [Pushed(raw, _bare(key)) for raw in rest]
        if name == "ZADD" and key == keys.SCHEDULE:
            pairs = zip(rest[::2], rest[1::2], strict=True)
            return len(rest) // 2, [Pushed(raw, str(loads_job(raw)["queue"]), float(score)) for score, raw in pairs]
        if name == "LLEN":
            return len(self._waiting(_bare(key))), []
        if name == "LINDEX" and rest == [-1]:
            waiting = self._waiting(_bare(key))
            return (dumps(waiting[0].payload) if waiting else None), []
        return refuse(str(name))

    def _script(self, op: Op[Any]) -> tuple[Any, list[Pushed]]:
        """As storage/lua/push_limited.lua."""
        if op.script is None or op.script.name != "push_limited":
            refuse(op.script.name if op.script else "a script")
        _, key, _, queue, max_size, max_latency_ms, now_ms, *payloads = op.args
        waiting = self._waiting(_bare(key))
        if max_size != "" and len(waiting) + len(payloads) > int(max_size):
            return [len(waiting), -1], []
        if max_latency_ms != "" and waiting:
            age_ms = _age_ms(waiting[0], int(now_ms))
            if age_ms >= int(max_latency_ms):
                return [len(waiting), age_ms], []
        return [], [Pushed(raw, str(queue)) for raw in payloads if isinstance(raw, bytes)]

    def _waiting(self, queue: str) -> list[Entry]:
        """The jobs in the list of a queue: not those in the schedule."""
        return self._queues.waiting(lambda entry: entry.kind == "queue" and entry.queue == queue)


class MemoryStorage:
    """Puts what is pushed into FakeQueues. `connection` is the real one: for commands of your own."""

    def __init__(self, queues: FakeQueues, connection: Callable[[], Any]) -> None:
        self._queues = queues
        self._reader = Reader(queues)
        self.connection = connection

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops in memory."""
        return [self._carry_out(op) for op in ops]

    def _carry_out(self, op: Op[Any]) -> Any:
        reply, pushed = self._reader.read(op)
        for raw, queue, at_s in pushed:
            self._queues.add(raw, queue, at_s, "queue" if at_s is None else "schedule")
        return reply


class AsyncMemoryStorage:
    """MemoryStorage for asyncio."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.in_memory = storage
        self.connection = storage.connection

    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops in memory."""
        return self.in_memory.run_all(ops)


class InlineStorage:
    """Runs what is pushed, at once, also what is pushed for later. What a job raises comes out of the push."""

    def __init__(self, runner: Runner, connection: Callable[[], Any]) -> None:
        self._runner = runner
        self._reader = Reader(FakeQueues())  # in which nothing ever waits
        self.connection = connection

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Run what the ops push."""
        return [self._carry_out(op) for op in ops]

    def _carry_out(self, op: Op[Any]) -> Any:
        reply, pushed = self._reader.read(op)
        for one in pushed:
            self._runner.run(one.raw)
        return reply


class AsyncInlineStorage:
    """InlineStorage for asyncio: an async job runs on this event loop, a sync one in a thread."""

    def __init__(self, runner: Runner, connection: Callable[[], Any]) -> None:
        self._runner = runner
        self._reader = Reader(FakeQueues())
        self.connection = connection

    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Run what the ops push."""
        return [await self._carry_out(op) for op in ops]

    async def _carry_out(self, op: Op[Any]) -> Any:
        reply, pushed = self._reader.read(op)
        for one in pushed:
            await self._runner.run_async(one.raw)
        return reply


def refuse(what: str) -> NoReturn:
    """Raise for a command that no push sends."""
    raise PillionError(
        f"{what}: fake mode can push jobs, but not carry out this command. Use a Redis and "
        "`with pillion.testing.disabled():` where it is needed."
    )


def _age_ms(entry: Entry, now_ms: int) -> int:
    enqueued_s = to_seconds(entry.payload.get("enqueued_at"))
    return 0 if enqueued_s is None else max(0, now_ms - int(enqueued_s * 1000))


def _bare(key: Any) -> str:
    return str(key).removeprefix(_QUEUE_PREFIX)

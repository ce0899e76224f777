"""Client and AsyncClient: push jobs (behaviour.md 1).

A client needs no code of the jobs it pushes: `{"class": "billing.jobs.Charge", "args": [7]}` will do.
Both clients share everything but the line that talks to Redis; see `intake`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from itertools import groupby
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from pillion.client.admission import Admission, pressure_ops
from pillion.client.bulk import BATCH_SIZE
from pillion.client.held import Held
from pillion.client.intake import Batch, Intake, Payload
from pillion.client.transactions import Chosen, choose, is_looked_for, wait
from pillion.config import Config
from pillion.errors import InvalidJob
from pillion.storage.ops.base import Op
from pillion.wire.timestamps import Interval

Item = Mapping[str, Any]
S = TypeVar("S")  # the storage
R = TypeVar("R")  # what a push answers: a jid or None, at once or to be awaited


class SyncRunner(Protocol):
    """What a Client needs of its storage: `storage.sync.Storage` is one."""

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops in one round trip."""
        ...

    def connection(self) -> AbstractContextManager[Any]:
        """A connection of the pool, for user code."""
        ...


class AsyncRunner(Protocol):
    """What an AsyncClient needs of its storage: `storage.aio.AsyncStorage` is one."""

    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out the ops in one round trip."""
        ...


class _Common(ABC, Generic[S, R]):
    """What both clients have, apart from talking to Redis."""

    _via: ClassVar[ContextVar[Any]]
    _is_async: ClassVar[bool]

    def __init__(self, storage: S, config: Config, *, intake: Intake | None = None) -> None:
        self.storage = storage
        self.config = config
        self._intake = intake or Intake(config)

    @abstractmethod
    def push(self, item: Item) -> R:
        """Push one job: a map with `class` (a job or its name), `args` (a list) and any option.

        `at` (epoch seconds) schedules it. Returns the jid, or None if client middleware stopped it.
        """
        ...

    def enqueue(self, job: Any, *args: Any) -> R:
        """Push `job` with these arguments."""
        return self.push({"class": job, "args": args})

    def enqueue_to(self, queue: str, job: Any, *args: Any) -> R:
        """Push `job` to a queue."""
        return self.push({"queue": queue, "class": job, "args": args})

    def enqueue_in(self, interval: Interval, job: Any, *args: Any) -> R:
        """Push `job` for later; `interval` as in `perform_in`."""
        return self.push({"class": job, "args": args, **self.due(interval)})

    def enqueue_to_in(self, queue: str, interval: Interval, job: Any, *args: Any) -> R:
        """Push `job` to a queue, for later; `interval` as in `perform_in`."""
        return self.push({"queue": queue, "class": job, "args": args, **self.due(interval)})

    def due(self, interval: Interval) -> dict[str, float]:
        """The key `at` of an item to be pushed for later; none if that time has come already."""
        return self._intake.due(interval)

    def prepare(self, item: Item) -> dict[str, Any] | None:
        """The payload that `push` would write, with `at` still in it; None if middleware stopped it."""
        return self._intake.prepare(item, self._storage(item))

    @classmethod
    @contextmanager
    def via(cls, storage: S) -> Generator[None]:
        """Inside the block, this thread (or task) pushes through another storage: a shard. Nestable."""
        if storage is None:
            raise InvalidJob("pool", "via: expected a storage to push through, got None.")
        token = cls._via.set(storage)
        try:
            yield
        finally:
            cls._via.reset(token)

    def _storage(self, item: Item) -> S:
        """Where to push: the `pool` of the item, else the one of `via`, else our own."""
        chosen: Any = item.get("pool") if isinstance(item, dict) else None
        other: S | None = chosen or self._via.get()
        return self.storage if other is None else other

    # -- pushes that wait for a commit -------------------------------------------------------------

    @abstractmethod
    def push_prepared(self, payloads: Sequence[Payload], storage: S) -> Any:
        """Push complete payloads, as `prepare` makes them, in one round trip."""
        ...

    def is_limited(self, queue: str) -> bool:
        """Whether `queue` has a limit, and so may refuse jobs."""
        return queue in self.config.queue_limits

    def _transactions(self, item: Item) -> Chosen:
        """The open transactions that this push has to wait for."""
        return choose(self.config, says=self._intake.says(item), is_async=self._is_async)

    def _by_transactions(self, items: Iterable[Item]) -> Iterator[tuple[Chosen, Iterable[Item]]]:
        for says, group in groupby(items, self._intake.says):
            yield choose(self.config, says=says, is_async=self._is_async), group

    def _hold(self, payloads: Sequence[Payload | None], storage: S, transactions: Chosen) -> list[str | None]:
        """Have these jobs wait. Returns their jids; None for those that middleware stopped."""
        kept = [payload for payload in payloads if payload is not None]
        self._intake.check_json(kept)  # here it still stops the transaction
        if kept:
            wait(Held(self, storage, kept, is_async=self._is_async), transactions)
        return [None if payload is None else payload["jid"] for payload in payloads]


class Client(_Common[SyncRunner, str | None]):
    """Pushes jobs from threads. Safe to share between them.

    `push*` raise InvalidJob (or JobArgumentError) before anything is written if a job is wrong, and
    RedisError if Redis cannot take it, and QueueFull if the queue has reached its limit: then none of the
    jobs that one round trip had for this queue are in it, but those for other queues are in theirs.
    A bulk push that fails midway leaves its earlier batches pushed.

    Inside of `with pillion.transaction(...)`, and for jobs with `transactional_push=True`, they push after the commit
    of the database transaction that is open here: see `transactions`. The jids are known at once all the same.
    """

    _via: ClassVar[ContextVar[SyncRunner | None]] = ContextVar("pillion_via", default=None)
    _is_async: ClassVar[bool] = False

    def push(self, item: Item) -> str | None:
        """Push one job: a map with `class` (a job or its name), `args` (a list) and any option.

        `at` (epoch seconds) schedules it. Returns the jid, or None if client middleware stopped it.
        """
        storage = self._storage(item)
        if is_looked_for(self.config) and (found := self._transactions(item)):
            return self._hold([self._intake.prepare(item, storage)], storage, found)[0]
        return self._send(self._intake.single(item, storage), storage)[0]

    def push_bulk(self, item: Item) -> list[str | None]:
        """Push many jobs of one class: `args` is a list, or a lazy iterable, of lists of arguments.

        `at` is a time for all or a list with one for each, as in `perform_in`; `spread_interval`
        (seconds) instead gives each a random time within that many seconds; `batch_size` is how
        many go in one round trip (1000, or 100 when scheduled). Returns one jid or None for each.
        """
        storage = self._storage(item)
        if is_looked_for(self.config) and (found := self._transactions(item)):
            return self._hold(self._intake.prepare_bulk(item, storage), storage, found)
        return self._run(self._intake.bulk(item, storage), storage)

    def push_many(
        self, jobs: Iterable[Any], args: Sequence[Sequence[Any]] | None = None, *, batch_size: int = BATCH_SIZE
    ) -> list[str | None]:
        """Push jobs of different classes: (job, args) pairs or maps; or a list of jobs and one of their args.

        Returns one jid or None for each, in order. Raises InvalidJob if the two lists differ in length.
        """
        storage = self._storage({})
        items = as_items(jobs, args)
        if not is_looked_for(self.config):
            return self._run(self._intake.many(items, batch_size, storage), storage)
        jids: list[str | None] = []
        for found, group in self._by_transactions(items):
            if found:
                jids += self._hold([self._intake.prepare(one, storage) for one in group], storage, found)
            else:
                jids += self._run(self._intake.many(group, batch_size, storage), storage)
        return jids

    def pressure(self, queue: str = "default") -> float:
        """How near `queue` is to its limit (F026): 0.0 is empty, 1.0 full. A queue without a limit has 0.0."""
        limit = self.config.queue_limits.get(queue)
        if limit is None:
            return 0.0
        return self._intake.pressure(limit, self._storage({}).run_all(pressure_ops(queue, limit)))

    def promote_payload(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """A payload from the schedule or the retry set as it goes into its queue now (wire-format 3.2).

        Client middleware runs with the class as a string; None means that it stopped the job.
        """
        return self._intake.promote(payload, self.storage)

    def push_prepared(self, payloads: Sequence[Payload], storage: SyncRunner) -> None:
        """As the base class says."""
        self._send(self._intake.batch(payloads), storage)

    def _run(self, batches: Iterator[Batch], storage: SyncRunner) -> list[str | None]:
        jids: list[str | None] = []
        for batch in batches:
            jids += self._send(batch, storage)
        return jids

    def _send(self, batch: Batch, storage: SyncRunner) -> list[str | None]:
        replies = storage.run_all(batch.ops)
        if not batch.guards:
            return batch.jids
        admission = Admission(batch.jids, batch.guards)
        while pause_s := admission.pause_after(replies):
            time.sleep(pause_s)
            replies = storage.run_all(admission.ops())
        return admission.jids


class AsyncClient(_Common[AsyncRunner, Coroutine[Any, Any, str | None]]):
    """Pushes jobs from an event loop without blocking it. Same rules and results as Client."""

    _via: ClassVar[ContextVar[AsyncRunner | None]] = ContextVar("pillion_async_via", default=None)
    _is_async: ClassVar[bool] = True

    async def push(self, item: Item) -> str | None:
        """As `Client.push`."""
        storage = self._storage(item)
        if is_looked_for(self.config) and (found := self._transactions(item)):
            return self._hold([self._intake.prepare(item, storage)], storage, found)[0]
        return (await self._send(self._intake.single(item, storage), storage))[0]

    async def push_bulk(self, item: Item) -> list[str | None]:
        """As `Client.push_bulk`."""
        storage = self._storage(item)
        if is_looked_for(self.config) and (found := self._transactions(item)):
            return self._hold(self._intake.prepare_bulk(item, storage), storage, found)
        return await self._run(self._intake.bulk(item, storage), storage)

    async def push_many(
        self, jobs: Iterable[Any], args: Sequence[Sequence[Any]] | None = None, *, batch_size: int = BATCH_SIZE
    ) -> list[str | None]:
        """As `Client.push_many`."""
        storage = self._storage({})
        items = as_items(jobs, args)
        if not is_looked_for(self.config):
            return await self._run(self._intake.many(items, batch_size, storage), storage)
        jids: list[str | None] = []
        for found, group in self._by_transactions(items):
            if found:
                jids += self._hold([self._intake.prepare(one, storage) for one in group], storage, found)
            else:
                jids += await self._run(self._intake.many(group, batch_size, storage), storage)
        return jids

    async def pressure(self, queue: str = "default") -> float:
        """As `Client.pressure`."""
        limit = self.config.queue_limits.get(queue)
        if limit is None:
            return 0.0
        return self._intake.pressure(limit, await self._storage({}).run_all(pressure_ops(queue, limit)))

    async def push_prepared(self, payloads: Sequence[Payload], storage: AsyncRunner) -> None:
        """As the base class says."""
        await self._send(self._intake.batch(payloads), storage)

    async def _run(self, batches: Iterator[Batch], storage: AsyncRunner) -> list[str | None]:
        jids: list[str | None] = []
        for batch in batches:
            jids += await self._send(batch, storage)
        return jids

    async def _send(self, batch: Batch, storage: AsyncRunner) -> list[str | None]:
        replies = await storage.run_all(batch.ops)
        if not batch.guards:
            return batch.jids
        import asyncio  # here, as a program that only has threads does without it

        admission = Admission(batch.jids, batch.guards)
        while pause_s := admission.pause_after(replies):
            await asyncio.sleep(pause_s)
            replies = await storage.run_all(admission.ops())
        return admission.jids


def as_items(jobs: Iterable[Any], args: Sequence[Sequence[Any]] | None) -> Iterable[Item]:
    """Read the forms that `push_many` takes as maps."""
    if args is None:
        return (_as_item(index, job) for index, job in enumerate(jobs))
    names = list(jobs)
    if len(names) != len(args):
        raise InvalidJob("args", f"push_many: {len(names)} jobs but {len(args)} lists of arguments; one for each.")
    return [{"class": job, "args": one} for job, one in zip(names, args, strict=True)]


def _as_item(index: int, job: Any) -> Item:
    if isinstance(job, Mapping):
        return cast("Item", job)
    if isinstance(job, tuple | list) and len(cast("Sequence[Any]", job)) == 2:
        name, args = cast("Sequence[Any]", job)
        return {"class": name, "args": args}
    raise InvalidJob("item", f"push_many: expected (job, arguments) pairs, got {job!r:.200} at index {index}.")

"""Intake: from what is to be pushed to the Redis commands that push it. No I/O.

Client and AsyncClient differ in one line, the one that talks to Redis. Everything before it is
here: look up the job's options, complete and check the payload, client middleware, strict
arguments, JSON, batches (behaviour.md 1.2 to 1.6).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from pillion.client.admission import Guard, pressure_of
from pillion.client.bulk import BulkOrder, read_order
from pillion.client.transactions import OPTION, around, refuse_unwatched
from pillion.config import Config, QueueLimit
from pillion.definition.registry import BASE_OPTIONS, JobDefinition
from pillion.errors import InvalidJob
from pillion.log import carried
from pillion.storage.ops.base import Op
from pillion.storage.ops.push import push_later, push_now, push_one
from pillion.wire.codec import dumps
from pillion.wire.payload import for_queue, for_schedule, new_jid, new_jids, normalize
from pillion.wire.stencil import Stencil
from pillion.wire.strict import check_args
from pillion.wire.timestamps import Interval, due_at, to_ms

Payload = dict[str, Any]

# A job due sooner than this would start late if the scheduler slept on.
WAKE_WITHIN_S: Final = 2.0


class Batch(NamedTuple):
    """One round trip: the ops, and for each job its jid, or None if middleware stopped it.

    `guards` are the pushes to queues with a limit; their ops come first.
    """

    jids: list[str | None]
    ops: list[Op[Any]]
    guards: list[Guard]


class Intake:
    """Makes batches of ops from jobs to push. `clock` returns epoch seconds, `rand` 0 <= x < 1."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        rand: Callable[[], float] = random.random,
        jid: Callable[[], str] = new_jid,
    ) -> None:
        self._config = config
        self._clock = clock
        self._rand = rand
        self._jid = jid

    # -- one job ---------------------------------------------------------------------------------

    def single(self, item: Mapping[str, Any], pool: object) -> Batch:
        """The batch that pushes one job."""
        now_s = self._clock()
        payload = self._prepared(item, now_s, pool)
        if payload is None or "at" in payload or payload["queue"] in self._config.queue_limits:
            return self._batch([payload], now_s)
        stored = dumps(for_queue(payload, to_ms(now_s)))
        return Batch([payload["jid"]], push_one(payload["queue"], stored), [])

    def prepare(self, item: Mapping[str, Any], pool: object) -> Payload | None:
        """The complete, checked payload of one job; None if client middleware stopped it."""
        return self._prepared(item, self._clock(), pool)

    def due(self, interval: Interval) -> dict[str, float]:
        """`{"at": epoch seconds}` for what `perform_in` was given; empty if that has come already."""
        now_s = self._clock()
        at = due_at(interval, now_s)
        return {"at": at} if at > now_s else {}

    def _prepared(self, item: Mapping[str, Any], now_s: float, pool: object) -> Payload | None:
        job, definition = _job_of(item)
        payload = self._completed(item, definition, now_s)
        if definition is not None:
            definition.check(payload["args"])
        return self._through_middleware(job, payload, pool)

    def _completed(self, item: Mapping[str, Any], definition: JobDefinition | None, now_s: float) -> Payload:
        """The payload before the middleware."""
        if (facts := carried()) and isinstance(cast("object", item), Mapping) and _carries_context(definition):
            item = {**facts, **item}
        defaults = self._defaults(definition)
        wrapped = item.get("wrapped") if definition is None and isinstance(item, dict) else None
        if definition is not None:
            item = {**item, "class": definition.wire_name}
        elif wrapped is not None and not isinstance(wrapped, str):
            inner = definition_of(wrapped, "wrapped")
            defaults.update(inner.own_options)
            item = {**item, "wrapped": inner.wire_name}
        payload = normalize(item, defaults, now_ms=to_ms(now_s), new_jid=self._jid)
        if OPTION in defaults or OPTION in item:
            self._check_watched(item, defaults)
        return payload

    def _defaults(self, definition: JobDefinition | None) -> Payload:
        """Global defaults, and the job's options over them (behaviour.md 2, precedence)."""
        own = definition.own_options if definition is not None else {}
        return {**BASE_OPTIONS, **self._config.default_job_options, **own}

    def _through_middleware(self, job: Any, payload: Payload, pool: object) -> Payload | None:
        chain = self._config.client_middleware
        if not chain.is_empty:
            changed = chain.invoke(job, payload, payload["queue"], pool)
            if changed is None:
                return None
            payload = changed
            _check_shape(payload)
        check_args(payload["args"], payload.get("wrapped") or payload["class"], self._config.strict_args)
        return payload

    # -- many jobs -------------------------------------------------------------------------------

    def bulk(self, item: Mapping[str, Any], pool: object) -> Iterator[Batch]:
        """The batches of a `push_bulk`: `args` is a list, or a lazy iterable, of argument lists."""
        now_s = self._clock()
        order = read_order(item, now_s, self._rand)
        if order is None:
            return iter(())
        template, definition = self._template(order, now_s)
        alike = "at" not in template and template["queue"] not in self._config.queue_limits
        if alike and self._config.client_middleware.is_empty:
            return self._copies(order, template, definition)
        return self._batches(self._bulk_payloads(order, template, pool), order.batch_size)

    def _template(self, order: BulkOrder, now_s: float) -> tuple[Payload, JobDefinition | None]:
        """What all payloads of a bulk push share, with a jid to be replaced; and the definition of their job."""
        definition = _job_of(order.item)[1]
        return self._completed({**order.item, "jid": order.item.get("jid") or "-"}, definition, now_s), definition

    def _copies(self, order: BulkOrder, template: Payload, definition: JobDefinition | None) -> Iterator[Batch]:
        """The batches of jobs that nothing looks at one by one."""
        name, strict = template.get("wrapped") or template["class"], self._config.strict_args
        fixed_jid = order.item.get("jid")
        while chunk := list(islice(order.calls, order.batch_size)):
            for args, _ in chunk:
                if definition is not None:
                    definition.check(args)
                check_args(args, name, strict)
            yield self._copied(chunk, template, [fixed_jid] if fixed_jid else self._jids(len(chunk)))

    def _copied(self, chunk: Sequence[tuple[list[Any], float | None]], template: Payload, jids: list[str]) -> Batch:
        now_s = self._clock()
        for_now, for_later = Stencil(for_queue(template, to_ms(now_s))), Stencil(for_schedule(template))
        waiting: list[bytes] = []
        later: list[tuple[float, bytes]] = []
        for (args, at), jid in zip(chunk, jids, strict=True):
            if at is None:
                waiting.append(for_now.fill(args, jid))
            else:
                later.append((at, for_later.fill(args, jid)))
        ops = push_now({template["queue"]: waiting}) if waiting else []
        return Batch([*jids], [*ops, *self._later(later, now_s)], [])

    def _jids(self, count: int) -> list[str]:
        return new_jids(count) if self._jid is new_jid else [self._jid() for _ in range(count)]

    def _bulk_payloads(self, order: BulkOrder, template: Payload, pool: object) -> Iterator[Payload | None]:
        job, definition = _job_of(order.item)
        fixed_jid = order.item.get("jid")
        for args, at in order.calls:
            if definition is not None:
                definition.check(args)
            payload = {**template, "args": args, "jid": fixed_jid or self._jid()}
            if at is not None:
                payload["at"] = at
            yield self._through_middleware(job, payload, pool)

    def many(self, items: Iterable[Mapping[str, Any]], batch_size: int, pool: object) -> Iterator[Batch]:
        """The batches that push jobs of different classes."""
        now_s = self._clock()
        return self._batches((self._prepared(item, now_s, pool) for item in items), batch_size)

    def _batches(self, payloads: Iterator[Payload | None], size: int) -> Iterator[Batch]:
        while chunk := list(islice(payloads, size)):
            yield self._batch(chunk, self._clock())

    # -- what waits for a commit -----------------------------------------------------------------

    def says(self, item: object) -> bool | None:
        """What a push says about `transactional_push`: itself, its job, or the defaults; None for nothing."""
        definition = _job_of(item)[1]
        own = definition.own_options if definition is not None else {}
        return _said(item, own if OPTION in own else self._config.default_job_options)

    def prepare_bulk(self, item: Mapping[str, Any], pool: object) -> list[Payload | None]:
        """As `prepare`, for all jobs of a `push_bulk`."""
        now_s = self._clock()
        order = read_order(item, now_s, self._rand)
        if order is None:
            return []
        return list(self._bulk_payloads(order, self._template(order, now_s)[0], pool))

    def batch(self, payloads: Iterable[Payload]) -> Batch:
        """The batch that pushes complete payloads now."""
        return self._batch(payloads, self._clock())

    @staticmethod
    def check_json(payloads: Iterable[Payload]) -> None:
        """Raise what `batch` would raise for them."""
        for payload in payloads:
            dumps(payload)

    def _check_watched(self, item: object, defaults: Payload) -> None:
        """Who asks to wait for transactions that nobody watches is told so."""
        if _said(item, defaults) and not self._config.transactions and not around.get():
            refuse_unwatched(OPTION)

    # -- the scheduler ---------------------------------------------------------------------------

    def promote(self, payload: Payload, pool: object) -> Payload | None:
        """A stored payload as it goes into its queue now (wire-format 3.2); None if middleware stopped it.

        Nothing is checked: it may come from any version of any client, and its own worker judges it.
        """
        now_ms = to_ms(self._clock())
        known: Payload = {**self._defaults(None), **payload}
        known["queue"] = known.get("queue") or BASE_OPTIONS["queue"]
        known["jid"] = known.get("jid") or self._jid()
        known.setdefault("created_at", now_ms)
        chain = self._config.client_middleware
        if not chain.is_empty:
            changed = chain.invoke(known.get("class"), known, known["queue"], pool)
            if changed is None:
                return None
            known = changed
        return for_queue(known, now_ms)

    # -- to Redis --------------------------------------------------------------------------------

    def _batch(self, payloads: Iterable[Payload | None], now_s: float) -> Batch:
        now_ms = to_ms(now_s)
        limits = self._config.queue_limits
        jids: list[str | None] = []
        queues: dict[str, list[bytes]] = {}
        guards: dict[str, Guard] = {}
        later: list[tuple[float, bytes]] = []
        for payload in payloads:
            if payload is None:
                jids.append(None)
                continue
            at, queue = payload.get("at"), payload["queue"]
            if at is not None:
                later.append((at, dumps(for_schedule(payload))))
            elif queue in limits:
                guard = guards.setdefault(queue, Guard(queue, limits[queue], now_ms, [], []))
                guard.places.append(len(jids))
                guard.payloads.append(dumps(for_queue(payload, now_ms)))
            else:
                queues.setdefault(queue, []).append(dumps(for_queue(payload, now_ms)))
            jids.append(payload["jid"])
        ops = [*(guard.op() for guard in guards.values()), *push_now(queues), *self._later(later, now_s)]
        return Batch(jids, ops, list(guards.values()))

    @staticmethod
    def _later(entries: Sequence[tuple[float, bytes]], now_s: float) -> list[Op[Any]]:
        wake = min((at for at, _ in entries), default=now_s) < now_s + WAKE_WITHIN_S
        return push_later(entries, wake=wake)

    def pressure(self, limit: QueueLimit, replies: Sequence[Any]) -> float:
        """How near to its limit a queue is, after what Redis answered to `pressure_ops`."""
        return pressure_of(limit, replies, self._clock())


def _said(item: object, defaults: Mapping[str, Any]) -> bool | None:
    given = cast("Mapping[str, Any]", item).get(OPTION) if isinstance(item, Mapping) else None
    value = defaults.get(OPTION) if given is None else given
    return None if value is None else bool(value)


def _carries_context(definition: JobDefinition | None) -> bool:
    return definition is None or bool(getattr(definition.factory, "carries_context", True))


def definition_of(job: object, field: str = "class") -> JobDefinition:
    """The definition of a job class or function. Raises InvalidJob for what is no job."""
    definition = getattr(job, "__job__", None)
    if not isinstance(definition, JobDefinition):
        raise InvalidJob(field, f"{field}: expected a job or its name, got {_describe(job)}.")
    if definition.is_abstract:
        raise InvalidJob(field, f"{definition.wire_name} cannot be pushed: it is a base class, {_why_base(definition)}")
    return definition


def _why_base(definition: JobDefinition) -> str:
    missing = " and ".join(name for name in definition.factory.__to_define__ if not hasattr(definition.factory, name))
    if not missing:
        return "marked with abstract=True. Push one of its subclasses."
    return f"with no {missing} of its own. Define {missing} in it, or push one of its subclasses."


def _job_of(item: object) -> tuple[Any, JobDefinition | None]:
    """What is to be pushed, and its definition unless only its name is known. `normalize` judges the rest."""
    known = type(item) is dict or isinstance(item, Mapping)  # the first is quicker, and nearly always so
    job: Any = cast("Mapping[str, Any]", item).get("class") if known else None
    if job is None or type(job) is str:
        return job, None
    return job, definition_of(job)


def _describe(value: object) -> str:
    if not isinstance(value, type):
        return f"{value!r:.200}"
    ancestors = ", ".join(base.__qualname__ for base in value.__mro__[1:])
    return f"the class {value.__qualname__}, which is not derived from Job (but from {ancestors})"


def _check_shape(payload: Payload) -> None:
    """What middleware gave back can be stored: the three keys that every reader needs."""
    if not isinstance(payload.get("args"), list):
        raise InvalidJob("args", f"args: client middleware left {payload.get('args')!r:.200}, expected a list.")
    for field in ("class", "queue", "jid"):
        value = payload.get(field)
        if not isinstance(value, str) or not value:
            raise InvalidJob(field, f"{field}: client middleware left {value!r:.200}, expected a text.")

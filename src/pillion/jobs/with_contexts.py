"""Bulk pushes in which each job has a context of its own (F132).

    NotifyOwner.bulk_perform_async_with_contexts(
        projects, arguments=lambda p: [p.id], context=lambda p: {"project": p.path, "user": p.owner_name}
    )

`arguments` and `context` are called once for each object, when its batch is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from pillion.ambient import Fact, as_keys
from pillion.client import AsyncClient, Client
from pillion.client.bulk import BATCH_SIZE, SCHEDULED_BATCH_SIZE
from pillion.errors import ConfigError
from pillion.jobs.calls import Jids, Pusher
from pillion.wire.timestamps import Interval

T = TypeVar("T")
ContextOf = Callable[[T], Mapping[str, Fact | None]]


class BulkWithContexts:
    """`bulk_perform_async_with_contexts(objs, arguments=..., context=...)`: one job for each object, now."""

    __slots__ = ("_pusher",)

    def __init__(self, pusher: Pusher) -> None:
        self._pusher = pusher

    def __call__(
        self,
        objs: Iterable[T],
        *,
        arguments: Callable[[T], Any],
        context: ContextOf[T],
        batch_size: int = BATCH_SIZE,
    ) -> Jids:
        """Push. `objs` may be lazy.

        `arguments(obj)` is the list of the job's arguments; anything but a list or tuple is its only argument.
        `context(obj)` are its facts, laid over those that hold here; those that are None are left out.
        `batch_size` jobs go in one round trip.
        Returns one jid or None for each. Raises InvalidJob, JobArgumentError, ConfigError for what is no fact.
        """
        client = self._pusher.home.client()
        return client.push_many(
            _items(self._pusher, objs, arguments, context, _due(client, self._pusher.when)), batch_size=batch_size
        )

    async def aio(
        self,
        objs: Iterable[T],
        *,
        arguments: Callable[[T], Any],
        context: ContextOf[T],
        batch_size: int = BATCH_SIZE,
    ) -> Jids:
        """The same, to be awaited."""
        client = self._pusher.home.async_client()
        return await client.push_many(
            _items(self._pusher, objs, arguments, context, _due(client, self._pusher.when)), batch_size=batch_size
        )


class BulkInWithContexts:
    """`bulk_perform_in_with_contexts(delay, objs, arguments=..., context=...)`: one job for each object, later."""

    __slots__ = ("_pusher",)

    def __init__(self, pusher: Pusher) -> None:
        self._pusher = pusher

    def __call__(
        self,
        delay: Interval,
        objs: Iterable[T],
        *,
        arguments: Callable[[T], Any],
        context: ContextOf[T],
        batch_size: int = SCHEDULED_BATCH_SIZE,
    ) -> Jids:
        """Push for later; `delay` as in `perform_in`, the rest as in `bulk_perform_async_with_contexts`."""
        client = self._pusher.home.client()
        return client.push_many(
            _items(self._pusher, objs, arguments, context, client.due(delay)), batch_size=batch_size
        )

    async def aio(
        self,
        delay: Interval,
        objs: Iterable[T],
        *,
        arguments: Callable[[T], Any],
        context: ContextOf[T],
        batch_size: int = SCHEDULED_BATCH_SIZE,
    ) -> Jids:
        """The same, to be awaited."""
        client = self._pusher.home.async_client()
        return await client.push_many(
            _items(self._pusher, objs, arguments, context, client.due(delay)), batch_size=batch_size
        )


def _due(client: Client | AsyncClient, when: Interval | None) -> Mapping[str, Any]:
    return {} if when is None else client.due(when)


def _items(
    pusher: Pusher, objs: Iterable[T], arguments: Callable[[T], Any], context: ContextOf[T], due: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for name, function in (("arguments", arguments), ("context", context)):
        if not callable(function):
            raise ConfigError(name, "a function that is called with each object", function)
    for obj in objs:
        facts = context(obj)
        if not isinstance(cast("object", facts), Mapping):
            raise ConfigError("context", 'a function that returns a map, such as {"user": "ann"}', facts)
        yield {**pusher.options, **as_keys(facts), **due, "args": _list(arguments(obj)), "class": pusher.job}


def _list(arguments: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", arguments) if isinstance(arguments, list | tuple) else [arguments]

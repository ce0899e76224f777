"""The calls on a job: perform_async, perform_in, perform_at, perform_bulk, perform_inline.

Design record. `P` is the parameters of the job's `perform`, so a type checker refuses a push with
wrong arguments. Each call is an object: calling it blocks, its `.aio(...)` is the same to be awaited
(`await CompleteOrder.perform_async.aio(42)`), and both have one signature to keep right. They are
made when asked for and hold nothing but the Pusher, which knows the job, where it is pushed to and
the options of the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, ParamSpec, Protocol, cast

from pillion.client import AsyncClient, Client
from pillion.client.intake import definition_of
from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.errors import InvalidJob
from pillion.jobs.inline import InlineRun
from pillion.wire.timestamps import Interval

P = ParamSpec("P")
Jids = list[str | None]
Args = Sequence[Any]
Kwargs = Mapping[str, Any]


class Home(Protocol):
    """Where jobs are pushed to and looked up: the process-wide one is in `default`."""

    def registry(self) -> Registry:
        """The jobs known here."""
        ...

    def config(self) -> Config:
        """The settings."""
        ...

    def client(self) -> Client:
        """The client for threads."""
        ...

    def async_client(self) -> AsyncClient:
        """The client for the running event loop."""
        ...


class Pusher:
    """Pushes or runs one job, class or function, with options for the payload.

    `when` is the `wait` of the call: counted from each push. `inline` is its `sync`.
    """

    __slots__ = ("home", "inline", "job", "options", "when")

    def __init__(
        self,
        job: Any,
        home: Home,
        options: Mapping[str, Any] | None = None,
        *,
        when: Interval | None = None,
        inline: bool = False,
    ) -> None:
        self.job = job
        self.home = home
        self.options: Mapping[str, Any] = options or {}
        self.when = when
        self.inline = inline

    def push_now(self, args: Args, kwargs: Kwargs) -> str | None:
        """Push one job (for later, if `when` is set), or run it if `inline` is."""
        client = self.home.client()
        if self.inline:
            run = self._prepared_run(client, args, kwargs)
            return run.jid if run is not None and run.run() else None
        item = self._item(args, kwargs)
        return client.push(item if self.when is None else {**item, **client.due(self.when)})

    async def push_now_aio(self, args: Args, kwargs: Kwargs) -> str | None:
        """As `push_now`, from an event loop."""
        client = self.home.async_client()
        if self.inline:
            run = self._prepared_run(client, args, kwargs)
            return run.jid if run is not None and await run.run_async() else None
        item = self._item(args, kwargs)
        return await client.push(item if self.when is None else {**item, **client.due(self.when)})

    def push_later(self, args: Args, kwargs: Kwargs, interval: Interval) -> str | None:
        """Push one job for later."""
        client = self.home.client()
        return client.push({**self._item(args, kwargs), **client.due(interval)})

    async def push_later_aio(self, args: Args, kwargs: Kwargs, interval: Interval) -> str | None:
        """As `push_later`, from an event loop."""
        client = self.home.async_client()
        return await client.push({**self._item(args, kwargs), **client.due(interval)})

    def run_inline(self, args: Args, kwargs: Kwargs) -> bool | None:
        """Run the job in this thread."""
        run = self._prepared_run(self.home.client(), args, kwargs)
        return True if run is not None and run.run() else None

    async def run_inline_aio(self, args: Args, kwargs: Kwargs) -> bool | None:
        """Run the job while this event loop goes on."""
        run = self._prepared_run(self.home.async_client(), args, kwargs)
        return True if run is not None and await run.run_async() else None

    def bulk_item(self, args_list: Iterable[Args], **keys: Any) -> dict[str, Any]:
        """What `push_bulk` is given. Keys that are None are left out."""
        given = {key: value for key, value in keys.items() if value is not None}
        if self.when is not None and "spread_interval" not in given:
            given.setdefault("at", self.when)
        return {**self.options, **given, "args": args_list, "class": self.job}

    def _item(self, args: Args, kwargs: Kwargs) -> dict[str, Any]:
        return {**self.options, "args": self._positions(args, kwargs), "class": self.job}

    def _positions(self, args: Args, kwargs: Kwargs) -> Args:
        if not kwargs:
            return args
        signature = definition_of(self.job).signature
        return args if signature is None else signature.bind(args, kwargs)

    def _prepared_run(self, client: Client | AsyncClient, args: Args, kwargs: Kwargs) -> InlineRun | None:
        payload = client.prepare(self._item(args, kwargs))
        return None if payload is None else InlineRun(payload, self.home.config(), self.home.registry())


class _Call:
    """One kind of call on a job."""

    __slots__ = ("_pusher",)

    def __init__(self, pusher: Pusher) -> None:
        self._pusher = pusher


class PerformAsync(_Call, Generic[P]):
    """`perform_async(*args)`: push now."""

    __slots__ = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """Push. Returns the jid, or None if client middleware stopped it. Raises InvalidJob, JobArgumentError."""
        return self._pusher.push_now(args, kwargs)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """The same, to be awaited."""
        return await self._pusher.push_now_aio(args, kwargs)


class PerformIn(_Call, Generic[P]):
    """`perform_in(interval, *args)` and `perform_at(moment, *args)`: push for later.

    A number below 1e9 (seconds) and a timedelta count from now; an aware datetime and a number from
    1e9 on (epoch seconds) are points in time. What has come already is pushed at once.
    """

    __slots__ = ()

    def __call__(self, interval: Interval, /, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """Push. Returns the jid, or None if client middleware stopped it. Raises InvalidJob, JobArgumentError."""
        return self._pusher.push_later(args, kwargs, interval)

    async def aio(self, interval: Interval, /, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """The same, to be awaited."""
        return await self._pusher.push_later_aio(args, kwargs, interval)


class PerformInline(_Call, Generic[P]):
    """`perform_inline(*args)`: run here and now, as a worker would, but without retries."""

    __slots__ = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> bool | None:
        """Run. Returns True, or None if middleware stopped it; what the job raises comes out."""
        return self._pusher.run_inline(args, kwargs)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> bool | None:
        """The same, to be awaited; a job that is not async runs in a thread meanwhile."""
        return await self._pusher.run_inline_aio(args, kwargs)


class PerformBulk(_Call):
    """`perform_bulk(args_list)`: one job for each list of arguments, a thousand in a round trip."""

    __slots__ = ()

    def __call__(
        self,
        args_list: Iterable[Args],
        *,
        batch_size: int | None = None,
        at: Interval | Sequence[Interval] | None = None,
        spread_interval: float | None = None,
    ) -> Jids:
        """Push. `args_list` may be lazy. `at`: a time for all, or one for each; `spread_interval`: seconds.

        Returns one jid or None for each. See `Client.push_bulk`.
        """
        item = self._pusher.bulk_item(args_list, batch_size=batch_size, at=at, spread_interval=spread_interval)
        return self._pusher.home.client().push_bulk(item)

    async def aio(
        self,
        args_list: Iterable[Args],
        *,
        batch_size: int | None = None,
        at: Interval | Sequence[Interval] | None = None,
        spread_interval: float | None = None,
    ) -> Jids:
        """The same, to be awaited."""
        item = self._pusher.bulk_item(args_list, batch_size=batch_size, at=at, spread_interval=spread_interval)
        return await self._pusher.home.async_client().push_bulk(item)


class BulkPerformIn(_Call):
    """`bulk_perform_in(delay, args_list)`: `perform_bulk` for later; `delay` is one for all or a list."""

    __slots__ = ()

    def __call__(
        self,
        delay: Interval | Sequence[Interval],
        args_list: Iterable[Args],
        *,
        batch_size: int | None = None,
    ) -> Jids:
        """Push. Returns one jid or None for each."""
        return PerformBulk(self._pusher)(args_list, at=delay, batch_size=batch_size)

    async def aio(
        self,
        delay: Interval | Sequence[Interval],
        args_list: Iterable[Args],
        *,
        batch_size: int | None = None,
    ) -> Jids:
        """The same, to be awaited."""
        return await PerformBulk(self._pusher).aio(args_list, at=delay, batch_size=batch_size)


class PerformChunked(_Call):
    """`perform_chunked(ids, of=10)`: one job for every ten ids, with the list of them as its argument."""

    __slots__ = ()

    def __call__(self, ids: Iterable[Any], *, of: int) -> Jids:
        """Push. Returns one jid or None for each job."""
        return PerformBulk(self._pusher)(_chunks(ids, of))

    async def aio(self, ids: Iterable[Any], *, of: int) -> Jids:
        """The same, to be awaited."""
        return await PerformBulk(self._pusher).aio(_chunks(ids, of))


def _chunks(ids: Iterable[Any], of: int) -> Iterator[list[list[Any]]]:
    if isinstance(of, bool) or not isinstance(cast("object", of), int) or of < 1:
        raise InvalidJob("of", f"of: expected how many ids go into one job, 1 or more, got {of!r}.")
    return _cut(iter(ids), of)


def _cut(ids: Iterator[Any], of: int) -> Iterator[list[list[Any]]]:
    while chunk := list(islice(ids, of)):
        yield [chunk]

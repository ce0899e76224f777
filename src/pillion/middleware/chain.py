"""Middleware: your code around every push (ClientChain) and around every run (ServerChain).

Rules of behaviour.md 3. A middleware comes in one of three forms:

    def stamp(job_class, payload, queue, redis_pool, next_):    # a callable, or a class with __call__
        payload["host"] = HOST
        return next_()

    def timed(job, payload, queue):                             # a generator: before, yield, after
        start = monotonic()
        yield
        observe(monotonic() - start)

    async def traced(job, payload, queue, next_): return await next_()      # server only

A class is instantiated anew for each invocation, with the arguments given to `add`; anything else
is used as it is. The generator form costs the same around sync and async jobs, so it is the one to
prefer on the server (`steps`); how the other two are carried over: `bridge`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, Self, TypeVar, cast

from pillion.errors import ConfigError
from pillion.middleware.steps import as_coroutine, await_inside, run_inside

Form = Literal["call", "generator", "coroutine", "async_generator"]
M = TypeVar("M", bound=Callable[..., Any])

_log = logging.getLogger("pillion")


class ClientMiddleware(Protocol):
    """What is called around a push. `next_()` returns the payload; return what it returned.

    `job_class` is the class or function pushed, or its name when only that is known. Returning
    something falsy means that the job is not pushed.
    """

    def __call__(
        self, job_class: Any, payload: dict[str, Any], queue: str, redis_pool: Any, next_: Callable[[], Any], /
    ) -> Any:
        """Call `next_()` and return what it returned."""
        ...


class ServerMiddleware(Protocol):
    """What is called around a run. `next_()` runs the job; not calling it skips the job, as a success.

    `payload` is this run's copy: changes to it are not kept for a retry.
    """

    def __call__(self, job: Any, payload: dict[str, Any], queue: str, next_: Callable[[], Any], /) -> Any:
        """Call `next_()` and return what it returned."""
        ...


@dataclass(slots=True, frozen=True)
class Entry:
    """One place in a chain: what makes the middleware, and with which arguments."""

    factory: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    form: Form = "call"
    wants_config: bool = False

    def make(self, config: object) -> Callable[..., Any]:
        """The middleware of one invocation."""
        if not isinstance(self.factory, type):
            return self.factory
        instance = self.factory(*self.args, **self.kwargs)
        if self.wants_config:
            instance.config = config
        return instance  # type: ignore[no-any-return]


class Chain:
    """An ordered list of middleware, outermost first. `is_empty` is a plain attribute: free to ask."""

    accepts: tuple[Form, ...] = ("call", "generator", "coroutine", "async_generator")

    def __init__(self) -> None:
        self._entries: tuple[Entry, ...] = ()
        self._config: object = None
        self.is_empty = True

    # -- changing the chain ----------------------------------------------------------------------

    def add(self, middleware: M, *args: Any, **kwargs: Any) -> M:
        """Put `middleware` innermost; if it was in the chain, it moves. Usable as a decorator.

        `args` and `kwargs` go to the constructor of a class, at each invocation.
        """
        entry = self._entry(middleware, args, kwargs)
        self._set((*self._without(middleware), entry))
        return middleware

    def prepend(self, middleware: M, *args: Any, **kwargs: Any) -> M:
        """Put `middleware` outermost; if it was in the chain, it moves."""
        entry = self._entry(middleware, args, kwargs)
        self._set((entry, *self._without(middleware)))
        return middleware

    def insert_before(self, other: Callable[..., Any], middleware: M, *args: Any, **kwargs: Any) -> M:
        """Put `middleware` just outside of `other` (outermost if `other` is not there).

        One that is in the chain already moves and keeps the arguments it had.
        """
        return self._insert(other, middleware, 0, args, kwargs)

    def insert_after(self, other: Callable[..., Any], middleware: M, *args: Any, **kwargs: Any) -> M:
        """Put `middleware` just inside of `other` (innermost if `other` is not there).

        One that is in the chain already moves and keeps the arguments it had.
        """
        return self._insert(other, middleware, 1, args, kwargs)

    def remove(self, middleware: Callable[..., Any]) -> None:
        """Take `middleware` out; nothing happens if it is not there."""
        self._set(self._without(middleware))

    def clear(self) -> None:
        """Take everything out."""
        self._set(())

    def bind(self, config: object) -> None:
        """Give `config` to every middleware class that has a `config` attribute (behaviour.md 3)."""
        self._config = config

    def copy(self) -> Self:
        """A chain of its own with the same entries."""
        twin = type(self)()
        twin._config = self._config
        twin._set(self._entries)
        return twin

    # -- looking at it ---------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is in the chain, outermost first."""
        return self._entries

    def exists(self, middleware: object) -> bool:
        """Whether `middleware` is in the chain."""
        return any(entry.factory is middleware for entry in self._entries)

    __contains__ = exists

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    # -- inside ----------------------------------------------------------------------------------

    def _set(self, entries: tuple[Entry, ...]) -> None:
        # One assignment of a new tuple: a thread that is walking the chain keeps the old one.
        self._entries = entries
        self.is_empty = not entries

    def _without(self, middleware: object) -> tuple[Entry, ...]:
        return tuple(entry for entry in self._entries if entry.factory is not middleware)

    def _insert(self, other: object, middleware: M, offset: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> M:
        known = [entry for entry in self._entries if entry.factory is middleware]
        entry = known[0] if known else self._entry(middleware, args, kwargs)
        rest = self._without(middleware)
        places = [index for index, candidate in enumerate(rest) if candidate.factory is other]
        at = places[0] + offset if places else offset * len(rest)
        self._set((*rest[:at], entry, *rest[at:]))
        return middleware

    def _entry(self, middleware: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Entry:
        if not callable(middleware):
            raise ConfigError("middleware", "a class or a callable", middleware)
        is_class = isinstance(middleware, type)
        if (args or kwargs) and not is_class:
            raise ConfigError("middleware", "a class, when arguments are given", middleware)
        called = getattr(middleware, "__call__") if is_class else middleware  # noqa: B004, B009 -- the function itself
        form = _form(called)
        if form not in self.accepts:
            name = getattr(middleware, "__qualname__", repr(middleware))
            raise ConfigError("middleware", "a plain function: pushes also happen outside of event loops", name)
        return Entry(middleware, args, kwargs, form, is_class and hasattr(middleware, "config"))


def _form(called: Any) -> Form:
    """How the middleware is written. A `@contextmanager` function is read as the generator below it."""
    inner = getattr(called, "__wrapped__", called)
    if inspect.isasyncgenfunction(inner):
        return "async_generator"
    if inspect.isgeneratorfunction(inner):
        return "generator"
    target = called if inspect.isroutine(called) else getattr(called, "__call__", called)  # noqa: B004
    if inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(target):
        return "coroutine"
    if inspect.isgeneratorfunction(target):
        return "generator"
    return "async_generator" if inspect.isasyncgenfunction(target) else "call"


def _generator_of(made: Callable[..., Any]) -> Callable[..., Any]:
    """The generator function itself, below a `@contextmanager`."""
    wrapped: Callable[..., Any] = getattr(made, "__wrapped__", made)
    return wrapped


class ClientChain(Chain):
    """What is around every push. All of it is sync: it only prepares a payload."""

    accepts = ("call", "generator")

    def invoke(self, job_class: Any, payload: dict[str, Any], queue: str, redis_pool: Any) -> dict[str, Any] | None:
        """Pass `payload` through the chain. Returns what is to be pushed, or None if it was vetoed.

        Any dict that the chain returns is pushed; another truthy value means the payload as it is now.
        """
        reached: list[bool] = []

        def innermost() -> dict[str, Any]:
            reached.append(True)
            return payload

        run: Callable[[], Any] = innermost
        context = (job_class, payload, queue, redis_pool)
        for entry in reversed(self._entries):
            made = entry.make(self._config)
            plain = entry.form == "call"
            run = partial(made, *context, run) if plain else partial(run_inside, _generator_of(made), context, run)
        result = run()
        if isinstance(result, dict):
            return cast("dict[str, Any]", result) or None
        if result:
            return payload
        if result is None and reached:
            _log.warning(
                "%s was not pushed: a client middleware called next_() but returned None. "
                "Expected `return next_()`; to stop a push without this warning, return False.",
                payload.get("class"),
            )
        return None


class ServerChain(Chain):
    """What is around every run of a job."""

    def invoke(self, job: Any, payload: dict[str, Any], queue: str, run_job: Callable[[], Any]) -> Any:
        """Run a sync job inside the chain. Returns what the outermost middleware returned."""
        run = run_job
        context = (job, payload, queue)
        for entry in reversed(self._entries):
            made = entry.make(self._config)
            if entry.form == "call":
                run = partial(made, *context, run)
            elif entry.form == "generator":
                run = partial(run_inside, _generator_of(made), context, run)
            else:
                run = partial(_bridge().run_around_sync, _coroutine_of(made, entry.form), context, run)
        return run()

    async def invoke_async(self, job: Any, payload: dict[str, Any], queue: str, run_job: Callable[[], Any]) -> Any:
        """Await an async job inside the chain; `run_job()` returns the awaitable.

        A plain callable middleware blocks until the job has ended, so it gets a thread of its own
        and the loop stays free. The generator and async forms need no thread.
        """
        run = run_job
        context = (job, payload, queue)
        for entry in reversed(self._entries):
            made = entry.make(self._config)
            if entry.form == "generator":
                run = partial(await_inside, _generator_of(made), context, run)
            elif entry.form == "call":
                run = partial(_bridge().run_in_thread, made, context, run)
            else:
                run = partial(_coroutine_of(made, entry.form), *context, run)
        return await run()


def _coroutine_of(made: Callable[..., Any], form: Form) -> Callable[..., Any]:
    return made if form == "coroutine" else as_coroutine(_generator_of(made))


def _bridge() -> Any:
    from pillion.middleware import bridge

    return bridge

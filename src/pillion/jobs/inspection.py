"""What a test asks a job class: its jobs, drain, perform_one, clear.

The answers come from the client, if it is one of a test mode (`pillion.testing`); with a real client they are
an error that says what to do. Nothing here knows how jobs are kept or run.
"""

from __future__ import annotations

from typing import Any, Protocol

from pillion.errors import NotTesting


class Inspection(Protocol):
    """What the client of a test mode can tell and do. `job` is a job, a base class of jobs, or None for all."""

    def jobs(self, job: Any) -> list[dict[str, Any]]:
        """The payloads that wait."""
        ...

    def clear(self, job: Any) -> int:
        """Take them out."""
        ...

    def drain(self, job: Any, *, retries: bool, travel: bool) -> int:
        """Run them."""
        ...

    async def drain_aio(self, job: Any, *, retries: bool, travel: bool) -> int:
        """Run them, on this event loop."""
        ...

    def perform_one(self, job: Any) -> str:
        """Run the next one."""
        ...

    async def perform_one_aio(self, job: Any) -> str:
        """Run the next one, on this event loop."""
        ...


class _Call:
    """One kind of call: which job it is about, and whom to ask."""

    __slots__ = ("_home", "_job")

    def __init__(self, job: Any, home: Any) -> None:
        self._job = job
        self._home = home

    def _ask(self) -> Inspection:
        return inspection_of(self._home)


class Drain(_Call):
    """`J.drain()`: run the jobs of fake mode."""

    __slots__ = ()

    def __call__(self, *, retries: bool = False, travel: bool = False) -> int:
        """Run what is due, and what that pushes of the same jobs. Returns how many runs there were.

        What a job raises comes out, and that job is gone; with `retries` it goes through the retry rules of
        production instead and waits for its next try. With `travel` what is due later runs as well: the
        clock of the test moves on. Raises NotTesting outside of fake mode.
        """
        return self._ask().drain(self._job, retries=retries, travel=travel)

    async def aio(self, *, retries: bool = False, travel: bool = False) -> int:
        """The same, to be awaited: async jobs run on this event loop."""
        return await self._ask().drain_aio(self._job, retries=retries, travel=travel)


class PerformOne(_Call):
    """`J.perform_one()`: run the next job of fake mode."""

    __slots__ = ()

    def __call__(self) -> str:
        """Run it. Returns its jid. What it raises comes out. Raises EmptyQueue if none is due, or NotTesting."""
        return self._ask().perform_one(self._job)

    async def aio(self) -> str:
        """The same, to be awaited."""
        return await self._ask().perform_one_aio(self._job)


class Clear(_Call):
    """`J.clear()`: forget the jobs of fake mode."""

    __slots__ = ()

    def __call__(self) -> int:
        """Take them out without running them. Returns how many. Raises NotTesting outside of fake mode."""
        return self._ask().clear(self._job)


class JobsOf:
    """The payloads that wait in fake mode: in queues, scheduled (with `at`), or to be tried again."""

    def __get__(self, obj: object, owner: type[Any]) -> list[dict[str, Any]]:
        job, home = _asked(obj, owner)
        return inspection_of(home).jobs(_or_all(job))


class DrainOf:
    """Run the jobs of fake mode; on `Job` itself, and on a base class, those of all jobs derived from it."""

    def __get__(self, obj: object, owner: type[Any]) -> Drain:
        job, home = _asked(obj, owner)
        return Drain(_or_all(job), home)


class PerformOneOf:
    """Run the next job of fake mode."""

    def __get__(self, obj: object, owner: type[Any]) -> PerformOne:
        job, home = _asked(obj, owner)
        return PerformOne(_or_all(job), home)


class ClearOf:
    """Forget the jobs of fake mode."""

    def __get__(self, obj: object, owner: type[Any]) -> Clear:
        job, home = _asked(obj, owner)
        return Clear(_or_all(job), home)


class DrainAll:
    """Run the jobs of all classes of fake mode, until none is due."""

    def __get__(self, obj: object, owner: type[Any]) -> Drain:
        return Drain(None, _asked(obj, owner)[1])


class ClearAll:
    """Forget all jobs of fake mode, the dead ones too."""

    def __get__(self, obj: object, owner: type[Any]) -> Clear:
        return Clear(None, _asked(obj, owner)[1])


def inspection_of(home: Any) -> Inspection:
    """Who answers. Raises NotTesting if this thread or task pushes to Redis."""
    # A home that nobody stands in for need not open its client to say so.
    swapped = getattr(home, "stand_ins", home) is not None
    found: Inspection | None = getattr(home.client(), "inspection", None) if swapped else None
    if found is None:
        raise NotTesting(
            "This asks for the jobs of fake mode, but here jobs go to Redis: nothing was run or removed. Use "
            "`with pillion.testing.fake():`, or with pytest the fixture `pillion_fake` or the setting "
            "`pillion_mode = fake`. A thread started inside of such a block is not in it, unless that says "
            "everywhere=True. To look at what is in Redis: `pillion.api`."
        )
    return found


def _asked(obj: Any, owner: Any) -> tuple[Any, Any]:
    """The job that was asked, and its home. For a class the class; for a function the object that it became."""
    home = getattr(owner, "__home__", None)
    return (owner, home) if home is not None else (obj, obj.home)


def _or_all(job: Any) -> Any:
    """None, for all jobs, if `job` is the base class that everything derives from: `pillion.Job`."""
    is_root = isinstance(job, type) and "__home__" in vars(job) and getattr(job, "__job__").is_abstract  # noqa: B009
    return None if is_root else job

"""The blocks that a test is written in, and what it can ask inside of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from pillion.errors import NotTesting
from pillion.middleware import ServerChain
from pillion.testing.mode import ModeName, SwappableHome
from pillion.testing.modes import current, entered
from pillion.testing.store import FakeQueues, Payload


@contextmanager
def fake(*, everywhere: bool = False, home: SwappableHome | None = None) -> Generator[FakeQueues]:
    """Inside the block, jobs that are pushed are kept in memory: no Redis, and nothing runs until `drain`.

    It holds for this thread or asyncio task and the tasks made in it; with `everywhere`, for all threads
    and tasks that are in no block of their own. Nestable: each block has queues of its own, and the end of
    the inner one brings back the outer one. `home` is for jobs that are not bound to `pillion.default`.
    """
    with entered("fake", home, everywhere=everywhere) as mode:
        yield mode.queues


@contextmanager
def inline(*, everywhere: bool = False, home: SwappableHome | None = None) -> Generator[None]:
    """Inside the block, a job runs when it is pushed, with its arguments through JSON, also one for later.

    What it raises comes out of the push. Parameters as for `fake`.
    """
    with entered("inline", home, everywhere=everywhere):
        yield


@contextmanager
def disabled(*, everywhere: bool = False, home: SwappableHome | None = None) -> Generator[None]:
    """Inside the block, jobs go to Redis as in production. Parameters as for `fake`."""
    with entered("disabled", home, everywhere=everywhere):
        yield


def mode_name(home: SwappableHome | None = None) -> ModeName:
    """ "fake", "inline" or "disabled": where a push of this thread or task goes now."""
    try:
        mode = current(home)
    except NotTesting:
        return "disabled"
    return mode.name


def server_middleware(configure: Callable[[ServerChain], Any] | None = None) -> ServerChain:
    """The middleware around the jobs that run in this mode: none, unless a test adds some (F127).

    `testing.server_middleware().add(Silence)`, or with a function that is given the chain. What is added
    holds until the block ends; an inner block begins with what the outer one has. Raises NotTesting
    outside of fake and inline mode.
    """
    chain = current().chain
    if configure is not None:
        configure(chain)
    return chain


class CurrentQueues:
    """`testing.queues`: the fake queues of this thread or task, whichever those are when they are asked."""

    def __call__(self, home: SwappableHome | None = None) -> FakeQueues:
        """The queues themselves. Raises NotTesting outside of fake and inline mode."""
        return current(home).queues

    def __getitem__(self, queue: str) -> list[Payload]:
        """The payloads that wait in a queue, or are scheduled for it."""
        return self()[queue]

    def __iter__(self) -> Iterator[str]:
        """The names of the queues that have jobs."""
        return iter(self())

    def __contains__(self, queue: object) -> bool:
        return queue in self()

    def __len__(self) -> int:
        return len(self())

    def __getattr__(self, name: str) -> Any:
        return getattr(self(), name)

    def __repr__(self) -> str:
        return repr(self())


queues = CurrentQueues()

"""What a fetcher needs of whatever it sleeps with: `queue_wait.QueueWait` or `queue_poll.QueuePoll`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from pillion.storage.ops import work
from pillion.storage.ops.base import Op


class Waiter(Protocol):
    """How to sleep until there is work: `storage.queue_wait.QueueWait` or `storage.queue_poll.QueuePoll`."""

    @property
    def armed(self) -> bool:
        """Whether a blocking move is under way."""
        ...

    @property
    def unsure(self) -> bool:
        """After a `wait`: the queues may have been paused that its jobs come from."""
        ...

    @property
    def look_every_s(self) -> float:
        """How often to look at the pauses without any news."""
        ...

    def wait(self, paused: Collection[str]) -> bool:
        """Sleep; True: fetch now, False: woken or it has been long. Leaves `paused` queues alone. Raises RedisError."""
        ...

    def overhear(self) -> bool:
        """Whether there is news of pauses and nobody waits to hear it, from any thread."""
        ...

    def take_moved(self) -> list[tuple[work.Route, bytes]]:
        """The jobs that a wait has brought into private lists, each once."""
        ...

    def wake(self) -> None:
        """Make `wait` return, from any thread."""
        ...

    def cancel_ops(self) -> list[Op[Any]]:
        """Ops that end every blocking move under way."""
        ...

    def settle_cancelled(self) -> bool:
        """After `cancel_ops` was carried out. True: a move may have brought one more job into its private list."""
        ...

    def drop(self) -> None:
        """Give up all connections."""
        ...

    def close(self) -> None:
        """Give up everything for good."""
        ...

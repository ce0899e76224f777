"""The clients that a home has while a mode of testing is in use: the real ones, with a say in where pushes go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pillion.client import AsyncClient, Client
from pillion.client.admission import Admission
from pillion.client.intake import Batch, Intake
from pillion.config import Config
from pillion.testing.drain import Inspection
from pillion.testing.guards import AsyncGuardMemory, GuardMemory
from pillion.testing.mode import Mode, SwappableHome
from pillion.testing.storages import AsyncInlineStorage, AsyncMemoryStorage, InlineStorage, MemoryStorage


class Board(Protocol):
    """What a client asks for each push."""

    def mode(self) -> Mode | None:
        """The mode of this thread or task."""
        ...

    def now_s(self) -> float:
        """Epoch seconds."""
        ...


class _Later:
    """The real storage, opened when something is asked of it: the data API and `pillion.redis()` use it in any mode."""

    def __init__(self, open_client: Callable[[], Any]) -> None:
        self._open_client = open_client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._open_client().storage, name)


def later(open_client: Callable[[], Any]) -> Any:
    """A storage that is opened when something is asked of it."""
    return _Later(open_client)


class TestedClient(Client):
    """The client for threads."""

    __test__ = False  # for pytest: this is no class of tests

    def __init__(self, home: SwappableHome, board: Board, config: Config) -> None:
        super().__init__(later(home.real_client), config, intake=Intake(config, clock=board.now_s))
        self._board = board

    @property
    def inspection(self) -> Inspection | None:
        """What a test can see of the jobs, and do with them; None if this thread or task pushes to Redis."""
        mode = self._board.mode()
        return None if mode is None or mode.name == "disabled" else Inspection(mode)

    def _storage(self, item: Any) -> Any:
        mode = self._board.mode()
        if mode is None or mode.name == "disabled":
            return super()._storage(item)
        if mode.name == "inline":
            return InlineStorage(mode.runner(), self._connection)
        return MemoryStorage(mode.queues, self._connection)

    def _send(self, batch: Batch, storage: Any) -> list[str | None]:
        mode = self._board.mode()
        if mode is None or not isinstance(storage, MemoryStorage):
            return super()._send(batch, storage)
        return send_at_once(batch, storage, mode)

    @property
    def guards(self) -> GuardMemory | None:
        """What locks and their like use instead of Redis; None if this thread or task has its Redis."""
        mode = self._board.mode()
        return None if mode is None or mode.name == "disabled" else mode.guards

    def _connection(self) -> Any:
        """A connection to the real Redis, for client middleware that has something of its own to do there."""
        return self.storage.connection()


class TestedAsyncClient(AsyncClient):
    """The client for asyncio."""

    __test__ = False

    def __init__(self, home: SwappableHome, board: Board, config: Config) -> None:
        super().__init__(later(home.real_async_client), config, intake=Intake(config, clock=board.now_s))
        self._board = board

    def _storage(self, item: Any) -> Any:
        mode = self._board.mode()
        if mode is None or mode.name == "disabled":
            return super()._storage(item)
        if mode.name == "inline":
            return AsyncInlineStorage(mode.runner(), self._connection)
        return AsyncMemoryStorage(MemoryStorage(mode.queues, self._connection))

    async def _send(self, batch: Batch, storage: Any) -> list[str | None]:
        mode = self._board.mode()
        if mode is None or not isinstance(storage, AsyncMemoryStorage):
            return await super()._send(batch, storage)
        return send_at_once(batch, storage.in_memory, mode)

    @property
    def guards(self) -> AsyncGuardMemory | None:
        """What locks and their like use instead of Redis; None if this thread or task has its Redis."""
        mode = self._board.mode()
        return None if mode is None or mode.name == "disabled" else AsyncGuardMemory(mode.guards)

    def _connection(self) -> Any:
        """A connection to the real Redis, for client middleware that has something of its own to do there."""
        storage: Any = self.storage
        return storage.connection()


def send_at_once(batch: Batch, storage: MemoryStorage, mode: Mode) -> list[str | None]:
    """A push into fake queues. Waiting for room in a full queue takes no time but on the clock of the test."""
    replies = storage.run_all(batch.ops)
    admission = Admission(batch.jids, batch.guards)
    while pause_s := admission.pause_after(replies):
        mode.clock.pass_s(pause_s)
        replies = storage.run_all(admission.ops())
    return admission.jids

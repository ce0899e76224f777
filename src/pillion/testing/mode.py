"""Mode: one use of a mode of testing, with what belongs to it."""

from __future__ import annotations

from typing import Literal, Protocol

from pillion.client import AsyncClient, Client
from pillion.config import Config
from pillion.jobs.calls import Home
from pillion.middleware import ServerChain
from pillion.testing.guards import GuardMemory
from pillion.testing.run import Runner
from pillion.testing.store import Clock, FakeQueues

ModeName = Literal["fake", "inline", "disabled"]


class ClientMaker(Protocol):
    """Makes the clients of a home."""

    def client(self, config: Config) -> Client:
        """A client for threads."""
        ...

    def async_client(self, config: Config) -> AsyncClient:
        """A client for asyncio."""
        ...


class SwappableHome(Home, Protocol):
    """A home whose clients can be exchanged: `pillion.default` has one."""

    @property
    def stand_ins(self) -> ClientMaker | None:
        """Who makes the clients, if those are not real."""
        ...

    def stand_in(self, stand_ins: ClientMaker | None) -> None:
        """Have clients made by `stand_ins`, or by nobody else any more."""
        ...

    def real_client(self) -> Client:
        """The client that talks to Redis."""
        ...

    def real_async_client(self) -> AsyncClient:
        """The client that talks to Redis, for asyncio."""
        ...


class Mode:
    """One use of a mode, from the `with` to its end."""

    def __init__(self, name: ModeName, home: SwappableHome, outer: Mode | None) -> None:
        self.name: ModeName = name
        self.home = home
        self.outer = outer
        self.is_over = False
        own = name == "fake" or outer is None
        self.clock: Clock = Clock() if own or outer is None else outer.clock
        self.queues: FakeQueues = FakeQueues(self.clock) if own or outer is None else outer.queues
        self.guards: GuardMemory = GuardMemory(self.clock) if own or outer is None else outer.guards
        self.chain: ServerChain = outer.chain.copy() if outer is not None else ServerChain()

    def runner(self) -> Runner:
        """What runs the jobs of this mode."""
        return Runner(self.home.registry(), self.chain, self.home.config())

    def __repr__(self) -> str:
        return f"<testing mode {self.name}>"

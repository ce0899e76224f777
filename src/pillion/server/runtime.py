"""Runtime: what every part of one worker process is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pillion.client import Client
from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.server.isolation.app import App
from pillion.server.reporter import Reporter
from pillion.server.service import PeriodicService
from pillion.storage.sync import Storage


@dataclass(slots=True, frozen=True)
class Runtime:
    """The settings and doors of one worker process, passed down instead of globals."""

    config: Config
    storage: Storage
    identity: str
    registry: Registry
    client: Client
    reporter: Reporter
    app: App | None = None  # what was loaded; None: nothing that could be loaded again by name

    def periodic(self, name: str, tick: Callable[[], float], *, error_wait_s: float = 1.0) -> PeriodicService:
        """A service that calls `tick` again and again, in a thread of its own; see PeriodicService."""
        return PeriodicService(name, tick, self.reporter, error_wait_s=error_wait_s)

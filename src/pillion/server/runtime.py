"""Runtime: what every part of one worker process is given."""

from __future__ import annotations

from dataclasses import dataclass

from pillion.client import Client
from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.server.reporter import Reporter
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

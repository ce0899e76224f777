"""What the tests of the background services share: reports, dead owners, jobs in their hands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from pillion.config import Config
from pillion.server.give_back import Recovery
from pillion.server.owner import OwnerRecord
from pillion.server.reaper import Reaper
from pillion.server.reporter import Reporter
from pillion.storage.sync import Storage

ME = "vm:1:aaaaaaaaaaaa"
GONE = "vm:2:bbbbbbbbbbbb"
NOW_S = 1795300100.5


class Reports(Reporter):
    """A Reporter that keeps what it is told."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.errors: list[tuple[BaseException, str]] = []
        self.reported = threading.Semaphore(0)
        config.error_handlers.append(self._keep)

    def _keep(self, exc: BaseException, context: dict[str, Any], config: Config) -> None:
        self.errors.append((exc, str(context["context"])))
        self.reported.release()


class Watch:
    """A clock for tests: it goes when it is told to."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def soon(seconds: float = 20.0) -> float:
    """A monotonic deadline that only a failing test reaches."""
    return time.monotonic() + seconds


def job(jid: str, queue: str = "default", **more: Any) -> bytes:
    """The bytes of a job as a client writes them."""
    fields = {"retry": True, "queue": queue, "args": [1], "class": "app.Job", "jid": jid, "created_at": 1795300027713}
    return json.dumps({**fields, **more}, separators=(",", ":")).encode()


def inflight(queue: str = "default", identity: str = GONE) -> str:
    return f"{{queue:{queue}}}:inflight:{identity}"


def waiting(queue: str = "default", identity: str = GONE) -> str:
    return f"{{queue:{queue}}}:wait:{identity}"


def alive(identity: str = GONE) -> str:
    return f"pl:alive:{identity}"


def list_owner(raw: redis.Redis, *queues: str, identity: str = GONE, record: OwnerRecord | None = None) -> None:
    """Enter an owner. Without a record: one of another host, so that only its lease can tell of its end."""
    entry = record or OwnerRecord(queues or ("default",), "other-host", 2, "other-boot", 1, 1)
    raw.hset("pl:owners", identity, entry.dump())


def hold(raw: redis.Redis, *payloads: bytes, queue: str = "default", identity: str = GONE) -> None:
    """Put jobs in flight, with tokens 1, 2 ... in this order."""
    raw.hset(inflight(queue, identity), mapping={str(token): raw_job for token, raw_job in enumerate(payloads, 1)})


def run_order(raw: redis.Redis, queue: str = "default") -> list[bytes]:
    """The payloads of a queue, the next one to run first."""
    return [bytes(payload) for payload in reversed(raw.lrange(f"queue:{queue}", 0, -1))]


class ReaperScene:
    """A reaper, and everything it tells others."""

    def __init__(
        self, storage: Storage, *, bury_poison: bool = True, then: Callable[[], object] = int, **options: Any
    ) -> None:
        self.config = Config(**options)
        self.reports = Reports(self.config)
        self.deaths: list[tuple[dict[str, Any], BaseException]] = []
        self.config.death_handlers.append(lambda payload, exc: self.deaths.append((payload, exc)))
        self.recoveries: list[Recovery] = []
        self.then = then  # called after each recovery
        self.reaper = Reaper(
            storage,
            self.config,
            ME,
            self.reports,
            bury_poison=bury_poison,
            on_recovery=self._recovered,
            clock=Watch(NOW_S),
        )

    def _recovered(self, recovery: Recovery) -> None:
        self.recoveries.append(recovery)
        self.then()

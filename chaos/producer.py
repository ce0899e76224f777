"""`python -m chaos.producer KIND SEED`: pushes jobs until it is killed. KIND: sync, async, bulk, scheduled."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chaos.ledger import Writer
from pillion.client import AsyncClient, Client
from pillion.config import Config, RedisConfig
from pillion.errors import PillionError
from pillion.storage.connect import open_async_storage, open_storage
from pillion.storage.exchange import Batch

QUEUES = ("critical", "default", "low")
AFTER_AN_ERROR_S = 0.2

ledger = Writer()
# What was given to a client and is not known to have arrived: jid to (queue, class).
under_way: dict[str, tuple[str, str]] = {}


def note_try(job: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
    """Client middleware: write the jid down before anything is sent."""
    under_way[payload["jid"]] = (queue, str(payload["class"]))
    ledger.note("try", payload["jid"], queue, payload["class"])
    return next_()


def note_end(what: str, jids: list[str]) -> None:
    for jid in jids:
        ledger.note(what, jid, *under_way.pop(jid))


def watch_for_second_sends() -> None:
    """A push whose connection broke is sent once more (docs/design/engine.md): note which jobs that concerns."""
    original = Batch.broke

    def broke(self: Batch, replies: Any, error: BaseException) -> None:
        original(self, replies, error)
        for jid, names in list(under_way.items()):
            ledger.note("again", jid, *names)

    Batch.broke = broke  # type: ignore[method-assign]


class Mix:
    """Which jobs are pushed, one after the other: a function of the seed."""

    def __init__(self, seed: str) -> None:
        self._rng = random.Random(seed)

    def item(self) -> dict[str, Any]:
        rng = self._rng
        base = {"queue": rng.choice(QUEUES)}
        if rng.random() < 0.02:
            return base | {"class": "ChaosDoomed", "args": [], "retry": 1}
        failures = rng.choices([0, 1, 2], [85, 10, 5])[0]
        milliseconds = rng.choices([1, 20, 300, 4000], [45, 30, 24, 0.4])[0]
        return base | {"class": self._work(), "args": [milliseconds, failures], "retry": True}

    def bulk(self, size: int) -> dict[str, Any]:
        queue = self._rng.choice(QUEUES)
        args = [[self._rng.choice([0, 1, 5])] for _ in range(size)]
        return {"class": self._work(), "args": args, "queue": queue}

    def _work(self) -> str:
        """Three in ten are async."""
        return self._rng.choices(["ChaosWork", "ChaosAsyncWork"], [70, 30])[0]

    def soon(self) -> float:
        return time.time() + self._rng.choice([0.1, 0.5, 2.0, 5.0])


def push(client: Client, item: dict[str, Any]) -> None:
    """Push one item, single or bulk, and note what came of it."""
    try:
        client.push_bulk(item) if isinstance((item["args"] or [0])[0], list) else client.push(item)
    except PillionError:
        note_end("no", list(under_way))
        time.sleep(AFTER_AN_ERROR_S)
    else:
        note_end("ok", list(under_way))


def produce(kind: str, client: Client, mix: Mix) -> None:
    while True:
        if kind == "bulk":
            push(client, mix.bulk(40))
            time.sleep(2.0)
        else:
            push(client, mix.item() | ({"at": mix.soon()} if kind == "scheduled" else {}))
            time.sleep(0.1 if kind == "scheduled" else 0.04)


async def produce_async(config: Config, mix: Mix) -> None:
    client = AsyncClient(open_async_storage(config), config)
    while True:
        await asyncio.gather(*(_push_async(client.push(mix.item())) for _ in range(4)))
        await asyncio.sleep(0.2)


async def _push_async(pushed: Awaitable[str | None]) -> None:
    before = set(under_way)
    try:
        jid = await pushed
    except PillionError:
        # Which of those pushed at once it was is not known: all of them stay "perhaps", as does what is said of them.
        for name in set(under_way) - before:
            ledger.note("no", name, *under_way[name])
        await asyncio.sleep(AFTER_AN_ERROR_S)
    else:
        note_end("ok", [jid] if jid in under_way else [])


def main() -> None:
    kind, seed = sys.argv[1:]
    watch_for_second_sends()
    config = Config(redis=RedisConfig(url=os.environ["REDIS_URL"], timeout_s=3))
    config.client_middleware.add(note_try)
    mix = Mix(f"{seed}/{kind}")
    if kind == "async":
        asyncio.run(produce_async(config, mix))
    else:
        produce(kind, Client(open_storage(config), config), mix)


if __name__ == "__main__":
    main()

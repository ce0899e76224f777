"""The pushing side of a contestant: `python -m bench.peers.client MODULE MODE KIND COUNT ARG`.

Runs in the contestant's environment and prints the seconds it took. Modes: `single` (one push at a time), `bulk`
(as many at once as the contestant offers, by the thousand), `fill` (bulk where offered, else single), `ping` (push,
wait for the start, push again), `schedule` (due at chosen moments of the next seconds). A jobs module has `push`, and
where they are offered `push_many` and `push_at`; these are coroutines in modules that have `session`.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from importlib import import_module
from types import ModuleType
from typing import Any

from bench.peers.ledger import opened

BATCH = 1000
LEAD_S = 1.5  # scheduled jobs are due from here on,
SPAN_S = 4.0  # spread over so long
PATIENCE_S = 15.0

ledger = opened()


async def single(module: ModuleType, kind: str, count: int, arg: int) -> None:
    """One push at a time."""
    push = module.push
    if hasattr(module, "session"):
        for n in range(count):
            await push(kind, n, arg)
    else:
        for n in range(count):
            push(kind, n, arg)


async def bulk(module: ModuleType, kind: str, count: int, arg: int) -> None:
    """By the thousand."""
    for start in range(0, count, BATCH):
        await settled(module.push_many(kind, range(start, min(start + BATCH, count)), arg))


async def fill(module: ModuleType, kind: str, count: int, arg: int) -> None:
    """The quickest way there is."""
    await (bulk if hasattr(module, "push_many") else single)(module, kind, count, arg)


async def ping(module: ModuleType, kind: str, count: int, arg: int) -> None:
    """One job at a time, each after the one before has started and the worker has rested."""
    for n in range(count):
        rest(0.02 + random.random() * 0.03)  # not in step with anything that polls
        ledger.pushed[n] = time.time()
        await settled(module.push(kind, n, arg))
        deadline = time.monotonic() + PATIENCE_S
        while not ledger.runs[n]:
            if time.monotonic() > deadline:
                raise SystemExit(f"job {n} did not start within {PATIENCE_S:.0f} s")
            rest(0.0005)


async def schedule(module: ModuleType, kind: str, count: int, arg: int) -> None:
    """Each due at a moment of its own; all are pushed before the first is due."""
    base = time.time() + LEAD_S
    for n in range(count):
        due = base + SPAN_S * n / count
        ledger.pushed[n] = due
        await settled(module.push_at(kind, n, arg, due))


def rest(seconds: float) -> None:
    """Sleep, the event loop too: nothing else is in it, and the next push then starts from rest."""
    time.sleep(seconds)


async def settled(value: Any) -> None:
    """Wait for it, if it is to be waited for."""
    if asyncio.iscoroutine(value):
        await value


MODES = {"single": single, "bulk": bulk, "fill": fill, "ping": ping, "schedule": schedule}


async def timed(module: ModuleType, mode: str, kind: str, count: int, arg: int) -> float:
    """Seconds, without what it takes to import and to connect: a timed client has pushed job 0 once before."""
    if mode in ("single", "bulk"):
        await settled(module.push(kind, 0, arg))
    began = time.perf_counter()
    await MODES[mode](module, kind, count, arg)
    return time.perf_counter() - began


async def with_session(module: ModuleType, mode: str, kind: str, count: int, arg: int) -> float:
    """The same inside of the contestant's connection."""
    async with module.session():
        return await timed(module, mode, kind, count, arg)


def main() -> None:
    """Do it."""
    name, mode, kind, count, arg = sys.argv[1:]
    module = import_module(f"bench.peers.{name}")
    options = (module, mode, kind, int(count), int(arg))
    if hasattr(module, "session"):
        taken_s = asyncio.run(with_session(*options))
    else:
        try:  # no event loop here: nothing in it waits, and some clients behave differently inside of one
            timed(*options).send(None)
        except StopIteration as stop:
            taken_s = stop.value
    print(taken_s)


if __name__ == "__main__":
    main()

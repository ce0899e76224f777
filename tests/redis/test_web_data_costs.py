"""What each call of the dashboard says that it sends to Redis is what Redis gets (F208)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from web_fleet import WEB, Scene, active_job, add_process, count_runs, enqueue, failed, mark_deploy, payload, run

from pillion.api.call import Described
from pillion.web.data.data import Data
from pillion.web.data.looking import Looking

LOOKS: dict[str, tuple[Any, ...]] = {
    "queue": ("mail",),
    "job": ("abc",),
    "metrics_job": ("A",),
    "search": ("abc",),
    "bulk": ("x",),
    "errors": ("retries",),
    "export": ("retries",),
    "preview": ("retries", "retry"),
    "preview_keys": ("retries", "kill", ("5.0|0123456789abcdef|0",)),
    "preview_queue": ("mail",),
    "preview_queues": (["mail", "gone"],),
}
CALLS = sorted(name for name, value in vars(Looking).items() if isinstance(value, Described))


@pytest.fixture
def scene(redis_url: str, raw: redis.Redis) -> Iterator[Scene]:
    made = Scene(redis_url)
    add_process(raw)
    enqueue(raw, "mail", payload("a"), payload("b"))
    run(raw, WEB, "t1", payload("abc"))
    raw.hset("it-abc", mapping={"ex": 1})
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {failed("abc"): 5.0, active_job("x", "A", [1]): 6.0})
    raw.xadd("pl:audit", {"who": "ana"})
    raw.hset("pl:bulks", "x", "{}")
    mark_deploy(raw, "v1", 60)
    count_runs(made.fleet, "A", 2, ran=5)
    made.data.queue_clear("other")
    enqueue(raw, "gone", payload("g"))
    made.data.queue_clear("gone")
    yield made
    made.fleet.close()


@pytest.mark.parametrize("name", CALLS)
def test_what_is_sent_is_what_is_said(scene: Scene, raw: redis.Redis, name: str) -> None:
    call, given = getattr(scene.data, name), LOOKS.get(name, ())
    _all_of(call(*given))  # the scripts are known from here on
    scene.later(61)
    raw.config_resetstat()
    _all_of(call(*given))
    sent = {command.removeprefix("cmdstat_").upper().partition("|")[0] for command in raw.info("commandstats")}
    said = {command.partition(" ")[0] for command in vars(Looking)[name].cost.commands}
    assert sent - {"INFO", "CONFIG", "SELECT", "CLIENT", "HELLO", "COMMAND"} <= said


def _all_of(found: Any) -> None:
    if isinstance(found, Iterator):
        list(found)


def test_every_call_says_what_it_costs() -> None:
    for owner in Data.__mro__:
        for value in vars(owner).values():
            if isinstance(value, Described):
                assert value.explain()
                assert value.__doc__

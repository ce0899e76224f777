"""Iterations: how far iterable jobs have come."""

from __future__ import annotations

import asyncio

import pytest

from pillion.api.fleet import Fleet
from pillion.api.iterations import Iterations, IterationState
from pillion.config import Config
from pillion.errors import ConfigError

NOW_S = 1795300100.5
MONTH_S = 2_592_000


@pytest.fixture
def iterations(redis_url):
    fleet = Fleet(Config(redis=redis_url), clock=lambda: NOW_S)
    yield Iterations(fleet=fleet)
    fleet.close()


def test_the_states_of_many_jobs_come_at_once_without_the_unknown(iterations, raw):
    raw.hset("it-a", mapping={"ex": 1, "c": 28, "rt": "14.018299347000038"})
    raw.hset("it-b", mapping={"ex": 2, "c": '["x",1]', "rt": 0, "cancelled": 1795300000})
    assert iterations.read(["a", "nobody", "b", "a"]) == {
        "a": IterationState(1, 14.018299347000038, 28, None),
        "b": IterationState(2, 0.0, ["x", 1], 1795300000),
    }
    assert iterations.read([]) == {}
    assert iterations.get("a") == iterations.read(["a"])["a"]
    assert iterations.get("nobody") is None


def test_any_field_may_be_missing_or_damaged(iterations, raw):
    raw.hset("it-a", "cancelled", 1795300000)
    raw.hset("it-b", mapping={"c": b"not json", "ex": "x", "rt": "nan"})
    assert iterations.get("a") == IterationState(0, 0.0, None, 1795300000)
    assert iterations.get("b") == IterationState(0, 0.0, "not json", None)


def test_a_job_is_cancelled_once_for_a_month(iterations, raw):
    assert iterations.cancel("a") == int(NOW_S)
    assert raw.hgetall("it-a") == {b"cancelled": b"1795300100"}
    assert MONTH_S - 60 < raw.ttl("it-a") <= MONTH_S
    raw.hset("it-a", "cancelled", 1795300000)
    assert iterations.cancel("a") == 1795300000


def test_cancelling_does_not_make_the_state_live_longer(iterations, raw):
    raw.hset("it-a", "c", 5)
    raw.expire("it-a", 100)
    iterations.cancel("a")
    assert raw.ttl("it-a") <= 100


def test_event_loops_see_the_same(iterations):
    async def cancel():
        try:
            await iterations.cancel.aio("a")
            return await iterations.get.aio("a")
        finally:
            await iterations.fleet.aclose()

    assert asyncio.run(cancel()) == iterations.get("a")


@pytest.mark.parametrize("jids", [None, "a", [None], [""], 7])
def test_what_are_no_jids_is_refused(iterations, jids):
    with pytest.raises(ConfigError, match="jids: expected job ids, as a list of texts"):
        iterations.read(jids)


def test_an_empty_jid_cannot_be_cancelled(iterations, raw):
    with pytest.raises(ConfigError, match="jids"):
        iterations.cancel("")
    assert raw.dbsize() == 0

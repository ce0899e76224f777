"""ProcessSet and Process: who lives, and what they are told."""

from __future__ import annotations

import asyncio
import json

import pytest
from services import GONE, ME

from pillion.api.fleet import Fleet
from pillion.api.processes import Process, ProcessSet
from pillion.config import Config
from pillion.errors import ConfigError
from pillion.storage.ops import inspect as ops


@pytest.fixture
def fleet(redis_url):
    opened = Fleet(Config(redis=redis_url))
    yield opened
    opened.close()


@pytest.fixture
def processes(fleet):
    return ProcessSet(fleet=fleet)


def enter(raw, identity, *, info=None, **fields):
    """A process that beats."""
    hostname, pid, _ = identity.rsplit(":", 2)
    said = {"hostname": hostname, "pid": int(pid), "identity": identity, "queues": ["default"], **(info or {})}
    raw.sadd("processes", identity)
    raw.hset(identity, mapping={"info": json.dumps(said), "busy": 0, "quiet": "false", "beat": 1795300070.5, **fields})
    raw.expire(identity, 60)


def identities(processes):
    return [process.identity for process in processes]


# -- who lives -------------------------------------------------------------------------------------


def test_nobody_is_there_at_first(processes):
    assert (list(processes), processes.size(), processes.total_concurrency()) == ([], 0, 0)
    assert (processes.total_rss_kib(), processes.leader(), processes.get(ME)) == (0, "", None)


def test_processes_come_sorted_by_identity(processes, raw):
    for identity in ("b:2:x", "a:10:x", "a:1:x", "ü:3:x"):
        enter(raw, identity)
    assert identities(processes) == ["a:10:x", "a:1:x", "b:2:x", "ü:3:x"]


def test_event_loops_see_the_same(processes, raw):
    enter(raw, ME)
    enter(raw, GONE)

    async def look():
        try:
            return [process async for process in processes], await processes.size.aio()
        finally:
            await processes.fleet.aclose()

    assert asyncio.run(look()) == (list(processes), 2)


def test_totals_add_up_what_all_say(processes, raw):
    enter(raw, ME, concurrency=5, rss=1000)
    enter(raw, GONE, info={"concurrency": 10})
    assert processes.total_concurrency() == 15
    assert processes.total_rss_kib() == 1000


def test_the_size_is_one_cheap_command(processes, raw):
    enter(raw, ME)
    raw.sadd("processes", GONE)
    assert processes.size() == 2
    assert processes.size.explain() == "SCARD; O(1); 1 round trip"


def test_one_process_can_be_looked_up(processes, raw):
    enter(raw, ME, busy=3)
    found = processes.get(ME)
    assert isinstance(found, Process)
    assert (found.identity, found.busy) == (ME, 3)


def test_a_process_that_has_ended_or_expired_is_not_found(processes, raw):
    enter(raw, ME)
    raw.srem("processes", ME)
    raw.sadd("processes", GONE)
    assert (processes.get(ME), processes.get(GONE)) == (None, None)


def test_the_leader_is_whom_the_fleet_has_elected(processes, raw):
    raw.set("dear-leader", ME)
    assert processes.leader() == ME


def test_a_hundred_processes_take_two_round_trips(processes, raw):
    for n in range(100):
        enter(raw, f"vm:{n}:x")
    trips = []
    storage = processes.fleet.storage
    run, run_all = storage.run, storage.run_all
    storage.run = lambda op: trips.append(1) or run(op)
    storage.run_all = lambda ops: trips.append(len(ops)) or run_all(ops)
    assert len(list(processes)) == 100
    assert trips == [1, 100]


# -- who is dead -----------------------------------------------------------------------------------


def test_a_process_without_a_record_is_left_out_and_taken_off_the_list(processes, raw):
    enter(raw, ME)
    raw.sadd("processes", GONE)
    assert identities(processes) == [ME]
    assert raw.smembers("processes") == {ME.encode()}
    assert 0 < raw.ttl("process_cleanup") <= 60


def test_the_list_is_cleaned_once_a_minute_in_the_whole_fleet(processes, raw):
    raw.set("process_cleanup", 1, ex=60)
    raw.sadd("processes", GONE)
    assert (identities(processes), processes.cleanup()) == ([], 0)
    assert raw.smembers("processes") == {GONE.encode()}


def test_cleaning_tells_how_many_were_dead(processes, raw):
    enter(raw, ME)
    raw.sadd("processes", "vm:7:x", "vm:8:x")
    assert processes.cleanup() == 2


def test_a_list_without_dead_ones_leaves_the_minute_to_others(processes, raw):
    enter(raw, ME)
    assert (identities(processes), processes.cleanup()) == ([ME], 0)
    assert not raw.exists("process_cleanup")


def test_a_process_that_comes_back_while_the_list_is_cleaned_stays(storage, raw):
    enter(raw, ME)
    raw.sadd("processes", GONE)
    assert storage.run(ops.forget_dead([ME.encode(), GONE.encode()])) == 1
    assert raw.smembers("processes") == {ME.encode()}


def test_a_full_redis_still_shows_who_lives(own_redis):
    with own_redis.client() as raw:
        enter(raw, ME)
        raw.sadd("processes", GONE)
        raw.config_set("maxmemory", 1)
        fleet = Fleet(Config(redis=own_redis.url))
        assert identities(ProcessSet(fleet=fleet)) == [ME]
        fleet.close()


# -- what they are told ----------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "signal"), [("quiet", b"TSTP"), ("stop", b"TERM"), ("dump", b"TTIN")])
def test_a_process_is_told_through_its_list_of_signals(processes, raw, what, signal):
    enter(raw, ME)
    getattr(processes.get(ME), what)()
    assert raw.lrange(f"{ME}-signals", 0, -1) == [signal]
    assert 0 < raw.ttl(f"{ME}-signals") <= 60


def test_signals_are_told_in_the_order_they_were_given(processes, raw):
    enter(raw, ME)
    mine = processes.get(ME)
    mine.quiet()
    mine.stop()
    assert [raw.rpop(f"{ME}-signals") for _ in range(2)] == [b"TSTP", b"TERM"]


def test_a_process_can_be_told_from_an_event_loop(processes, raw):
    enter(raw, ME)

    async def tell():
        try:
            await (await processes.get.aio(ME)).quiet.aio()
        finally:
            await processes.fleet.aclose()

    asyncio.run(tell())
    assert raw.lrange(f"{ME}-signals", 0, -1) == [b"TSTP"]


@pytest.mark.parametrize("what", ["quiet", "stop", "dump"])
def test_an_embedded_process_is_told_nothing(processes, raw, what):
    enter(raw, ME, info={"embedded": True})
    with pytest.raises(ConfigError, match=r"process: expected a process of its own.*from within that program"):
        getattr(processes.get(ME), what)()
    assert not raw.exists(f"{ME}-signals")


@pytest.mark.parametrize("end", ["left", "died"])
def test_a_process_that_is_no_more_is_told_nothing(processes, raw, end):
    enter(raw, ME)
    mine = processes.get(ME)
    if end == "left":
        raw.srem("processes", ME)  # its record stays for a minute
    else:
        raw.delete(ME)
    with pytest.raises(ConfigError, match=r"process: expected the identity of a process that lives.*ProcessSet"):
        mine.stop()
    assert not raw.exists(f"{ME}-signals")

"""WorkSet: what is running."""

from __future__ import annotations

import asyncio
import json

import pytest
from services import GONE, ME, job

from pillion.api.fleet import Fleet
from pillion.api.work import WorkSet
from pillion.config import Config


@pytest.fixture
def works(redis_url):
    fleet = Fleet(Config(redis=redis_url))
    yield WorkSet(fleet=fleet)
    fleet.close()


def run(raw, identity, key=":work", **threads):
    """`threads`: thread id to (jid, run_at)."""
    raw.sadd("processes", identity)
    raw.hset(identity, mapping={"info": "{}", "busy": len(threads)})
    for thread, (jid, run_at) in threads.items():
        entry = {"queue": "default", "payload": job(jid).decode(), "run_at": run_at}
        raw.hset(identity + key, thread, json.dumps(entry))


def test_nothing_runs_at_first(works):
    assert (list(works), works.size(), works.find_work("a")) == ([], 0, None)


def test_jobs_of_all_processes_come_the_longest_running_first(works, raw):
    run(raw, ME, t1=("b", 1795300020), t2=("d", 1795300040))
    run(raw, GONE, t1=("c", 1795300030), t2=("a", 1795300010))
    seen = [(work.process_id, work.thread_id, work.job.jid, work.run_at) for work in works]
    assert seen == [
        (GONE, "t2", "a", 1795300010.0),
        (ME, "t1", "b", 1795300020.0),
        (GONE, "t1", "c", 1795300030.0),
        (ME, "t2", "d", 1795300040.0),
    ]


def test_processes_up_to_6_4_1_keep_it_under_another_name(works, raw):
    run(raw, ME, key=":workers", t1=("a", 1795300020))
    assert [work.job.jid for work in works] == ["a"]


def test_entries_without_a_value_are_nothing(works, raw):
    run(raw, ME, t1=("a", 1795300020))
    raw.hset(f"{ME}:work", "t2", "")
    assert [work.thread_id for work in works] == ["t1"]


def test_a_damaged_entry_does_not_hide_the_others(works, raw):
    run(raw, ME, t1=("a", 1795300020))
    raw.hset(f"{ME}:work", "t2", b"\xff{")
    assert [work.thread_id for work in works] == ["t2", "t1"]
    assert works.find_work("a").thread_id == "t1"


def test_the_size_is_what_the_processes_say(works, raw):
    run(raw, ME, t1=("a", 1), t2=("b", 2))
    run(raw, GONE, t1=("c", 1))
    raw.sadd("processes", "vm:3:without-record")
    assert works.size() == 3


def test_a_running_job_is_found_by_its_jid(works, raw):
    run(raw, ME, t1=("a", 1795300020), t2=("b", 1795300040))
    assert works.find_work("b").thread_id == "t2"
    assert works.find_work("c") is None


def test_a_jid_is_found_whatever_signs_it_has(works, raw):
    for n, jid in enumerate(('"quoted"', "é", "back\\slash", "line\nbreak")):
        run(raw, f"vm:{n}:x", t1=(jid, 1795300020))
        assert works.find_work(jid).process_id == f"vm:{n}:x"


def test_a_jid_that_is_only_mentioned_is_not_found(works, raw):
    entry = {"queue": "default", "payload": job("b", args=["abc"]).decode(), "run_at": 1}
    raw.sadd("processes", ME)
    raw.hset(f"{ME}:work", "t1", json.dumps(entry))
    assert works.find_work("abc") is None
    assert works.find_work("b").thread_id == "t1"


def test_event_loops_see_the_same(works, raw):
    run(raw, ME, t1=("a", 1795300020))

    async def look():
        try:
            found = await works.find_work.aio("a")
            return [work.thread_id async for work in works], found.thread_id, await works.size.aio()
        finally:
            await works.fleet.aclose()

    assert asyncio.run(look()) == (["t1"], "t1", 1)


def test_a_hundred_processes_with_a_hundred_threads_take_two_round_trips(works, raw):
    pipe = raw.pipeline()
    for n in range(100):
        run(pipe, f"vm:{n}:x", **{f"t{t}": (f"{n}-{t}", 1795300000 + t) for t in range(100)})
    pipe.execute()
    trips = []
    storage = works.fleet.storage
    run_one, run_all = storage.run, storage.run_all
    storage.run = lambda op: trips.append(1) or run_one(op)
    storage.run_all = lambda ops: trips.append(len(ops)) or run_all(ops)
    seen = list(works)
    assert (len(seen), len(trips)) == (10_000, 2)
    assert seen[0].run_at == 1795300000.0

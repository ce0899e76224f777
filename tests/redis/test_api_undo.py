"""Removing with undo: nothing is lost, nothing is doubled, whatever happened in between."""

import asyncio
import threading
import time

import pytest
from redis_process import RedisProcess
from relay import Relay
from services import Watch, job, soon

from pillion.api.fleet import Fleet
from pillion.api.plan import Plan, run
from pillion.api.sets import RetrySet
from pillion.api.undo import NothingToUndo, Removed, Undo, new_bin, remove_all, remove_members, removed
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, RedisError
from pillion.storage.ops.undo import Kind

NOW_S = 1795300100.5
DAY_S = 86_400


@pytest.fixture
def fleet(redis_url):
    opened = Fleet(Config(redis=RedisConfig(url=redis_url)), clock=Watch(NOW_S))
    yield opened
    opened.close()


def clear(fleet: Fleet, kind: Kind, name: str, undo_s: float = DAY_S) -> Removed:
    return run(remove_all(new_bin(fleet, kind, name, undo_s)), fleet.storage)


def take(fleet: Fleet, name: str, *pages: list[bytes], undo_s: float = DAY_S) -> Removed:
    def plan() -> Plan[Removed]:
        bin_, count = new_bin(fleet, "set", name, undo_s), 0
        for page in pages:
            count += yield from remove_members(bin_, page)
        return removed(bin_, count)

    return run(plan(), fleet.storage)


def push(raw, *jids: str, queue: str = "mail") -> None:
    raw.sadd("queues", queue)
    for jid in jids:
        raw.lpush(f"queue:{queue}", jid)


def run_order(raw, queue: str = "mail") -> list[str]:
    return [value.decode() for value in reversed(raw.lrange(f"queue:{queue}", 0, -1))]


# -- removing --------------------------------------------------------------------------------------


def test_a_removed_queue_is_gone_with_its_name_and_waits_in_a_bin_for_a_day(fleet, raw):
    push(raw, "a", "b")
    gone = clear(fleet, "queue", "mail")
    assert (gone.count, gone.name, gone.expires_at) == (2, "mail", NOW_S + DAY_S)
    assert (raw.exists("queue:mail"), raw.smembers("queues")) == (0, set())
    assert DAY_S - 60 < raw.ttl(f"pl:trash:{gone.undo_id}") <= DAY_S
    assert DAY_S - 60 < raw.ttl(f"pl:trash:{gone.undo_id}:note") <= DAY_S


def test_an_empty_queue_leaves_nothing_to_undo_but_loses_its_name(fleet, raw):
    raw.sadd("queues", "mail")
    assert clear(fleet, "queue", "mail") == Removed(0, "mail")
    assert raw.keys("*") == []


def test_without_undo_nothing_is_kept(fleet, raw):
    push(raw, "a")
    raw.zadd("retry", {"b": 1})
    assert clear(fleet, "queue", "mail", undo_s=0) == Removed(1, "mail")
    assert take(fleet, "retry", [b"b"], undo_s=0) == Removed(1, "retry")
    assert raw.keys("*") == []


@pytest.mark.parametrize("undo_s", [-1, float("nan"), float("inf"), "1", True, None])
def test_a_time_that_is_none_is_refused(fleet, undo_s):
    with pytest.raises(ConfigError, match="undo_s"):
        new_bin(fleet, "queue", "mail", undo_s)


def test_a_removal_sent_twice_removes_once(fleet, raw):
    # The reply to the first one was lost; meanwhile somebody pushed.
    bin_ = new_bin(fleet, "queue", "mail", DAY_S)
    push(raw, "a", "b")
    first = run(remove_all(bin_), fleet.storage)
    push(raw, "c")
    assert run(remove_all(bin_), fleet.storage) == first
    assert run_order(raw) == ["c"]


def test_a_key_of_a_wrong_type_is_left_alone(fleet, raw):
    raw.set("queue:mail", "x")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        clear(fleet, "queue", "mail")
    assert raw.get("queue:mail") == b"x"


def test_removing_works_when_redis_is_full(own_redis: RedisProcess):
    with own_redis.client() as raw:
        push(raw, "a")
        raw.zadd("retry", {"b": 1, "c": 2})
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        fleet = Fleet(Config(redis=RedisConfig(url=own_redis.url)))
        assert clear(fleet, "queue", "mail").count == 1
        assert take(fleet, "retry", [b"b"]).count == 1
        assert clear(fleet, "set", "retry").count == 1
        assert len(Undo.all(fleet)) == 3
        fleet.close()


# -- putting back ----------------------------------------------------------------------------------


def test_a_queue_comes_back_as_it_was(fleet, raw):
    push(raw, "a", "b", "c")
    gone = clear(fleet, "queue", "mail")
    assert Undo(gone.undo_id, fleet=fleet).restore() == 3
    assert run_order(raw) == ["a", "b", "c"]
    assert raw.smembers("queues") == {b"mail"}
    assert sorted(raw.keys("*")) == [b"queue:mail", b"queues"]
    assert raw.ttl("queue:mail") == -1


def test_what_comes_back_runs_before_what_was_pushed_since(fleet, raw):
    push(raw, "a", "b")
    gone = clear(fleet, "queue", "mail")
    push(raw, "c", "d")
    Undo(gone.undo_id, fleet=fleet).restore()
    assert run_order(raw) == ["a", "b", "c", "d"]


def test_a_long_queue_that_was_pushed_to_comes_back_in_steps_and_in_order(fleet, raw):
    old, new = [f"old{i}" for i in range(1100)], [f"new{i}" for i in range(501)]
    push(raw, *old)
    gone = clear(fleet, "queue", "mail")
    push(raw, *new)
    told = []
    Undo(gone.undo_id, fleet=fleet).restore(progress=lambda done, total: told.append((done, total)))
    assert run_order(raw) == old + new
    assert told == [(250, 1100), (500, 1100), (750, 1100), (1000, 1100), (1100, 1100)]


def test_a_restore_that_is_killed_has_each_job_in_one_place_and_can_be_repeated(fleet, raw):
    old, new = [f"old{i}" for i in range(1200)], [f"new{i}" for i in range(600)]
    push(raw, *old)
    gone = clear(fleet, "queue", "mail")
    push(raw, *new)

    def killed(done: int, total: int) -> None:
        raise KeyboardInterrupt

    undo = Undo(gone.undo_id, fleet=fleet)
    with pytest.raises(KeyboardInterrupt):
        undo.restore(progress=killed)
    assert (len(run_order(raw)), raw.llen(f"pl:trash:{gone.undo_id}")) == (850, 950)
    assert [undoable.count for undoable in Undo.all(fleet)] == [950]
    assert undo.restore() == 950
    assert run_order(raw) == old + new


def test_a_bin_does_not_expire_while_it_is_emptied(fleet, raw):
    push(raw, *(f"old{i}" for i in range(600)))
    gone = clear(fleet, "queue", "mail", undo_s=60)
    push(raw, *(f"new{i}" for i in range(501)))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Undo(gone.undo_id, fleet=fleet).restore(progress=stop)
    assert raw.ttl(f"pl:trash:{gone.undo_id}") > 3000
    assert raw.ttl(f"pl:trash:{gone.undo_id}:note") > 3000
    assert Undo.all(fleet)[0].expires_at == NOW_S + 3600


def test_a_set_comes_back_with_its_times(fleet, raw):
    raw.zadd("retry", {"a": 1.5, "b": 1795300071.5323694})
    gone = clear(fleet, "set", "retry")
    assert raw.exists("retry") == 0
    assert Undo(gone.undo_id, fleet=fleet).restore() == 2
    assert raw.zrange("retry", 0, -1, withscores=True) == [(b"a", 1.5), (b"b", 1795300071.5323694)]
    assert raw.keys("*") == [b"retry"]
    assert raw.ttl("retry") == -1


def test_a_set_that_has_new_jobs_comes_back_in_steps(fleet, raw):
    before = {f"j{i}".encode(): i + 0.25 for i in range(250)}
    raw.zadd("retry", before)
    gone = clear(fleet, "set", "retry")
    raw.zadd("retry", {"new": 7, "j5": 99})
    told = []
    Undo(gone.undo_id, fleet=fleet).restore(progress=lambda done, total: told.append((done, total)))
    # j5 was put off since: that stands.
    assert dict(raw.zrange("retry", 0, -1, withscores=True)) == before | {b"new": 7, b"j5": 99}
    assert told == [(100, 250), (200, 250), (250, 250)]


def test_members_that_a_filter_chose_come_back_with_their_times(fleet, raw):
    entries = {job("a"): 1.5, job("b"): 2.5, job("c"): 3.5}
    raw.zadd("dead", entries)
    gone = take(fleet, "dead", [job("a"), b"unknown"], [job("c")])
    assert (gone.count, gone.name) == (2, "dead")
    assert raw.zrange("dead", 0, -1) == [job("b")]
    (undoable,) = Undo.all(fleet)
    assert (undoable.undo_id, undoable.kind, undoable.count) == (gone.undo_id, "set", 2)
    assert DAY_S - 60 < raw.ttl(f"pl:trash:{gone.undo_id}") <= DAY_S
    assert Undo(gone.undo_id, fleet=fleet).restore() == 2
    assert dict(raw.zrange("dead", 0, -1, withscores=True)) == entries


def test_a_filter_that_chose_nothing_leaves_nothing(fleet, raw):
    assert take(fleet, "dead", [b"unknown"]) == Removed(0, "dead")
    assert raw.keys("*") == []


@pytest.mark.parametrize(("kind", "name"), [("queue", "mail"), ("set", "retry")])
def test_a_restore_into_a_key_of_a_wrong_type_touches_nothing(fleet, raw, kind, name):
    push(raw, "a")
    raw.zadd("retry", {"a": 1})
    gone = clear(fleet, kind, name)
    source = "queue:mail" if kind == "queue" else "retry"
    raw.set(source, "x")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        Undo(gone.undo_id, fleet=fleet).restore()
    raw.delete(source)
    assert Undo(gone.undo_id, fleet=fleet).restore() == 1


def test_nothing_is_lost_or_doubled_while_workers_take_and_producers_push(fleet, raw, empty_redis: RedisProcess):
    old, new = [f"old{i}" for i in range(3000)], [f"new{i}" for i in range(2000)]
    push(raw, *old)
    gone = clear(fleet, "queue", "mail")
    push(raw, *new[:1000])
    stop, taken = threading.Event(), []

    def work() -> None:
        with empty_redis.client() as client:
            while not stop.is_set():
                value = client.rpop("queue:mail")
                if value is not None:
                    taken.append(value.decode())

    def produce() -> None:
        with empty_redis.client() as client:
            for jid in new[1000:]:
                client.lpush("queue:mail", jid)

    worker, producer = threading.Thread(target=work), threading.Thread(target=produce)
    worker.start()
    producer.start()
    assert Undo(gone.undo_id, fleet=fleet).restore() == 3000
    producer.join()
    stop.set()
    worker.join()
    assert sorted([*taken, *run_order(raw)]) == sorted([*old, *new])


def test_a_queue_comes_back_when_redis_is_full(own_redis: RedisProcess):
    with own_redis.client() as raw:
        push(raw, "a", "b")
        raw.zadd("retry", {"c": 1})
        fleet = Fleet(Config(redis=RedisConfig(url=own_redis.url)))
        queue, retry = clear(fleet, "queue", "mail"), clear(fleet, "set", "retry")
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        assert Undo(queue.undo_id, fleet=fleet).restore() == 2
        assert Undo(retry.undo_id, fleet=fleet).restore() == 1
        assert (run_order(raw), raw.zscore("retry", "c")) == (["a", "b"], 1)
        fleet.close()


def test_a_worker_that_waits_for_the_queue_gets_what_comes_back(fleet, raw, empty_redis: RedisProcess):
    push(raw, "a", "b")
    gone = clear(fleet, "queue", "mail")
    got = []

    def wait() -> None:
        with empty_redis.client() as client:
            got.append(client.brpop("queue:mail", 9))

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = soon()
    while not raw.info("clients")["blocked_clients"]:
        assert time.monotonic() < deadline
    Undo(gone.undo_id, fleet=fleet).restore()
    waiting.join()
    assert got == [(b"queue:mail", b"a")]


# -- what can be undone ----------------------------------------------------------------------------


def test_what_can_be_undone_is_listed(fleet, raw):
    push(raw, "a", "b")
    raw.zadd("retry", {"c": 1})
    queue = clear(fleet, "queue", "mail")
    fleet.clock.now_s += 5
    retry = clear(fleet, "set", "retry")
    newest, oldest = Undo.all(fleet)
    assert (newest.undo_id, newest.kind, newest.name, newest.count) == (retry.undo_id, "set", "retry", 1)
    assert (oldest.undo_id, oldest.kind, oldest.name, oldest.count) == (queue.undo_id, "queue", "mail", 2)
    assert (oldest.at, oldest.expires_at) == (NOW_S, NOW_S + DAY_S)


def test_what_has_expired_is_neither_listed_nor_kept_in_the_list(fleet, raw):
    push(raw, "a")
    old = clear(fleet, "queue", "mail", undo_s=10)
    fleet.clock.now_s += 11
    assert Undo.all(fleet) == []
    push(raw, "b")
    clear(fleet, "queue", "mail")
    assert raw.zscore("pl:trash", old.undo_id) is None


def test_a_bin_that_redis_has_dropped_is_not_listed(fleet, raw):
    push(raw, "a")
    gone = clear(fleet, "queue", "mail")
    raw.delete(f"pl:trash:{gone.undo_id}")
    assert Undo.all(fleet) == []
    with pytest.raises(NothingToUndo):
        Undo(gone.undo_id, fleet=fleet).restore()


def test_undoing_twice_says_that_there_is_nothing_left(fleet, raw):
    push(raw, "a")
    undo = Undo(clear(fleet, "queue", "mail").undo_id, fleet=fleet)
    undo.restore()
    with pytest.raises(NothingToUndo, match=r"put back already.*Undo.all\(\)"):
        undo.restore()
    assert run_order(raw) == ["a"]


def test_forgetting_gives_the_memory_back(fleet, raw):
    push(raw, "a")
    undo = Undo(clear(fleet, "queue", "mail").undo_id, fleet=fleet)
    undo.forget()
    assert raw.keys("*") == []
    with pytest.raises(NothingToUndo):
        undo.forget()


@pytest.mark.parametrize("undo_id", [None, "", 5])
def test_an_id_that_is_none_is_refused(undo_id):
    with pytest.raises(ConfigError, match="undo_id"):
        Undo(undo_id)


# -- from an event loop, and what it costs -----------------------------------------------------------


def test_undo_from_an_event_loop(fleet, raw):
    push(raw, "a", "b")
    gone = clear(fleet, "queue", "mail")

    async def visit() -> int:
        (undoable,) = await Undo.all.aio(fleet)
        count = await Undo(undoable.undo_id, fleet=fleet).restore.aio()
        await fleet.aclose()
        return count

    assert gone.count == asyncio.run(visit()) == 2
    assert run_order(raw) == ["a", "b"]


def test_undoing_sends_only_what_it_says(fleet, raw):
    push(raw, *(f"old{i}" for i in range(600)))
    raw.zadd("retry", {"a": 1})
    queue, retry = clear(fleet, "queue", "mail"), clear(fleet, "set", "retry")
    push(raw, *(f"new{i}" for i in range(501)))
    with raw.monitor() as seen:
        Undo(queue.undo_id, fleet=fleet).restore()
        Undo(retry.undo_id, fleet=fleet).restore()
        raw.echo("end")
        sent = set()
        while (name := seen.next_command()["command"].split()[0].upper()) != "ECHO":
            sent.add(name)
    # What a connection says first, and the loading of a script that Redis does not know, belong to no call.
    assert sent - {"HELLO", "CLIENT", "SCRIPT"} <= {*Undo.restore.cost.commands}


def test_a_removal_whose_reply_was_lost_is_told_and_can_be_undone(empty_redis, short_tmp, raw):
    raw.zadd("retry", {job(f"j{n}"): n for n in range(5)})
    relay = Relay(short_tmp, empty_redis.socket)
    fleet = Fleet(Config(redis=RedisConfig(url=relay.url)), clock=Watch(NOW_S))
    entry = RetrySet(fleet=fleet).find_job("j3")
    relay.lose_next_reply()  # Redis has carried it out; it is sent again
    result = entry.delete()
    assert (result.moved, result.gone, raw.zcard("retry")) == (1, 0, 4)
    assert Undo(result.undo_id, fleet=fleet).restore() == 1
    assert raw.zscore("retry", job("j3")) == 3
    fleet.close()
    relay.close()


@pytest.mark.parametrize(("kind", "name"), [("queue", "mail"), ("set", "retry")])
def test_large_jobs_come_back_a_few_at_a_time(fleet, raw, kind: Kind, name: str):
    big = [job(f"j{n:03}", pad="x" * 60_000) for n in range(60)]
    if kind == "queue":
        push(raw, *big)
    else:
        raw.zadd("retry", {payload: n for n, payload in enumerate(big)})
    gone = clear(fleet, kind, name)
    if kind == "queue":
        push(raw, *(f"new{n}" for n in range(300)))
    else:
        raw.zadd("retry", {"new": 0})
    raw.config_resetstat()
    assert Undo(gone.undo_id, fleet=fleet).restore() == 60
    assert raw.info("commandstats")["cmdstat_evalsha"]["calls"] == 15  # 4 jobs of 60 kB are more than 200 kB
    assert raw.llen("queue:mail") + raw.zcard("retry") == 60 + (300 if kind == "queue" else 1)


@pytest.mark.parametrize("key", ["pl:trash", "queues"])
def test_a_key_of_a_wrong_type_stops_a_removal_before_anything_is_gone(fleet, raw, key: str):
    raw.set(key, "x")
    raw.lpush("queue:mail", "a")
    raw.zadd("retry", {"r": 5})
    with pytest.raises(RedisError, match="WRONGTYPE"):
        clear(fleet, "queue", "mail")
    if key == "pl:trash":
        with pytest.raises(RedisError, match="WRONGTYPE"):
            clear(fleet, "set", "retry")
        with pytest.raises(RedisError, match="WRONGTYPE"):
            take(fleet, "retry", [b"r"])
    assert (run_order(raw), raw.zscore("retry", "r")) == (["a"], 5)

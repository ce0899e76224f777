"""Moving the jobs of a queue to another: none lost, none doubled, in order, whatever happens (F189)."""

import asyncio
import json
import threading

import pytest
from redis_process import RedisProcess
from services import job

from pillion.api.fleet import Fleet
from pillion.api.migration import Migrated, Migration, migrate
from pillion.api.plan import run
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, RedisError


@pytest.fixture
def fleet(redis_url):
    opened = Fleet(Config(redis=RedisConfig(url=redis_url)))
    yield opened
    opened.close()


def push(raw, *payloads: bytes, queue: str = "old") -> None:
    raw.sadd("queues", queue)
    raw.lpush(f"queue:{queue}", *payloads)


def stored(raw, queue: str) -> list[bytes]:
    """The payloads of a queue, the next to run first."""
    return raw.lrange(f"queue:{queue}", 0, -1)[::-1]


def run_order(raw, queue: str) -> list[str]:
    return [json.loads(payload)["jid"] for payload in stored(raw, queue)]


# -- what moves ------------------------------------------------------------------------------------


def test_queued_jobs_move_in_order_behind_those_that_wait_there(fleet, raw):
    push(raw, *(job(f"j{i}", "old") for i in range(1500)))
    push(raw, job("first", "new"), queue="new")
    assert migrate("old", to="new", fleet=fleet) == Migrated(queued=1500)
    assert run_order(raw, "new") == ["first", *(f"j{i}" for i in range(1500))]
    assert raw.exists("queue:old") == 0
    assert b"new" in raw.smembers("queues")


def test_the_bytes_are_those_of_a_job_pushed_there(fleet, raw):
    push(raw, job("a", "old", args=[1.5, "ü", {"b": [None, 2**70]}], extra="kept", queue_of="old"))
    migrate("old", to="new", fleet=fleet)
    moved = (
        b'{"retry":true,"queue":"new","args":[1.5,"\xc3\xbc",{"b":[null,1180591620717411303424]}],'
        b'"class":"app.Job","jid":"a","created_at":1795300027713,"extra":"kept","queue_of":"old"}'
    )
    assert stored(raw, "new") == [moved]


def test_jobs_in_the_sets_keep_their_times_and_get_the_new_queue(fleet, raw):
    raw.zadd("schedule", {job("s", "old"): 1.5, job("other", "low"): 2})
    raw.zadd("retry", {job("r", "old", retry_count=3): 1795300071.5323694})
    raw.zadd("dead", {job("d", "old"): 7})
    assert migrate("old", to="new", fleet=fleet) == Migrated(scheduled=1, retries=1)
    assert raw.zrange("schedule", 0, -1, withscores=True) == [(job("s", "new"), 1.5), (job("other", "low"), 2)]
    assert raw.zrange("retry", 0, -1, withscores=True) == [(job("r", "new", retry_count=3), 1795300071.5323694)]
    assert raw.zrange("dead", 0, -1) == [job("d", "old")]


def test_dead_jobs_move_if_asked_to(fleet, raw):
    raw.zadd("dead", {job("d", "old"): 7})
    assert migrate("old", to="new", dead=True, fleet=fleet) == Migrated(dead=1)
    assert raw.zrange("dead", 0, -1, withscores=True) == [(job("d", "new"), 7)]


def test_many_jobs_in_a_set_all_move(fleet, raw):
    raw.zadd("retry", {job(f"j{i}", "old" if i % 3 else "low"): i for i in range(3000)})
    assert migrate("old", to="new", fleet=fleet).retries == 2000
    found = raw.zrange("retry", 0, -1, withscores=True)
    assert [(json.loads(member)["jid"], score) for member, score in found] == [(f"j{i}", i) for i in range(3000)]
    assert {json.loads(member)["queue"] for member, _ in found} == {"new", "low"}


def test_a_job_that_only_mentions_the_old_queue_stays(fleet, raw):
    mentions = [job("a", "old2"), job("b", "low", args=["old"]), job("c", "low", retry_queue="old")]
    raw.zadd("retry", dict.fromkeys(mentions, 1))
    assert migrate("old", to="new", fleet=fleet).total == 0
    assert set(raw.zrange("retry", 0, -1)) == set(mentions)


def test_the_queue_for_retries_is_renamed_too(fleet, raw):
    push(raw, job("a", "old", retry_queue="old"), job("b", "old", retry_queue="slow"))
    migrate("old", to="new", fleet=fleet)
    assert [json.loads(payload)["retry_queue"] for payload in stored(raw, "new")] == ["new", "slow"]


@pytest.mark.parametrize("odd", [b"not json", b"\xff", b"[1]", b"{}x", b'{"a":NaN}', b"[" * 200])
def test_bytes_that_are_no_job_move_as_they_are(fleet, raw, odd):
    push(raw, job("a", "old"), odd, job("b", "old"))
    raw.zadd("retry", {odd + b"old": 5})
    assert migrate("old", to="new", fleet=fleet) == Migrated(queued=3, unreadable=1)
    assert stored(raw, "new") == [job("a", "new"), odd, job("b", "new")]
    assert raw.zrange("retry", 0, -1) == [odd + b"old"]


def test_a_job_of_another_writer_moves_in_canonical_form(fleet, raw):
    push(raw, b'{ "class": "A", "args": [ ], "jid": "x", "queue": "old" }')
    raw.zadd("retry", {b'{ "queue": "old", "class": "A" }': 5})
    assert migrate("old", to="new", fleet=fleet).total == 2
    assert stored(raw, "new") == [b'{"class":"A","args":[],"jid":"x","queue":"new"}']
    assert raw.zrange("retry", 0, -1) == [b'{"queue":"new","class":"A"}']


def test_jobs_with_the_same_bytes_all_move(fleet, raw):
    push(raw, *[job("a", "old")] * 5)
    assert migrate("old", to="new", fleet=fleet).queued == 5
    assert run_order(raw, "new") == ["a"] * 5


def test_migrating_back_restores_every_byte(fleet, raw):
    push(raw, *(job(f"j{i}", "old", retry_queue="old") for i in range(300)))
    raw.zadd("retry", {job("r", "old"): 5.25})
    before = (stored(raw, "old"), raw.zrange("retry", 0, -1, withscores=True))
    migrate("old", to="new", fleet=fleet)
    migrate("new", to="old", fleet=fleet)
    assert (stored(raw, "old"), raw.zrange("retry", 0, -1, withscores=True)) == before


def test_there_may_be_nothing_to_move(fleet, raw):
    assert migrate("old", to="new", fleet=fleet) == Migrated()
    assert raw.keys("*") == []


@pytest.mark.parametrize(("old", "new"), [("old", "old"), ("old", "a/b"), ("", "new"), (None, "new"), ("old", 5)])
def test_names_that_cannot_be_are_refused(old, new):
    with pytest.raises(ConfigError, match=r"^(old|to):"):
        migrate(old, to=new)


def test_progress_is_told_up_to_the_end(fleet, raw):
    push(raw, *(job(f"j{i}", "old") for i in range(1000)))
    raw.zadd("retry", {job(f"r{i}", "old"): i for i in range(500)})
    told = []
    migrate("old", to="new", progress=lambda done, total: told.append((done, total)), fleet=fleet)
    assert told[-1] == (1500, 1500)
    assert told == sorted(told)
    assert len(told) > 5


def test_migrating_from_an_event_loop(fleet, raw):
    push(raw, job("a", "old"))

    async def visit() -> Migrated:
        try:
            return await Migration("old", to="new", fleet=fleet).run.aio()
        finally:
            await fleet.aclose()

    assert asyncio.run(visit()) == Migrated(queued=1)


# -- while others are at work ------------------------------------------------------------------------


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", range(12))
def test_a_migration_killed_at_any_step_can_be_repeated(fleet, raw, after):
    push(raw, *(job(f"j{i}", "old") for i in range(500)))
    raw.zadd("retry", {job(f"r{i}", "old"): i for i in range(300)})
    steps = 0

    def kill(done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps > after:
            raise Killed

    try:
        migrate("old", to="new", progress=kill, fleet=fleet)
    except Killed:
        assert raw.llen("queue:old") + raw.llen("queue:new") == 500
        assert raw.zcard("retry") == 300
    migrate("old", to="new", fleet=fleet)
    assert run_order(raw, "new") == [f"j{i}" for i in range(500)]
    assert sorted(raw.zrange("retry", 0, -1)) == sorted(job(f"r{i}", "new") for i in range(300))


def test_nothing_is_lost_or_doubled_while_producers_push_and_workers_take(fleet, raw, empty_redis: RedisProcess):
    push(raw, *(job(f"j{i}", "old") for i in range(3000)))
    stop, taken = threading.Event(), []

    def produce() -> None:
        with empty_redis.client() as client:
            for i in range(1000):
                client.lpush("queue:old", job(f"new{i}", "old"))

    def work(queue: str) -> None:
        with empty_redis.client() as client:
            while not stop.is_set():
                payload = client.rpop(f"queue:{queue}")
                if payload is not None:
                    taken.append(json.loads(payload)["jid"])

    def requeue() -> None:
        with empty_redis.client() as client:
            for _ in range(200):
                payload = client.rpop("queue:old")
                if payload is not None:
                    client.rpush("queue:old", payload)

    producers = [threading.Thread(target=produce), threading.Thread(target=requeue)]
    workers = [threading.Thread(target=work, args=(queue,)) for queue in ("old", "new")]
    for thread in (*producers, *workers):
        thread.start()
    moved = migrate("old", to="new", fleet=fleet).queued
    for thread in producers:
        thread.join()
    stop.set()
    for thread in workers:
        thread.join()
    left = [*run_order(raw, "old"), *run_order(raw, "new")]
    assert sorted([*taken, *left]) == sorted([f"j{i}" for i in range(3000)] + [f"new{i}" for i in range(1000)])
    assert moved > 0


class Between:
    """A real storage, behind which something else happens once, after the first look at the jobs."""

    def __init__(self, storage, act, look: tuple[str, ...] = ("LRANGE",)) -> None:
        self._storage, self._act, self._look = storage, act, look

    def run(self, op):
        reply = self._storage.run(op)
        if op.args[: len(self._look)] == self._look and self._act is not None:
            self._act()
            self._act = None
        return reply

    def run_all(self, ops):
        return self._storage.run_all(ops)


def test_jobs_that_a_worker_took_after_the_look_are_passed_over(fleet, raw):
    push(raw, *(job(f"j{i}", "old") for i in range(10)))
    storage = Between(fleet.storage, lambda: raw.rpop("queue:old", 3))
    assert run(Migration("old", to="new", fleet=fleet).run.plan(), storage) == Migrated(queued=7)
    assert run_order(raw, "new") == [f"j{i}" for i in range(3, 10)]


def test_a_job_that_was_put_back_after_the_look_moves_too(fleet, raw):
    push(raw, *(job(f"j{i}", "old") for i in range(10)))
    storage = Between(fleet.storage, lambda: raw.rpush("queue:old", job("back", "old")))
    run(Migration("old", to="new", fleet=fleet).run.plan(), storage)
    assert run_order(raw, "new") + run_order(raw, "old") == ["back", *(f"j{i}" for i in range(10))]


def test_a_job_that_left_its_set_after_the_look_does_not_come_back(fleet, raw):
    raw.zadd("retry", {job("gone", "old"): 1, job("stays", "old"): 2})
    storage = Between(fleet.storage, lambda: raw.zrem("retry", job("gone", "old")), look=("ZSCAN", "retry"))
    moved = run(Migration("old", to="new", fleet=fleet).run.plan(), storage)
    assert (moved.retries, raw.zcard("retry")) == (1, 1)


def test_a_job_that_stands_in_the_set_for_the_new_queue_already_keeps_its_time(fleet, raw):
    raw.zadd("retry", {job("twin", "old"): 1, job("twin", "new"): 5})
    migrate("old", to="new", fleet=fleet)
    assert raw.zrange("retry", 0, -1, withscores=True) == [(job("twin", "new"), 5)]


def test_a_queue_that_was_never_pushed_to_is_listed_afterwards(fleet, raw):
    push(raw, job("a", "old"))
    migrate("old", to="new", fleet=fleet)
    assert b"new" in raw.smembers("queues")


def test_a_new_queue_of_a_wrong_type_stops_it_before_anything_moved(fleet, raw):
    push(raw, job("a", "old"))
    raw.set("queue:new", "x")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        migrate("old", to="new", fleet=fleet)
    assert stored(raw, "old") == [job("a", "old")]


def test_it_works_when_redis_is_full(own_redis: RedisProcess):
    with own_redis.client() as raw:
        push(raw, job("a", "old"))
        raw.zadd("retry", {job("r", "old"): 1})
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        fleet = Fleet(Config(redis=RedisConfig(url=own_redis.url)))
        assert migrate("old", to="new", fleet=fleet) == Migrated(queued=1, retries=1)
        fleet.close()


def test_it_sends_only_what_it_says_and_no_command_without_a_bound(fleet, raw):
    push(raw, *(job(f"j{i}", "old") for i in range(2500)))
    raw.zadd("retry", {job("r", "old"): 1})
    with raw.monitor() as seen:
        migrate("old", to="new", fleet=fleet)
        raw.echo("end")
        commands = []
        while not (command := seen.next_command()["command"]).upper().startswith("ECHO"):
            commands.append(command.split())
    greetings = {"HELLO", "CLIENT", "SCRIPT"}
    assert {command[0].upper() for command in commands} - greetings <= {*Migration.run.cost.commands}
    ranges = [command for command in commands if command[0] == "LRANGE"]
    assert ranges
    assert all(-1000 <= int(command[2]) < 0 for command in ranges)


def test_large_jobs_move_a_few_at_a_time(fleet, raw):
    push(raw, *(job(f"j{i}", "old", args=["x" * 60_000]) for i in range(40)))
    raw.zadd("retry", {job(f"r{i}", "old", args=["x" * 60_000]): i for i in range(40)})
    raw.config_resetstat()
    assert migrate("old", to="new", fleet=fleet) == Migrated(queued=40, retries=40)
    # 200 kB a call: one job, in its old and its new bytes, is 120 kB
    assert raw.info("commandstats")["cmdstat_evalsha"]["calls"] >= 80


def test_a_user_who_may_not_push_loses_no_job(fleet, raw, redis_url):
    push(raw, *(job(f"j{i}", "old") for i in range(3)))
    raw.execute_command("ACL", "SETUSER", "mover", "on", ">pw", "~*", "&*", "+@all", "-lpush")
    mover = Fleet(Config(redis=RedisConfig(url=redis_url, username="mover", password="pw")))
    try:
        with pytest.raises(RedisError):
            migrate("old", to="new", fleet=mover)
    finally:
        raw.execute_command("ACL", "DELUSER", "mover")
        mover.close()
    assert run_order(raw, "old") == ["j0", "j1", "j2"]

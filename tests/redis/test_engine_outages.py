"""Redis goes away under a running engine and comes back: nothing is lost, and it recovers by itself."""

import threading

import pytest
from engine import Engine, payload, until

from pillion.config import RedisConfig
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url


@pytest.fixture
def own_storage(own_redis):
    settings = RedisConfig(url=own_redis.url, timeout_s=1.0)
    storage = open_target(resolve_url(settings, {}), settings)
    yield storage
    storage.close()


@pytest.fixture
def engine(own_storage):
    engine = Engine(own_storage)
    yield engine
    engine.stop(0.0)


def _end_a_job_while_redis_is_down(engine, own_redis):
    entered, leave = threading.Event(), threading.Event()
    engine.config.concurrency = 1
    engine.job("Slow", lambda: (entered.set(), leave.wait(30)))
    with own_redis.client() as client:
        client.lpush("queue:default", payload("Slow"))
    engine.start()
    assert entered.wait(10)
    own_redis.kill()
    leave.set()
    assert engine.reported.acquire(timeout=20)  # the outage was noticed, the outcome is kept


def test_jobs_run_after_redis_was_restarted(engine, own_redis):
    ran = threading.Event()
    engine.job("Wake", ran.set)
    engine.start()
    own_redis.restart()
    with own_redis.client() as client:
        client.lpush("queue:default", payload("Wake"))
    assert ran.wait(20)


def test_a_job_that_ended_while_redis_was_down_is_acknowledged_afterwards(engine, own_redis):
    _end_a_job_while_redis_is_down(engine, own_redis)
    own_redis.start()
    with own_redis.client() as client:
        until(lambda: client.get("stat:processed") == b"1" and not client.exists(engine.inflight()))
        assert client.exists("queue:default") == 0


def test_a_worker_that_stops_while_redis_is_down_waits_to_say_what_is_finished(engine, own_redis):
    _end_a_job_while_redis_is_down(engine, own_redis)
    stopping = threading.Thread(target=engine.stop, args=(60.0,))
    stopping.start()
    own_redis.start()
    stopping.join(50)
    with own_redis.client() as client:
        assert client.get("stat:processed") == b"1"
        assert not client.exists(engine.inflight(), "queue:default")


def test_a_worker_that_stops_while_redis_stays_away_leaves_at_its_deadline(engine, own_redis):
    _end_a_job_while_redis_is_down(engine, own_redis)
    engine.stop(0.5)
    assert "Leaving without a word to Redis" in engine.reports[-1][1]["context"]


def test_a_fetch_that_a_paused_redis_carries_out_late_leaves_no_stray(engine, own_redis):
    """The command sits in a dead connection's buffer; the new connection kills it before it can run."""
    ran = []
    engine.config.concurrency = 1
    engine.job("Note", ran.append)
    engine.start()
    with own_redis.client() as client:
        until(lambda: client.info("clients")["blocked_clients"] == 1)
        own_redis.pause()
        assert engine.reported.acquire(timeout=30)
        own_redis.resume()
        client.lpush("queue:default", *[payload("Note", n) for n in range(50)])
        until(lambda: len(ran) == 50)
        until(lambda: client.get("stat:processed") == b"50")
        assert sorted(ran) == list(range(50))
        assert not client.exists(engine.inflight(), engine.waiting(), "queue:default")


def test_one_outage_is_reported_once(engine, own_redis):
    engine.start()
    own_redis.kill()
    assert engine.reported.acquire(timeout=20)
    assert not engine.reported.acquire(timeout=2.5)  # two more attempts have failed by then
    own_redis.start()


def test_a_read_only_redis_is_borne(engine, own_redis):
    ran = threading.Event()
    engine.job("Wake", ran.set)
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", 1)
        engine.start()
        assert engine.reported.acquire(timeout=20)
        client.replicaof("NO", "ONE")
        client.lpush("queue:default", payload("Wake"))
        assert ran.wait(20)


def test_a_full_redis_lets_the_worker_drain_it(engine, own_redis):
    done = threading.Event()
    ran = []
    engine.config.concurrency = 1
    engine.job("Note", lambda n: (ran.append(n), n == 199 and done.set()))
    with own_redis.client() as client:
        client.lpush("queue:default", *[payload("Note", n) for n in range(200)])
        client.config_set("maxmemory", 1)
        engine.start()
        assert done.wait(20)
        until(lambda: client.get("stat:processed") == b"200")
        client.config_set("maxmemory", 0)
        assert ran == list(range(200))


def test_strays_of_a_lost_reply_are_handed_back_by_the_audit(engine, own_redis):
    ran = threading.Event()
    engine.job("Lost", ran.set)
    engine.start()
    with own_redis.client() as client:
        client.hset(engine.inflight(), "999999", payload("Lost"))
        engine.manager.audit()
        assert ran.wait(10)
        until(lambda: not client.exists(engine.inflight()))


def test_a_job_that_ends_beside_idle_threads_is_acknowledged_although_the_line_broke(engine, own_redis):
    """Its thread cannot send it, the leader is asleep, and nothing else may happen for hours."""
    leave = threading.Event()
    engine.config.concurrency = 2
    engine.job("Slow", lambda: leave.wait(30))
    engine.start()
    with own_redis.client() as client:
        client.lpush("queue:default", payload("Slow"))
        until(lambda: client.exists(engine.inflight()) and client.info("clients")["blocked_clients"] == 1)
        client.client_kill_filter(_id=engine.manager._link._client.id)
        leave.set()
        until(lambda: client.get("stat:processed") == b"1" and not client.exists(engine.inflight()))


def test_an_outcome_that_redis_refuses_is_said_once_and_carried_out_later(engine, own_redis):
    engine.job("Fail", lambda: 1 / 0)
    with own_redis.client() as client:
        client.set("retry", "not a sorted set")
        engine.start()
        client.lpush("queue:default", payload("Fail"))
        until(lambda: any("refuses" in context["context"] for _, context in engine.reports))
        client.delete("retry")
        until(lambda: client.zcard("retry") == 1 and not client.exists(engine.inflight()))
    assert sum("refuses" in context["context"] for _, context in engine.reports) == 1


def test_a_user_who_may_not_unblock_clients_is_served_all_the_same(own_redis):
    """CLIENT UNBLOCK and CLIENT KILL count as dangerous: the blocking moves are ended by closing their lines."""
    ran = threading.Event()
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-@dangerous")
        settings = RedisConfig(url=own_redis.url.replace("unix://", "unix://app:pw@"))
        storage = open_target(resolve_url(settings, {}), settings)
        engine = Engine(storage, concurrency=1, queues=["a", "b"])
        engine.job("Wake", ran.set)
        engine.start()
        until(lambda: client.info("clients")["blocked_clients"] == 2)
        client.lpush("queue:a", payload("Wake"))
        assert ran.wait(20)
        stats = client.info("commandstats")
        # Redis 6.2 counts all sub-commands of CLIENT as one.
        calls = stats.get("cmdstat_client|unblock", stats.get("cmdstat_client"))["rejected_calls"]
        assert 0 < calls < 100  # and not ten thousand, until the move ends by itself
        engine.stop()
        storage.close()

"""A running engine and paused queues: what it still runs, what it hands back, and how it hears of it."""

import threading

import pytest
from engine import Engine, payload, until

from pillion.config import RedisConfig
from pillion.server import fetcher
from pillion.storage import control
from pillion.storage.connect import open_target
from pillion.storage.ops import pause
from pillion.storage.target import resolve_url


@pytest.fixture
def ran():
    return []


@pytest.fixture
def engine(storage, ran):
    engine = Engine(storage, concurrency=2)
    engine.job("Note", ran.append)
    yield engine
    engine.stop()


def _asleep(raw, moves=1):
    """Every line is armed, and the subscription is there."""
    until(lambda: raw.info("clients")["blocked_clients"] == moves)
    until(lambda: raw.pubsub_numsub("pl:control")[0][1] == 1)


@pytest.fixture
def often(monkeypatch):
    """A look at the pauses each half second."""
    monkeypatch.setattr(control, "LOOK_EVERY_S", 0.5)


def _commands_between_two_looks(raw):
    """What the engine asks of Redis from one look at the paused queues to the next."""

    def calls():
        stats = raw.info("commandstats")
        return {name: stat["calls"] for name, stat in stats.items() if name != "cmdstat_info"}

    def next_look():
        looks = calls().get("cmdstat_smembers", 0)
        until(lambda: calls().get("cmdstat_smembers", 0) > looks)
        return sum(calls().values())

    return -next_look() + next_look()


def _rests(raw):
    """No blocking move is under way: the engine has obeyed."""
    until(lambda: raw.info("clients")["blocked_clients"] == 0)


def test_an_idle_worker_leaves_a_queue_alone_from_the_moment_it_is_paused(engine, storage, raw, ran):
    engine.start()
    _asleep(raw)
    for number in range(20):
        storage.run(pause.pause("default"))
        raw.lpush("queue:default", payload("Note", f"paused {number}"))
        _rests(raw)
        until(lambda: raw.llen("queue:default") == 1)
        assert raw.exists(engine.waiting(), engine.inflight()) == 0
        raw.delete("queue:default")
        storage.run(pause.unpause("default"))
        _asleep(raw)
    assert ran == []


def test_unpausing_wakes_an_idle_worker(engine, storage, raw, ran):
    storage.run(pause.pause("default"))
    raw.lpush("queue:default", *[payload("Note", number) for number in range(5)])
    engine.start()
    until(lambda: raw.pubsub_numsub("pl:control")[0][1] == 1)
    assert ran == []
    storage.run(pause.unpause("default"))
    until(lambda: sorted(ran) == [0, 1, 2, 3, 4])


def test_other_queues_go_on(storage, raw, ran):
    engine = Engine(storage, concurrency=1, queues=["mail", "other"])
    engine.job("Note", ran.append)
    storage.run(pause.pause("mail"))
    raw.lpush("queue:mail", payload("Note", "mail"))
    engine.start()
    _asleep(raw)
    raw.lpush("queue:other", payload("Note", "other"))
    until(lambda: ran == ["other"])
    _asleep(raw)
    assert raw.llen("queue:mail") == 1
    engine.stop()


def test_a_running_job_goes_on(engine, storage, raw):
    entered, leave = threading.Event(), threading.Event()
    engine.job("Slow", lambda: (entered.set(), leave.wait(30)))
    raw.lpush("queue:default", payload("Slow"))
    engine.start()
    assert entered.wait(10)
    storage.run(pause.pause("default"))
    leave.set()
    until(lambda: raw.get("stat:processed") == b"1" and not raw.exists(engine.inflight()))


def test_what_was_fetched_ahead_goes_back_unchanged_and_in_order(engine, storage, raw, ran, monkeypatch):
    monkeypatch.setattr(fetcher, "HAND_BACK_AFTER_S", 3600.0)  # it is the pause that hands back
    entered, leave = threading.Event(), threading.Event()
    engine.config.concurrency = 1
    engine.job("Slow", lambda: (entered.set(), leave.wait(30)))
    later = [payload("Note", f"later {number}") for number in range(40)]
    raw.lpush("queue:default", *[payload("Note", number) for number in range(300)], payload("Slow"), *later)
    engine.start()
    assert entered.wait(10)
    until(lambda: raw.hlen(engine.inflight()) > 1, "jobs fetched ahead")
    storage.run(pause.pause("default"))
    until(lambda: raw.lrange("queue:default", 0, -1)[::-1] == later)
    leave.set()
    until(lambda: not raw.exists(engine.inflight()))
    assert ran == list(range(300))
    storage.run(pause.unpause("default"))
    until(lambda: ran[300:] == [f"later {number}" for number in range(40)])


def test_a_pause_that_nobody_announced_is_seen_all_the_same(engine, raw, ran, often):
    engine.start()
    _asleep(raw)
    raw.sadd("paused", "default")
    _rests(raw)
    raw.lpush("queue:default", payload("Note", 1))
    raw.srem("paused", "default")
    until(lambda: ran == [1])


def test_the_subscription_comes_back(engine, storage, raw, ran):
    engine.start()
    _asleep(raw)
    raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    _asleep(raw)
    storage.run(pause.pause("default"))
    _rests(raw)
    assert engine.reports == []


def test_a_pause_while_the_subscription_was_gone_is_seen_when_it_is_back(engine, storage, raw):
    engine.start()
    _asleep(raw)
    with raw.pipeline(transaction=True) as pipe:
        pipe.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        pipe.sadd("paused", "default")
        pipe.execute()
    _rests(raw)


def test_a_worker_with_nothing_but_paused_queues_asks_hardly_anything(engine, storage, raw, often):
    storage.run(pause.pause("default"))
    raw.lpush("queue:default", payload("Note", 1))
    engine.start()
    until(lambda: raw.pubsub_numsub("pl:control")[0][1] == 1)
    assert _commands_between_two_looks(raw) <= 2


def test_a_key_of_a_wrong_type_is_reported_once_and_jobs_run(engine, raw, ran):
    raw.set("paused", "not a set")
    engine.start()
    _asleep(raw)
    for number in range(3):
        raw.lpush("queue:default", payload("Note", number))
        until(lambda number=number: number in ran)
    assert ["`paused`" in str(error) for error, _ in engine.reports] == [True]


def test_a_pause_means_one_database_only(own_redis, ran):
    """Channels know no databases: word of a pause reaches all that share the server."""
    storages = [_storage(f"{own_redis.url}?db={db}") for db in (0, 1)]
    engines = [Engine(storage) for storage in storages]
    for db, engine in enumerate(engines):
        engine.job("Note", lambda word, db=db: ran.append((db, word)))
        engine.start()
    with own_redis.client() as zero, own_redis.client() as one:
        one.execute_command("SELECT", 1)
        until(lambda: zero.info("clients")["blocked_clients"] == 2)
        until(lambda: zero.pubsub_numsub("pl:control")[0][1] == 2)
        storages[0].run(pause.pause("default"))
        until(lambda: zero.info("clients")["blocked_clients"] == 1)
        zero.lpush("queue:default", payload("Note", "a"))
        one.lpush("queue:default", payload("Note", "b"))
        until(lambda: ran == [(1, "b")])
        storages[1].run(pause.unpause("default"))
        one.lpush("queue:default", payload("Note", "c"))
        until(lambda: ran == [(1, "b"), (1, "c")])
        assert zero.llen("queue:default") == 1
    for engine, storage in zip(engines, storages, strict=True):
        engine.stop()
        storage.close()


def test_a_user_who_may_not_subscribe_never_runs_a_paused_job(own_redis, ran):
    """It looks at the set before it runs what a blocking move has brought."""
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "resetchannels", "+@all")
        storage = _storage(own_redis.url.replace("unix://", "unix://app:pw@"))
        engine = Engine(storage, concurrency=1)
        engine.job("Note", ran.append)
        engine.start()
        for number in range(3):
            until(lambda: client.info("clients")["blocked_clients"] == 1)
            storage.run(pause.pause("default"))
            client.lpush("queue:default", payload("Note", number))
            until(lambda: client.info("clients")["blocked_clients"] == 0 and client.llen("queue:default") == 1)
            storage.run(pause.unpause("default"))
            until(lambda number=number: ran == list(range(number + 1)))
        assert engine.reports == []
        engine.stop()
        storage.close()


def test_pauses_are_obeyed_after_redis_was_restarted(own_redis, ran):
    storage = _storage(own_redis.url)
    engine = Engine(storage, concurrency=1)
    engine.job("Note", ran.append)
    engine.start()
    with own_redis.client() as client:
        _asleep(client)
        storage.run(pause.pause("default"))
        _rests(client)
    own_redis.restart()
    with own_redis.client() as client:
        client.lpush("queue:default", payload("Note", 1))
        until(lambda: client.pubsub_numsub("pl:control")[0][1] == 1)
        assert (client.llen("queue:default"), ran) == (1, [])
        storage.run(pause.unpause("default"))
        until(lambda: ran == [1])
    engine.stop()
    storage.close()


class TestManyQueues:
    """More queues than blocking moves: the engine polls."""

    @pytest.fixture
    def many(self, storage, raw, ran, often):
        engine = Engine(storage, concurrency=1, queues=[f"q{number}" for number in range(20)])
        engine.job("Note", ran.append)
        engine.start()
        until(lambda: raw.pubsub_numsub("pl:control")[0][1] == 1)
        yield engine
        engine.stop()

    def test_a_paused_queue_is_left_alone_and_others_go_on(self, many, storage, raw, ran):
        storage.run(pause.pause("q3"))
        raw.lpush("queue:q3", payload("Note", "paused"))
        raw.lpush("queue:q4", payload("Note", "other"))
        until(lambda: ran == ["other"])
        storage.run(pause.unpause("q3"))
        until(lambda: ran == ["other", "paused"])

    def test_jobs_in_a_paused_queue_do_not_make_it_spin(self, many, storage, raw):
        for number in range(20):
            storage.run(pause.pause(f"q{number}"))
        raw.lpush("queue:q3", payload("Note", "paused"))
        assert _commands_between_two_looks(raw) <= 2


def _storage(url):
    settings = RedisConfig(url=url, timeout_s=1.0)
    return open_target(resolve_url(settings, {}), settings)

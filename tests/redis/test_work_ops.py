"""The steps of a job's life on Redis, one by one: what each moves, and what it does when it may not."""

from datetime import date

import pytest

from pillion.errors import RedisError
from pillion.storage.ops import work

ME, OTHER = "host:1:me", "host:2:other"
DAY = date(2026, 11, 22)
ROUTE = work.Route.of("default", ME)
HIGH = work.Route.of("high", ME)


def _fetch(storage, *routes, count=10, max_bytes=10**6, first=1, drain=False):
    return storage.run(
        work.fetch(routes or (ROUTE,), count=count, max_bytes=max_bytes, first_token=first, drain_wait_lists=drain)
    )


def _settle(storage, token, *steps, failed=0, route=ROUTE, named=None):
    script = work.settle_script(named or {})
    return storage.run(work.settle(script, route, token, steps, processed=1, failed=failed, day=DAY))


class TestFetch:
    def test_takes_the_oldest_first_and_leases_each_under_its_token(self, storage, raw):
        raw.lpush("queue:default", "a", "b", "c")
        assert _fetch(storage, count=2, first=7) == [(0, [b"a", b"b"])]
        assert raw.hgetall(ROUTE.inflight) == {b"7": b"a", b"8": b"b"}
        assert raw.lrange("queue:default", 0, -1) == [b"c"]

    def test_empties_the_first_queue_before_the_second(self, storage, raw):
        raw.lpush("queue:default", "low")
        raw.lpush("queue:high", "h1", "h2")
        assert _fetch(storage, HIGH, ROUTE, count=3) == [(0, [b"h1", b"h2"]), (1, [b"low"])]
        assert raw.hgetall(ROUTE.inflight) == {b"3": b"low"}

    def test_an_empty_queue_gives_nothing_and_writes_nothing(self, storage, raw):
        assert _fetch(storage) == []
        assert raw.keys("*") == []

    def test_takes_many_in_one_call(self, storage, raw):
        raw.lpush("queue:default", *[f"job-{i}" for i in range(700)])
        found = _fetch(storage, count=500)
        assert [payload for _, group in found for payload in group] == [f"job-{i}".encode() for i in range(500)]
        assert raw.hget(ROUTE.inflight, "500") == b"job-499"

    def test_stops_at_the_bound_of_bytes(self, storage, raw):
        raw.lpush("queue:default", *["x" * 1000] * 100)
        found = _fetch(storage, count=100, max_bytes=3000)
        assert 3 <= sum(len(group) for _, group in found) <= 20

    def test_gives_one_huge_job_all_the_same(self, storage, raw):
        raw.lpush("queue:default", "y" * 5_000_000)
        ((_, group),) = _fetch(storage, count=1, max_bytes=1000)
        assert len(group[0]) == 5_000_000

    def test_empties_the_private_lists_first_when_asked(self, storage, raw):
        raw.lpush(ROUTE.wait, "moved")
        raw.lpush("queue:default", "queued")
        assert _fetch(storage, count=5, drain=True) == [(0, [b"moved"]), (0, [b"queued"])]
        assert raw.exists(ROUTE.wait) == 0

    def test_leaves_the_private_lists_alone_when_not_asked(self, storage, raw):
        raw.lpush(ROUTE.wait, "moved")
        assert _fetch(storage) == []
        assert raw.lrange(ROUTE.wait, 0, -1) == [b"moved"]

    def test_puts_jobs_back_in_order_if_it_cannot_lease_them(self, storage, raw):
        raw.lpush("queue:default", "a", "b", "c")
        raw.set(ROUTE.inflight, "not a hash")
        with pytest.raises(RedisError, match="WRONGTYPE"):
            _fetch(storage)
        assert raw.lrange("queue:default", 0, -1) == [b"c", b"b", b"a"]

    @pytest.mark.parametrize("broken", [HIGH.key, HIGH.wait])
    def test_a_queue_that_cannot_be_read_does_not_hide_what_came_from_others(self, storage, raw, broken):
        low = work.Route.of("low", ME)
        raw.set(broken, "not a list")
        raw.lpush("queue:default", "a")
        raw.lpush("queue:low", "b")
        assert _fetch(storage, ROUTE, HIGH, low, drain=True) == [(0, [b"a"]), (2, [b"b"])]

    def test_a_queue_that_cannot_be_leased_takes_no_token(self, storage, raw):
        raw.lpush(HIGH.wait, "h1")
        raw.lpush("queue:high", "h2")
        raw.set(HIGH.inflight, "not a hash")
        raw.lpush("queue:default", "a")
        assert _fetch(storage, HIGH, ROUTE, first=7, drain=True) == [(1, [b"a"])]
        assert raw.hgetall(ROUTE.inflight) == {b"7": b"a"}
        assert (raw.lrange(HIGH.wait, 0, -1), raw.lrange("queue:high", 0, -1)) == ([b"h1"], [b"h2"])

    def test_the_error_is_told_when_there_is_nothing_else(self, storage, raw):
        raw.set("queue:high", "not a list")
        with pytest.raises(RedisError, match="WRONGTYPE"):
            _fetch(storage, ROUTE, HIGH)


class TestAdopt:
    def test_leases_what_a_blocking_move_brought(self, storage, raw):
        raw.lpush(ROUTE.wait, "moved")
        assert storage.run(work.adopt(ROUTE, 5, b"moved")) == 1
        assert raw.hgetall(ROUTE.inflight) == {b"5": b"moved"}
        assert raw.exists(ROUTE.wait) == 0

    def test_sent_again_it_changes_nothing(self, storage, raw):
        raw.lpush(ROUTE.wait, "moved", "moved")
        op = work.adopt(ROUTE, 5, b"moved")
        assert (storage.run(op), storage.run(op)) == (1, 1)
        assert raw.lrange(ROUTE.wait, 0, -1) == [b"moved"]

    def test_what_a_reaper_has_taken_is_not_leased(self, storage, raw):
        assert storage.run(work.adopt(ROUTE, 5, b"moved")) == 0
        assert raw.keys("*") == []


class TestAcknowledge:
    def test_releases_the_leases_and_counts_them(self, storage, raw):
        raw.lpush("queue:default", "a", "b")
        _fetch(storage)
        assert storage.run(work.acknowledge({ROUTE.inflight: [1, 2]}, DAY)) == 2
        assert raw.exists(ROUTE.inflight) == 0
        assert (raw.get("stat:processed"), raw.get("stat:processed:2026-11-22")) == (b"2", b"2")
        assert raw.ttl("stat:processed:2026-11-22") == 157_680_000

    def test_counts_each_job_once_however_often_it_is_sent(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        op = work.acknowledge({ROUTE.inflight: [1]}, DAY)
        assert (storage.run(op), storage.run(op)) == (1, 0)
        assert raw.get("stat:processed") == b"1"

    def test_a_lost_lease_is_not_counted(self, storage, raw):
        assert storage.run(work.acknowledge({ROUTE.inflight: [1]}, DAY)) == 0
        assert raw.keys("*") == []


class TestSettle:
    def test_moves_the_job_and_counts_it_in_one_step(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        assert _settle(storage, 1, *work.retry_steps(b"a2", 1795300085.895427), failed=1) == 1
        assert raw.exists(ROUTE.inflight) == 0
        assert raw.zrange("retry", 0, -1, withscores=True) == [(b"a2", 1795300085.895427)]
        assert (raw.get("stat:processed"), raw.get("stat:failed")) == (b"1", b"1")
        assert raw.get("stat:failed:2026-11-22") == b"1"

    def test_does_nothing_at_all_if_the_lease_was_lost(self, storage, raw):
        assert _settle(storage, 1, *work.retry_steps(b"a2", 5.0), failed=1) == 0
        assert raw.keys("*") == []

    def test_carried_out_twice_it_moves_the_job_once(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        assert (_settle(storage, 1, *work.push_steps("default", b"a")), _settle(storage, 1)) == (1, 0)
        assert raw.lrange("queue:default", 0, -1) == [b"a"]

    def test_a_step_that_fails_leaves_the_job_in_flight(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        raw.set("retry", "not a sorted set")
        with pytest.raises(RedisError, match="WRONGTYPE"):
            _settle(storage, 1, *work.retry_steps(b"a2", 5.0), failed=1)
        assert raw.hgetall(ROUTE.inflight) == {b"1": b"a"}
        assert raw.exists("stat:failed") == 0

    def test_a_later_step_that_fails_is_told_and_the_job_is_settled_all_the_same(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        raw.set("wrong", "not a list")
        settled = _settle(storage, 1, *work.push_steps("default", b"a2"), ("LPUSH", "wrong", "x"), ("INCR", "effect"))
        assert settled == 1
        assert "LPUSH: WRONGTYPE" in settled.failure
        assert raw.lrange("queue:default", 0, -1) == [b"a2"]
        assert (raw.exists(ROUTE.inflight), raw.get("effect"), raw.get("stat:processed")) == (0, b"1", b"1")

    def test_the_dead_set_is_trimmed_by_number_and_age(self, storage, raw):
        raw.zadd("dead", {"ancient": 100.0, "young": 9_990.0, "younger": 9_991.0})
        raw.lpush("queue:default", "a")
        _fetch(storage)
        _settle(storage, 1, *work.bury_steps(b"a", now_s=10_000.0, max_jobs=3, timeout_s=5_000), failed=1)
        assert raw.zrange("dead", 0, -1) == [b"younger", b"a"]  # one less than max_jobs, as Sidekiq keeps

    def test_named_steps_of_features_run_inside_the_same_step(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        raw.set("pending", 1)
        named = {"@test.count": "local k, q = ...\nif redis.call('DECR', k) == 0 then redis.call('LPUSH', q, 'cb') end"}
        assert _settle(storage, 1, ("@test.count", "pending", "queue:callbacks"), named=named) == 1
        assert raw.lrange("queue:callbacks", 0, -1) == [b"cb"]

    def test_effects_of_a_lost_lease_do_not_happen(self, storage, raw):
        assert _settle(storage, 1, ("INCR", "effect")) == 0
        assert raw.exists("effect") == 0


class TestGiveBack:
    def test_the_oldest_runs_next_and_bytes_are_unchanged(self, storage, raw):
        raw.lpush("queue:default", "a", '{"b": 1.0}', "c", "waiting")
        _fetch(storage, count=3)
        assert storage.run(work.give_back(ROUTE, [2, 1, 3])) == 3
        assert raw.lrange("queue:default", 0, -1) == [b"waiting", b"c", b'{"b": 1.0}', b"a"]
        assert raw.exists(ROUTE.inflight) == 0

    def test_what_is_settled_already_is_not_given_back(self, storage, raw):
        raw.lpush("queue:default", "a")
        _fetch(storage)
        storage.run(work.acknowledge({ROUTE.inflight: [1]}, DAY))
        assert storage.run(work.give_back(ROUTE, [1])) == 0
        assert raw.exists("queue:default") == 0

    def test_ten_after_nine_as_numbers_not_as_text(self, storage, raw):
        raw.lpush("queue:default", *[f"{i}" for i in range(1, 13)])
        _fetch(storage, count=12)
        storage.run(work.give_back(ROUTE, range(1, 13)))
        assert raw.lrange("queue:default", 0, -1)[::-1] == [f"{i}".encode() for i in range(1, 13)]


class TestReconcile:
    def test_hands_back_only_what_the_process_does_not_hold(self, storage, raw):
        raw.lpush("queue:default", *[f"{i}" for i in range(1, 13)])
        _fetch(storage, count=12)
        assert storage.run(work.reconcile(ROUTE, [2, 11], drain=False)) == 10
        assert raw.hgetall(ROUTE.inflight) == {b"2": b"2", b"11": b"11"}
        back = [b"1", *[f"{i}".encode() for i in range(3, 11)], b"12"]
        assert raw.lrange("queue:default", 0, -1)[::-1] == back

    def test_hands_back_what_a_blocking_move_left_behind(self, storage, raw):
        raw.lpush(ROUTE.wait, "moved")
        assert storage.run(work.reconcile(ROUTE, [], drain=True)) == 1
        assert raw.lrange("queue:default", 0, -1) == [b"moved"]

    def test_leaves_the_private_list_alone_while_a_move_may_be_under_way(self, storage, raw):
        raw.lpush(ROUTE.wait, "moved")
        assert storage.run(work.reconcile(ROUTE, [], drain=False)) == 0
        assert raw.lrange(ROUTE.wait, 0, -1) == [b"moved"]

    def test_does_not_touch_other_processes(self, storage, raw):
        theirs = work.Route.of("default", OTHER)
        raw.hset(theirs.inflight, "1", "x")
        assert storage.run(work.reconcile(ROUTE, [], drain=True)) == 0
        assert raw.hgetall(theirs.inflight) == {b"1": b"x"}


class TestFullRedis:
    """A Redis without memory still lets a worker finish what it has: scripts begin with a write it allows."""

    @pytest.fixture(autouse=True)
    def _full(self, empty_redis, raw):
        raw.lpush("queue:default", "a", "b")
        yield
        empty_redis.config_set(maxmemory=0)

    def _fill(self, empty_redis, storage):
        _fetch(storage, count=1)
        _settle(storage, 99)  # so that every script is loaded
        empty_redis.config_set(maxmemory_policy="noeviction", maxmemory=1)

    def test_fetching_works(self, empty_redis, storage, raw):
        self._fill(empty_redis, storage)
        assert _fetch(storage, count=1, first=2) == [(0, [b"b"])]

    def test_a_failed_job_reaches_the_retry_set(self, empty_redis, storage, raw):
        self._fill(empty_redis, storage)
        assert _settle(storage, 1, *work.retry_steps(b"a2", 5.0), failed=1) == 1
        assert raw.zrange("retry", 0, -1) == [b"a2"]

    def test_handing_back_works(self, empty_redis, storage, raw):
        self._fill(empty_redis, storage)
        storage.run_all([])
        assert storage.run(work.give_back(ROUTE, [1])) == 1

"""Ruby's API acts on jobs that Pillion wrote: each is moved, changed or removed as one (wire-format 3.5)."""

import json
import time

import pytest

from pillion.wire.codec import dumps

ERROR = {
    "retry_count": 2,
    "error_class": "shop.OutOfTea",
    "error_message": "no tëa",
    "failed_at": 1795300070895,
    "retried_at": 1795300090895,
    "error_backtrace": "eJx1zLEKhDAMANBfkS4uYsBFcfQ3RLxrjRCrTUws3OeLt7s/3ujgOgQsmmCoOaSBMmhO8BWp1fdtT6n4COrKepSueuMWd"
    "/JgtGCkE0Q5oBnrUzRN90/whyFfOG/sSzfdPnErIA==",
}
ARGS = ["naïve ☃ 🦊", 2**70, 0.1, -0.0, {"b": [None, True], "a": "\x01\u2028"}]
FIND = "Sidekiq::{}.new.find_job(jid)"
SETS = {"retry": "RetrySet", "dead": "DeadSet", "schedule": "ScheduledSet"}


@pytest.fixture
def stored(both):
    """Put a job that Pillion writes into a sorted set, as one that has failed; returns its jid."""

    def store(key, score=None, **options):
        jid = both.push("Echo", *ARGS, queue="python", at=4102444800, **options)
        (raw,) = [raw for raw in both.members("schedule") if jid.encode() in raw]
        both.raw.zrem("schedule", raw)
        job = json.loads(raw) | (ERROR if key != "schedule" else {})
        both.raw.zadd(key, {dumps(job): score if score is not None else time.time() + 1000})
        return jid

    return store


@pytest.fixture
def waiting(both):
    """The jobs of the queue."""
    return lambda: [json.loads(raw) for raw in both.raw.lrange("queue:python", 0, -1)]


class TestReschedule:
    """Ruby adds to the score of the job's bytes as it would write them: other bytes would become a second job."""

    @pytest.mark.parametrize("key", ["retry", "schedule"])
    def test_one_member_with_the_new_time_is_left(self, both, stored, key):
        jid = stored(key, 1795300085.895427)
        both.ruby(f"{FIND.format(SETS[key])}.reschedule(at)", jid=jid, at=1795400000.25)
        job, score = both.entry(key, jid)
        assert both.raw.zcard(key) == 1
        assert abs(score - 1795400000.25) < 0.001
        assert json.dumps(job["args"]) == json.dumps(ARGS)

    def test_a_retry_that_a_pillion_worker_wrote(self, fleet):
        jid = fleet.push(
            "Flaky", f"reschedule-{time.time()}", queue="python", backtrace=True, tenant={"x": [0.5, 2**65]}
        )
        before, _ = fleet.entry("retry", jid)
        fleet.ruby(f"{FIND.format('RetrySet')}.reschedule(at)", jid=jid, at=time.time() + 5000)
        after, score = fleet.entry("retry", jid)  # which fails unless there is just one
        assert after == before
        assert abs(score - time.time() - 5000) < 60

    def test_pillion_runs_it_at_the_new_time(self, both, stored):
        jid = stored("retry", time.time() + 5000)
        both.ruby(f"{FIND.format('RetrySet')}.reschedule(Time.now.to_f)", jid=jid)
        both.start_pillion("python")
        assert json.dumps(both.ledger.wait_for(jid)["args"]) == json.dumps(ARGS)


class TestMoves:
    def test_retry_puts_it_into_its_queue(self, both, stored, waiting):
        jid = stored("retry")
        both.ruby(f"{FIND.format('RetrySet')}.retry", jid=jid)
        (job,) = waiting()
        assert (job["jid"], job["retry_count"], job["error_class"]) == (jid, 1, "shop.OutOfTea")
        assert json.dumps(job["args"]) == json.dumps(ARGS)
        assert both.members("retry") == []

    def test_add_to_queue_does_so_with_a_scheduled_job(self, both, stored, waiting):
        jid = stored("schedule")
        both.ruby(f"{FIND.format('ScheduledSet')}.add_to_queue", jid=jid)
        assert [job["jid"] for job in waiting()] == [jid]
        assert both.members("schedule") == []

    def test_kill_puts_its_bytes_into_the_dead_set(self, both, stored):
        jid = stored("retry")
        (before,) = both.members("retry")
        both.ruby(f"{FIND.format('RetrySet')}.kill", jid=jid)
        assert both.members("dead") == [before]
        assert both.members("retry") == []

    def test_a_dead_job_comes_back(self, both, stored, waiting):
        jid = stored("dead")
        both.ruby(f"{FIND.format('DeadSet')}.retry", jid=jid)
        assert [job["jid"] for job in waiting()] == [jid]
        assert both.members("dead") == []

    @pytest.mark.parametrize("key", SETS)
    def test_delete_removes_only_it(self, both, stored, key):
        jid, other = stored(key, 4102444800.5), stored(key, 4102444800.5)
        both.ruby(f"{FIND.format(SETS[key])}.delete", jid=jid)
        assert [json.loads(raw)["jid"] for raw in both.members(key)] == [other]

    def test_of_two_with_the_same_time_the_other_stays(self, both, stored, waiting):
        jid, other = stored("retry", 4102444800.5), stored("retry", 4102444800.5)
        both.ruby(f"{FIND.format('RetrySet')}.retry", jid=jid)
        assert [job["jid"] for job in waiting()] == [jid]
        assert both.entry("retry", other)[1] == 4102444800.5


class TestWholeSets:
    @pytest.mark.parametrize("key", ["retry", "dead"])
    def test_retry_all(self, both, stored, waiting, key):
        jids = [stored(key) for _ in range(60)]
        both.ruby(f"Sidekiq::{SETS[key]}.new.retry_all; nil")
        assert sorted(job["jid"] for job in waiting()) == sorted(jids)
        assert both.members(key) == []

    def test_kill_all(self, both, stored):
        jids = [stored("retry") for _ in range(60)]
        both.ruby("Sidekiq::RetrySet.new.kill_all; nil")
        assert sorted(json.loads(raw)["jid"] for raw in both.members("dead")) == sorted(jids)
        assert both.members("retry") == []

    def test_fetch_by_time_and_scan_by_text(self, both, stored):
        jid = stored("retry", 4102444800.5)
        stored("retry", 4102444900.5)
        fetched = both.ruby("Sidekiq::RetrySet.new.fetch(at).map(&:jid)", at=4102444800.5)
        scanned = both.ruby("Sidekiq::RetrySet.new.scan(jid).map(&:jid)", jid=jid)
        assert (fetched, scanned) == ([jid], [jid])

    def test_a_queue_is_walked_and_cleared(self, both):
        jids = [both.push("Echo", n, queue="python") for n in range(120)]
        assert both.ruby("Sidekiq::Queue.new('python').map(&:jid)") == jids[::-1]
        both.ruby("Sidekiq::Queue.new('python').clear")
        assert both.raw.keys("*queue*") == []

"""Pillion's data API acts on jobs that Ruby wrote, and Ruby reads what it left (behaviour 18)."""

import json
import time

import pytest

from pillion.api.filters import Filter
from pillion.api.queues import Queue
from pillion.api.sets import DeadSet, RetrySet, ScheduledSet

ARGS = ["naïve ☃ 🦊", 2**70, 0.1, -0.0, {"b": [None, True], "a": "\x01\u2028"}]
EXTRAS = {"tenant": {"id": 7, "é": [1.5]}, "tags": ["urgent"]}


@pytest.fixture
def failed(fleet):
    """Push a job that a Ruby worker fails and wants to be retried in Pillion's queue; returns (jid, key)."""

    def push(**options):
        key = f"api-{time.time()}"
        jid = fleet.ruby.push("Flaky", key, queue="ruby", retry_queue="python", **EXTRAS, **options)
        fleet.entry("dead" if options.get("retry") == 0 else "retry", jid)
        return jid, key

    return push


class TestQueue:
    def test_it_reads_the_jobs_of_ruby(self, both):
        jids = [both.ruby.push("Echo", n, *ARGS, queue="q", **EXTRAS) for n in range(60)]
        jobs = list(Queue("q", fleet=both.api))
        assert sorted(job.jid for job in jobs) == sorted(jids)
        assert json.dumps(jobs[0].args[1:]) == json.dumps(ARGS)
        assert (jobs[0].job_class, jobs[0].tags, jobs[0]["tenant"]) == ("Echo", ["urgent"], EXTRAS["tenant"])
        assert Queue("q", fleet=both.api).size() == 60

    def test_it_finds_and_deletes_one(self, both):
        jid, other = both.ruby.push("Echo", *ARGS, queue="q"), both.ruby.push("Echo", *ARGS, queue="q")
        assert Queue("q", fleet=both.api).find_job(jid).delete()
        assert both.ruby("Sidekiq::Queue.new('q').map(&:jid)") == [other]

    def test_it_clears_it_as_ruby_does(self, both):
        both.ruby.push("Echo", queue="q")
        Queue("q", fleet=both.api).clear()
        assert both.ruby("[Sidekiq::Queue.all.map(&:name), Sidekiq::Queue.new('q').size]") == [[], 0]

    def test_its_latency_counts_from_the_seconds_of_ruby(self, both):
        both.ruby.push("Echo", queue="q")
        assert 0 <= Queue("q", fleet=both.api).latency() < 60


class TestRetries:
    def test_it_reads_the_error_of_ruby(self, fleet, failed):
        jid, key = failed(backtrace=True)
        entry = RetrySet(fleet=fleet.api).find_job(jid)
        assert (entry.error_class, entry.error_message) == ("Broken", f"out of tëa ☕ {key}")
        assert (entry.retry_count, entry.queue, entry.tags) == (0, "python", ["urgent"])
        assert "jobs.rb" in entry.error_backtrace[0]
        assert entry.created_at <= entry.enqueued_at <= entry.failed_at <= time.time()

    def test_retry_runs_it(self, fleet, failed):
        jid, key = failed()
        fleet.ledger.mend(key)
        assert RetrySet(fleet=fleet.api).find_job(jid).retry()
        assert fleet.ledger.wait_for(jid)["by"] == "pillion"
        assert RetrySet(fleet=fleet.api).find_job(jid) is None

    def test_reschedule_leaves_one_entry_that_ruby_reads(self, fleet, failed):
        jid, _ = failed()
        at = float(int(time.time()) + 5000)
        assert RetrySet(fleet=fleet.api).find_job(jid).reschedule(at)
        shown = "Sidekiq::RetrySet.new.select { |one| one.jid == jid }.map { |one| [one.score, one['tenant']] }"
        assert fleet.ruby(shown, jid=jid) == [[at, EXTRAS["tenant"]]]

    def test_kill_and_revive(self, fleet, failed):
        jid, key = failed()
        assert RetrySet(fleet=fleet.api).find_job(jid).kill()
        assert fleet.ruby("Sidekiq::DeadSet.new.find_job(jid)['error_class']", jid=jid) == "Broken"
        fleet.ledger.mend(key)
        assert DeadSet(fleet=fleet.api).find_job(jid).retry()
        assert fleet.ledger.wait_for(jid)["args"] == [key]

    def test_a_delete_is_final_for_ruby_too(self, fleet, failed):
        jid, _ = failed()
        assert RetrySet(fleet=fleet.api).find_job(jid).delete()
        assert fleet.ruby("Sidekiq::RetrySet.new.find_job(jid)", jid=jid) is None


class TestDeadAndScheduled:
    def test_a_job_that_ruby_buried_runs_again(self, fleet, failed):
        jid, key = failed(retry=0)
        fleet.ledger.mend(key)
        assert DeadSet(fleet=fleet.api).find_job(jid).retry()
        assert fleet.ledger.wait_for(jid)["by"] == "pillion"
        assert fleet.ruby("Sidekiq::DeadSet.new.find_job(jid)", jid=jid) is None

    def test_a_job_that_ruby_buried_fails_again_and_its_count_is_right(self, fleet, failed):
        jid, _ = failed(retry=0)
        assert DeadSet(fleet=fleet.api).find_job(jid).retry()
        fleet.ledger.wait_for(jid, "failed", times=2)
        assert fleet.entry("dead", jid)[0]["retry_count"] == 0

    def test_add_to_queue_runs_a_job_that_ruby_scheduled(self, fleet):
        jid = fleet.ruby.push("Echo", *ARGS, queue="python", at=time.time() + 5000, **EXTRAS)
        assert ScheduledSet(fleet=fleet.api).find_job(jid).add_to_queue()
        assert json.dumps(fleet.ledger.wait_for(jid)["args"]) == json.dumps(ARGS)
        assert ScheduledSet(fleet=fleet.api).find_job(jid) is None

    def test_many_at_once(self, both):
        jids = [both.ruby.push("Echo", n, queue="python", at=4102444800 + n) for n in range(300)]
        assert ScheduledSet(fleet=both.api).add_to_queue(Filter(job_class="Echo")).moved == 300
        assert sorted(both.ruby("Sidekiq::Queue.new('python').map(&:jid)")) == sorted(jids)
        assert both.members("schedule") == []


class TestAMemberThatOnlyRubySpellsSo:
    """Ruby 6.4 with json 2.6 writes 1e16 as 1.0e+16. Pillion goes by the stored bytes, so that is no trap for it."""

    @pytest.fixture
    def entry(self, both):
        both.ruby.push("Echo", 1e16, 1e-7, queue="q", at=4102444800)
        (raw,) = both.members("schedule")
        assert b"1.0e+16" in raw
        (entry,) = ScheduledSet(fleet=both.api)
        return entry

    def test_reschedule_leaves_one(self, both, entry):
        assert entry.reschedule(4102444900.0)
        assert both.raw.zrange("schedule", 0, -1, withscores=True) == [(entry.value, 4102444900.0)]

    def test_delete_removes_it(self, both, entry):
        assert entry.delete()
        assert both.members("schedule") == []

    def test_kill_keeps_its_bytes(self, both, entry):
        assert entry.kill()
        assert both.members("dead") == [entry.value]

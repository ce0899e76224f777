"""Jobs scheduled in one language and promoted by the other's scheduler (wire-format 3)."""

import json
import time

import pytest

EXTRAS = {"tenant": {"id": 7, "é": 0.5}, "zzz": None, "aaa": 2**70, "tags": ["x"], "retry": 3, "backtrace": 2}
# Ruby's own scheduler, without its waits.
RUBY_PROMOTES = "Sidekiq::Scheduled::Enq.new.enqueue_jobs"


@pytest.fixture
def queued(both):
    """The one job of a queue, as it is stored."""

    def one(queue="default"):
        raws = both.raw.lrange(f"queue:{queue}", 0, -1)
        assert len(raws) == 1
        return json.loads(raws[0])

    return one


class TestTheSchedule:
    @pytest.mark.parametrize("at", [1795300071.5323694, 4102444800, 4102444800.0, 4102444800.25])
    def test_both_write_the_same_score(self, both, at):
        both.push("Echo", "pillion", at=at)
        both.ruby.push("Echo", "ruby", at=at)
        assert [score for _, score in both.raw.zrange("schedule", 0, -1, withscores=True)] == [at, at]

    def test_neither_keeps_at_or_says_when_it_was_queued(self, both):
        both.push("Echo", at=4102444800)
        both.ruby.push("Echo", at=4102444800)
        for raw in both.members("schedule"):
            assert not {"at", "enqueued_at"} & set(json.loads(raw))
        assert both.raw.smembers("queues") == set()

    def test_ruby_finds_a_job_of_pillion(self, both):
        jid = both.push("Echo", 1, at=4102444800, **EXTRAS)
        found = "entry = Sidekiq::ScheduledSet.new.find_job(jid); [entry.klass, entry.args, entry.at.to_i, entry.tags]"
        assert both.ruby(found, jid=jid) == ["Echo", [1], 4102444800, ["x"]]


class TestPromotedByRuby:
    def test_a_job_of_pillion_goes_to_its_queue_with_all_its_keys(self, both, queued):
        jid = both.push("interop_jobs.Plain", 1, "ü", queue="python", at=time.time() + 1, **EXTRAS)
        scheduled = json.loads(both.members("schedule")[0])
        both.ruby("sleep 0.01 until Time.now.to_f > due; " + RUBY_PROMOTES, due=time.time() + 1)
        promoted = queued("python")
        assert promoted.pop("enqueued_at")
        assert promoted == scheduled
        assert promoted["jid"] == jid
        assert both.members("schedule") == []

    def test_pillion_runs_what_ruby_promoted(self, both):
        jid = both.push("interop_jobs.Plain", 1, queue="python", at=time.time() - 1)
        both.ruby(RUBY_PROMOTES)
        both.start_pillion("python")
        assert both.ledger.wait_for(jid)["args"] == [1]

    def test_what_is_not_due_stays(self, both):
        both.push("Echo", at=time.time() + 60)
        both.ruby(RUBY_PROMOTES)
        assert len(both.members("schedule")) == 1

    def test_the_scheduler_of_a_ruby_worker_serves_pillion_jobs_too(self, both):
        jid = both.client.enqueue_to_in("ruby", 0.1, "Echo", "from pillion")
        both.start_ruby("ruby")
        assert both.ledger.wait_for(jid)["args"] == ["from pillion"]


class TestPromotedByPillion:
    @pytest.fixture
    def pillion_promotes(self, both):
        """A Pillion worker with nothing else to do."""
        return lambda: both.start_pillion("unused")

    def test_a_job_of_ruby_goes_to_its_queue_with_all_its_keys(self, both, queued, pillion_promotes):
        jid = both.ruby.push("Echo", 1, "ü", queue="ruby", at=time.time() - 1, **EXTRAS)
        scheduled = json.loads(both.members("schedule")[0])
        pillion_promotes()
        both.wait_until(lambda: both.raw.llen("queue:ruby"))
        promoted = queued("ruby")
        assert promoted.pop("enqueued_at")
        assert promoted == scheduled
        assert promoted["jid"] == jid
        assert list(promoted) == list(scheduled)

    def test_a_retry_of_ruby_goes_to_its_queue_with_all_its_keys(self, both, queued, pillion_promotes):
        retry = {"retry": True, "queue": "ruby", "class": "Echo", "args": [1], "jid": "b" * 24, "retry_count": 3}
        retry |= {"created_at": 1795300070.5, "failed_at": 1795300071.25, "retried_at": 1795300072.0, **EXTRAS}
        retry |= {"error_message": "ü", "error_class": "Broken", "enqueued_at": 1795300070.5}
        both.ruby("Sidekiq::RetrySet.new.schedule(Time.now.to_f - 1, retried)", retried=retry)
        pillion_promotes()
        both.wait_until(lambda: both.raw.llen("queue:ruby"))
        promoted = queued("ruby")
        assert promoted.pop("enqueued_at") != retry.pop("enqueued_at")
        assert promoted == retry


class TestBothSchedulersAtOnce:
    def test_each_job_is_promoted_once(self, both):
        both.identity(both.start_pillion("unused"))
        promoted, pushed = [], []
        while len({type(job["enqueued_at"]) for job in promoted}) < 2:  # until both have had a share
            item = {"class": "Echo", "queue": "q", "args": [[n] for n in range(2000)], "at": time.time() + 0.5}
            pushed += both.client.push_bulk(item) if pushed else both.ruby("Sidekiq::Client.push_bulk(item)", item=item)
            both.ruby(f"begin; {RUBY_PROMOTES}; end until Sidekiq::ScheduledSet.new.size == 0")
            both.wait_until(lambda: both.raw.llen("queue:q") >= len(pushed))
            promoted = [json.loads(raw) for raw in both.raw.lrange("queue:q", 0, -1)]
            assert sorted(job["jid"] for job in promoted) == sorted(pushed)

"""A job that fails in one language is retried, buried and revived by the other (wire-format 5)."""

import json
import time
from types import SimpleNamespace

import pytest
from worker_process import wait_until

from pillion.wire import backtrace

ERRORS = {"ruby": "Broken", "pillion": "interop_jobs.Broken"}


def milliseconds(value):
    """A timestamp of the payload, by the rule of its JSON type (wire-format 0.2)."""
    return value if isinstance(value, int) else value * 1000


@pytest.fixture(params=["ruby fails, pillion goes on", "pillion fails, ruby goes on"])
def way(request, fleet):
    """The language and queue that fail first, and those that go on; `push` is that of the second."""
    if request.param.startswith("ruby"):
        return SimpleNamespace(
            first="ruby", failing="ruby", second="pillion", following="python", push=fleet.push, key=f"r{time.time()}"
        )
    return SimpleNamespace(
        first="pillion", failing="python", second="ruby", following="ruby", push=fleet.ruby.push, key=f"p{time.time()}"
    )


@pytest.fixture
def fail(fleet, way):
    """Push a job that fails in the first language and is to be retried in the queue of the second."""

    def push(**options):
        jid = way.push("Flaky", way.key, queue=way.failing, retry_queue=way.following, **options)
        fleet.ledger.wait_for(jid, "failed")
        return jid

    return push


@pytest.fixture
def retry_now(fleet):
    """Retry a job at once, by Ruby's API."""
    return lambda jid: fleet.ruby("Sidekiq::RetrySet.new.find_job(jid).retry", jid=jid)


class TestFirstFailure:
    def test_the_payload_says_what_happened(self, fleet, way, fail):
        job, _ = fleet.entry("retry", fail(tenant=7))
        assert (job["class"], job["args"], job["tenant"]) == ("Flaky", [way.key], 7)
        assert job["error_class"] == ERRORS[way.first]
        assert job["error_message"] == f"out of tëa ☕ {way.key}"
        assert (job["retry_count"], job["queue"]) == (0, way.following)
        assert "retried_at" not in job
        assert "error_backtrace" not in job

    def test_the_retry_is_due_15_to_25_seconds_later(self, fleet, fail):
        job, due_s = fleet.entry("retry", fail())
        assert 15 <= due_s - milliseconds(job["failed_at"]) / 1000 < 30

    def test_the_other_language_would_write_the_same_bytes(self, fleet, fail):
        fleet.entry("retry", jid := fail(backtrace=True))
        raw = next(member for member in fleet.members("retry") if jid.encode() in member)
        assert fleet.ruby("rewritten(raw)", raw=raw.decode()).encode() == raw

    def test_ruby_reads_the_error(self, fleet, way, fail):
        fleet.entry("retry", jid := fail())
        found = "entry = Sidekiq::RetrySet.new.find_job(jid); [entry.error?, entry['error_message'], entry.jid]"
        assert fleet.ruby(found, jid=jid) == [True, f"out of tëa ☕ {way.key}", jid]


class TestBacktrace:
    def test_ruby_reads_it(self, fleet, way, fail):
        fleet.entry("retry", jid := fail(backtrace=True))
        lines = fleet.ruby("Sidekiq::RetrySet.new.find_job(jid).error_backtrace", jid=jid)
        assert {"ruby": "jobs.rb", "pillion": "interop_jobs.py"}[way.first] in lines[0]
        assert "perform" in lines[0]

    def test_pillion_reads_it(self, fleet, way, fail):
        job, _ = fleet.entry("retry", fail(backtrace=True))
        lines = backtrace.expand(job["error_backtrace"])
        assert {"ruby": "jobs.rb", "pillion": "interop_jobs.py"}[way.first] in lines[0]
        assert len(lines) > 1

    def test_a_number_keeps_so_many_lines(self, fleet, fail):
        job, _ = fleet.entry("retry", fail(backtrace=1))
        assert len(backtrace.expand(job["error_backtrace"])) == 1

    def test_ruby_wraps_its_base64_and_pillion_does_not(self, fleet, way, fail):
        job, _ = fleet.entry("retry", fail(backtrace=True))
        assert ("\n" in job["error_backtrace"]) == (way.first == "ruby")


class TestRetryByTheOther:
    def test_it_runs_the_job(self, fleet, way, fail, retry_now):
        fleet.entry("retry", jid := fail(tenant=7))
        fleet.ledger.mend(way.key)
        retry_now(jid)
        assert fleet.ledger.wait_for(jid)["by"] == way.second

    def test_the_count_goes_on(self, fleet, way, fail):
        before, _ = fleet.entry("retry", jid := fail())
        fleet.ruby("Sidekiq::RetrySet.new.find_job(jid).reschedule(Time.now.to_f)", jid=jid)
        assert fleet.ledger.wait_for(jid, "failed", times=2)["by"] == way.second
        job, due_s = fleet.entry("retry", jid)
        assert job["retry_count"] == 1
        assert job["error_class"] == ERRORS[way.second]
        assert job["failed_at"] == before["failed_at"]
        assert milliseconds(job["retried_at"]) > milliseconds(job["failed_at"])
        assert 16 <= due_s - milliseconds(job["retried_at"]) / 1000 < 40

    def test_a_manual_retry_does_not_use_one_up(self, fleet, fail, retry_now):
        fleet.entry("retry", jid := fail())
        retry_now(jid)
        fleet.ledger.wait_for(jid, "failed", times=2)
        assert fleet.entry("retry", jid)[0]["retry_count"] == 0

    def test_unknown_keys_and_their_order_stay(self, fleet, way, fail):
        extras = {"tenant": {"id": 7, "é": [1.5]}, "bid": "b-1", "zzz": None, "aaa": 2**70}
        before, _ = fleet.entry("retry", jid := fail(**extras))
        fleet.ruby("Sidekiq::RetrySet.new.find_job(jid).reschedule(Time.now.to_f)", jid=jid)
        fleet.ledger.wait_for(jid, "failed", times=2)
        after, _ = fleet.entry("retry", jid)
        assert {key: after[key] for key in extras} == extras
        assert [key for key in after if key != "retried_at"] == list(before)


class TestExhausted:
    @pytest.fixture
    def dead(self, fleet, fail):
        """A job that the first language has buried."""
        fleet.entry("dead", jid := fail(retry=0, tenant=7))
        return jid

    def test_it_is_in_the_dead_set_with_its_error(self, fleet, way, dead):
        job, died_s = fleet.entry("dead", dead)
        assert (job["error_class"], job["retry_count"], job["tenant"]) == (ERRORS[way.first], 0, 7)
        assert abs(died_s - milliseconds(job["failed_at"]) / 1000) < 60
        assert not [member for member in fleet.members("retry") if dead.encode() in member]

    def test_ruby_revives_it_and_the_other_language_runs_it(self, fleet, way, dead):
        fleet.ledger.mend(way.key)
        fleet.ruby("Sidekiq::DeadSet.new.find_job(jid).retry", jid=dead)
        assert fleet.ledger.wait_for(dead)["by"] == way.second
        assert not [member for member in fleet.members("dead") if dead.encode() in member]

    def test_nothing_is_kept_of_a_job_with_dead_false(self, fleet, way):
        jid = way.push("Flaky", way.key, queue=way.failing, retry=0, dead=False)
        last = way.push("Flaky", way.key, queue=way.failing, retry=0)
        fleet.entry("dead", last)
        fleet.ledger.wait_for(jid, "failed")
        assert not [member for member in fleet.members("dead") if jid.encode() in member]


class TestMalformed:
    @pytest.mark.parametrize("queue", ["ruby", "python"])
    def test_what_is_no_json_is_buried_as_it_is(self, fleet, queue):
        text = f"no json at all {queue} {time.time()}".encode()
        fleet.raw.lpush(f"queue:{queue}", text)
        wait_until(lambda: text in fleet.members("dead"), "its burial", lambda: str(fleet.members("dead")))
        fleet.ledger.wait_for(fleet.push("Echo", queue=queue))
        shown = "Sidekiq::DeadSet.new.select { |entry| entry.value == text }.map { |entry| [entry.klass, entry.args] }"
        assert fleet.ruby(shown, text=text.decode()) == [[None, [text.decode()]]]

    def test_a_class_that_ruby_does_not_know_is_retried_by_pillion(self, fleet):
        jid = fleet.push("interop_jobs.Plain", 1, queue="ruby", retry_queue="python")
        job, _ = fleet.entry("retry", jid)
        assert job["error_class"] == "NameError"
        fleet.ruby("Sidekiq::RetrySet.new.find_job(jid).retry", jid=jid)
        assert fleet.ledger.wait_for(jid)["by"] == "pillion"

    def test_a_class_that_pillion_does_not_know_is_retried_by_ruby(self, fleet):
        jid = fleet.ruby.push("String", 1, queue="python", retry_queue="elsewhere")
        job, _ = fleet.entry("retry", jid)
        assert job["error_class"].endswith("UnknownJobClass")
        assert json.loads(fleet.ruby("Sidekiq::RetrySet.new.find_job(jid).value", jid=jid)) == job

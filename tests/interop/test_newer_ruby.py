"""What other versions of Ruby Sidekiq write: Pillion runs their jobs, reads and moves them (wire-format 13 to 15).

newer_ruby.json has the bytes, by version: captured from 8.1.7, and for the others as their source has it.
"""

import json
import time
from pathlib import Path

import pytest

from pillion.api.processes import ProcessSet
from pillion.api.queues import Queue
from pillion.api.sets import RetrySet, ScheduledSet
from pillion.api.work import WorkSet
from pillion.wire import codec

WRITTEN = json.loads((Path(__file__).parent / "newer_ruby.json").read_text())
JOBS, PROCESSES = WRITTEN["jobs"], WRITTEN["processes"]
OF_ACTIVE_JOB = [name for name, job in JOBS.items() if "display_class" in job]
FAILED = [name for name, job in JOBS.items() if "failed_at" in job]
SETS = {"retry": RetrySet, "schedule": ScheduledSet}


def put(both, job):
    """Write a job where that version of Ruby wrote it."""
    if "score" in job:
        both.raw.zadd(job["in"], {job["payload"]: job["score"]})
    else:
        both.raw.sadd("queues", job["in"].removeprefix("queue:"))
        both.raw.lpush(job["in"], job["payload"])


def read(both, job):
    """The job as pillion.api has it."""
    queue = job["in"].removeprefix("queue:")
    (entry,) = SETS[queue](fleet=both.api) if queue in SETS else Queue(queue, fleet=both.api)
    return entry


@pytest.fixture(scope="module")
def ran(fleet):
    """Every job of the file, run by Pillion; returns {name: the run}."""
    for job in JOBS.values():
        payload = json.loads(job["payload"]) | {"queue": "python"}
        if "score" in job:
            fleet.raw.zadd(job["in"], {codec.dumps(payload): time.time() - 1})
        else:
            fleet.raw.lpush("queue:python", codec.dumps(payload))
    jids = {name: json.loads(job["payload"]).get("jid", "") for name, job in JOBS.items()}
    return {name: fleet.ledger.wait_for(jid) for name, jid in jids.items()}


class TestJobs:
    @pytest.mark.parametrize("name", JOBS)
    def test_pillion_runs_it_with_its_arguments(self, ran, name):
        job = json.loads(JOBS[name]["payload"])
        assert (ran[name]["class"], ran[name]["args"]) == (job["class"], job.get("args", []))

    @pytest.mark.parametrize("name", JOBS)
    def test_the_api_reads_its_times_in_seconds(self, both, name):
        job = JOBS[name]
        put(both, job)
        entry = read(both, job)
        assert (entry.created_at, entry.enqueued_at) == (job["created_at"], job["enqueued_at"])
        assert entry.failed_at == job.get("failed_at")

    @pytest.mark.parametrize("name", OF_ACTIVE_JOB)
    def test_the_api_shows_the_job_inside_the_wrapper(self, both, name):
        put(both, JOBS[name])
        entry = read(both, JOBS[name])
        assert (entry.display_class, entry.display_args) == (JOBS[name]["display_class"], JOBS[name]["display_args"])

    @pytest.mark.parametrize("name", FAILED)
    def test_the_api_reads_its_error(self, both, name):
        put(both, JOBS[name])
        entry = read(both, JOBS[name])
        assert (entry.error_class, entry.error_message) == ("ArgumentError", "bad ☃")
        assert len(entry.error_backtrace) == JOBS[name]["backtrace_lines"]

    @pytest.mark.parametrize("name", JOBS)
    def test_pillion_would_write_the_same_bytes(self, name):
        raw = JOBS[name]["payload"].encode()
        assert codec.dumps(codec.loads_job(raw)) == raw

    @pytest.mark.parametrize(("enqueued_at", "unit"), [(1_000, "ms"), (1.0, "s")])
    def test_the_latency_of_a_queue_knows_both_units(self, both, enqueued_at, unit):
        now = time.time() - 60
        stamp = int(now * enqueued_at) if unit == "ms" else now * enqueued_at
        both.raw.lpush("queue:q", json.dumps({"class": "HardJob", "args": [], "jid": "a", "enqueued_at": stamp}))
        assert 59 <= Queue("q", fleet=both.api).latency() < 600


class TestAFurtherFailure:
    @pytest.mark.parametrize("failed_at", [1795300070895, 1795300070.895111], ids=["8.1, ms", "7.3, seconds"])
    def test_pillion_counts_on_from_what_ruby_wrote(self, fleet, failed_at):
        jid = f"counts-on-{failed_at}"
        job = {
            "class": "Flaky",
            "args": ["never"],
            "jid": jid,
            "queue": "python",
            "retry": True,
            "failed_at": failed_at,
        }
        job |= {"retry_count": 4, "retried_at": failed_at, "error_class": "X", "error_message": "y", "cattr": {"u": 1}}
        fleet.raw.lpush("queue:python", codec.dumps(job))
        after, due_s = fleet.entry("retry", jid)
        assert (after["retry_count"], after["failed_at"], after["cattr"]) == (5, failed_at, {"u": 1})
        assert isinstance(after["retried_at"], int)
        assert after["error_class"] == "interop_jobs.Broken"
        assert 5**4 + 15 <= due_s - after["retried_at"] / 1000 < 5**4 + 15 + 61

    @pytest.mark.parametrize("unit", ["ms", "seconds"])
    @pytest.mark.parametrize(("ago_s", "place"), [(100, "retry"), (10_000, "dead")])
    def test_the_time_limit_counts_from_the_first_failure_in_either_unit(self, fleet, unit, ago_s, place):
        failed_at = time.time() - ago_s
        jid = f"limit-{unit}-{ago_s}"
        job = {"class": "Flaky", "args": ["never"], "jid": jid, "retry": True, "retry_for": 3600, "retry_count": 0}
        job["failed_at"] = int(failed_at * 1000) if unit == "ms" else failed_at
        fleet.raw.lpush("queue:python", codec.dumps(job))
        assert fleet.entry(place, jid)[0]["retry_count"] == 1


class TestMovedByTheApi:
    @pytest.mark.parametrize("name", FAILED)
    def test_retry_keeps_each_key_of_the_job(self, both, name):
        put(both, JOBS[name])
        assert read(both, JOBS[name]).retry()
        before = json.loads(JOBS[name]["payload"])
        (raw,) = both.raw.lrange("queue:default", 0, -1)
        after = json.loads(raw)
        for key in ("retry_count", "enqueued_at"):
            before.pop(key)
        assert {key: after[key] for key in before} == before
        assert both.raw.zcard("retry") == 0

    @pytest.mark.parametrize("name", FAILED)
    def test_kill_keeps_its_bytes(self, both, name):
        put(both, JOBS[name])
        assert read(both, JOBS[name]).kill()
        assert both.members("dead") == [JOBS[name]["payload"].encode()]
        assert both.members("retry") == []

    @pytest.mark.parametrize("name", FAILED)
    def test_reschedule_leaves_one_member_with_its_bytes(self, both, name):
        put(both, JOBS[name])
        assert read(both, JOBS[name]).reschedule(4102444800.5)
        assert both.raw.zrange("retry", 0, -1, withscores=True) == [(JOBS[name]["payload"].encode(), 4102444800.5)]


class TestProcesses:
    @pytest.fixture(params=PROCESSES)
    def written(self, both, request):
        """The record of a process of that version, with the one job that it runs."""
        process = PROCESSES[request.param]
        name = process["identity"]
        both.raw.sadd("processes", name)
        both.raw.hset(name, mapping=process["fields"])
        both.raw.hset(f"{name}:{process['work_key']}", "kj2", process["work"])
        return process

    def test_the_process_set_reads_it(self, both, written):
        (process,) = ProcessSet(fleet=both.api)
        assert process.identity == written["identity"]
        assert (process.hostname, process.concurrency, process.busy) == ("vm", 3, 1)
        assert process.queues == ["high", "default", "single", "other"]
        assert (process.started_at, process.beat_at) == (1795300070.8934255, 1795300080.900098)
        assert (process.rss_kib, process.rtt_us, process.version) == (26928, 293, written["version"])
        assert process.is_quiet == (written["fields"]["quiet"] == "true")
        assert sorted(process.capsules) == written.get("capsules", sorted(process.capsules))

    def test_the_work_set_reads_its_job(self, both, written):
        (work,) = WorkSet(fleet=both.api)
        assert (work.process_id, work.thread_id, work.queue) == (written["identity"], "kj2", "default")
        assert (work.job.job_class, work.job.args, work.run_at) == ("IterJob", [40], 1795300070)

    def test_it_can_be_told_to_stop(self, both, written):
        ProcessSet(fleet=both.api).get(written["identity"]).stop()
        key = f"{written['identity']}-signals"
        assert both.raw.lrange(key, 0, -1) == [b"TERM"]
        assert 0 < both.raw.ttl(key) <= 60

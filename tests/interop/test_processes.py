"""Worker processes of one language as the other sees and steers them (wire-format 7)."""

import json
import os
import subprocess
import time

import pytest

from pillion import __version__
from pillion.api.processes import ProcessSet
from pillion.api.work import WorkSet

PROCESS = "Sidekiq::ProcessSet.new(false).find { |one| one.identity == name }"
WORK_FIELDS = ["queue", "payload", "run_at"]


def said_to_run(fleet, name, key):
    """The jids that a process says it runs, if its record agrees with its count."""
    works = [json.loads(work) for work in fleet.raw.hgetall(f"{name}:{key}").values()]
    count = int(fleet.raw.hget(name, "busy") or 0)
    return [json.loads(work["payload"])["jid"] for work in works] if len(works) == count else None


@pytest.fixture(scope="module")
def busy(fleet):
    """Each language runs a job and its process has said so; returns {language: (identity, jid)}."""
    fleet.raw.delete("retry", "schedule")  # nothing that other tests left may run meanwhile
    gate = f"gate-{time.time()}"
    jids = {"ruby": fleet.push("Hold", gate, queue="ruby"), "pillion": fleet.ruby.push("Hold", gate, queue="python")}
    names = {language: fleet.identity(run) for language, run in fleet.workers.items()}
    for language, key in (("ruby", "workers"), ("pillion", "work")):
        fleet.ledger.wait_for(jids[language], "start")
        fleet.wait_until(lambda: said_to_run(fleet, names[language], key) == [jids[language]], "a beat with the job")
    yield {language: (names[language], jids[language]) for language in jids}
    fleet.ledger.open(gate)
    for jid in jids.values():
        fleet.ledger.wait_for(jid)


class TestPillionSeenByRuby:
    def test_its_record_has_what_the_process_set_needs(self, fleet, busy):
        name, _ = busy["pillion"]
        fields = "%w[hostname pid tag concurrency queues busy identity labels rss rtt_us beat started_at version]"
        host, pid, tag, *rest = fleet.ruby(f"{fields}.map {{ |field| ({PROCESS})[field] }}", name=name)
        concurrency, queues, count, identity, labels, rss, rtt_us, beat_s, started_s, version = rest
        assert f"{host}:{pid}" == name.rpartition(":")[0]
        assert (tag, concurrency, queues, count, identity, labels) == (
            fleet.ledger.folder.name,
            2,
            ["python"],
            1,
            name,
            [],
        )
        assert rss > 1000
        assert rtt_us > 0
        assert started_s <= beat_s <= time.time()
        assert version == __version__

    def test_its_threads_and_jobs_count_in_the_totals(self, fleet, busy):
        totals = "all = Sidekiq::ProcessSet.new; [all.size, all.total_concurrency, Sidekiq::Workers.new.size]"
        assert fleet.ruby(totals) == [2, 4, 2]
        assert fleet.ruby("Sidekiq::Stats.new.workers_size") == 2

    def test_it_is_not_stopping(self, fleet, busy):
        assert fleet.ruby(f"({PROCESS}).stopping?", name=busy["pillion"][0]) is False

    def test_the_busy_page_names_both_processes(self, fleet, busy):
        page = fleet.ruby.look("/busy")
        for name, _ in busy.values():
            assert name in page

    def test_the_clean_up_of_ruby_spares_living_processes_of_pillion(self, fleet, busy):
        fleet.raw.sadd("processes", "gone:1:abcdefabcdef")
        assert fleet.ruby("Sidekiq::ProcessSet.new.map(&:identity)") == sorted(name for name, _ in busy.values())
        assert fleet.raw.sismember("processes", "gone:1:abcdefabcdef") == 0

    def test_the_monitor_of_ruby_lists_it(self, fleet, busy):
        environ = os.environ | {"REDIS_URL": fleet.url}
        shown = subprocess.run(["sidekiqmon"], env=environ, capture_output=True, text=True, check=True).stdout
        for name, _ in busy.values():
            assert name in shown
        assert "Queues: python" in shown

    def test_ruby_6_4_1_looks_for_running_jobs_where_only_it_writes_them(self, fleet, busy):
        """Since 6.4.2 the key ends in `:work`, as Pillion's does: an older Ruby shows counts but not the jobs."""
        seen = fleet.ruby("Sidekiq::Workers.new.map { |name, _, work| [name, work['payload']['jid']] }")
        assert seen == [list(busy["ruby"])]


class TestRunningJobs:
    def test_pillion_writes_them_as_ruby_does_but_for_the_name_of_the_key(self, fleet, busy):
        """The same reader of Ruby, shown the record of Pillion under the older name, takes it."""
        name, jid = busy["pillion"]
        fleet.raw.copy(f"{name}:work", f"{name}:workers")
        try:
            find = "Sidekiq::Workers.new.select { |one, *| one == name }.map { |_, tid, work| [tid, work] }"
            ((tid, work),) = fleet.ruby(find, name=name)
        finally:
            fleet.raw.delete(f"{name}:workers")
        assert tid
        assert list(work) == WORK_FIELDS
        assert (work["queue"], work["payload"]["class"], work["payload"]["jid"]) == ("python", "Hold", jid)
        assert abs(time.time() - work["run_at"]) < 300

    def test_both_write_the_same_fields(self, fleet, busy):
        (pillion,) = fleet.raw.hgetall(f"{busy['pillion'][0]}:work").values()
        (ruby,) = fleet.raw.hgetall(f"{busy['ruby'][0]}:workers").values()
        assert list(json.loads(pillion)) == list(json.loads(ruby)) == WORK_FIELDS
        assert [type(value) for value in json.loads(pillion).values()] == [str, str, int]
        assert fleet.ruby("rewritten(raw)", raw=pillion.decode()).encode() == pillion


class TestSeenByPillion:
    def test_a_process_of_ruby(self, fleet, busy):
        name, _ = busy["ruby"]
        seen = ProcessSet(fleet=fleet.api).get(name)
        assert seen is not None
        assert f"{seen.hostname}:{seen.pid}" == name.rpartition(":")[0]
        assert (seen.concurrency, seen.busy, list(seen.queues), seen.is_quiet) == (2, 1, ["ruby"], False)
        assert seen.rss_kib > 1000
        assert seen.started_at <= seen.beat_at <= time.time()

    def test_all_processes_of_both_languages(self, fleet, busy):
        processes = ProcessSet(fleet=fleet.api)
        assert sorted(one.identity for one in processes) == sorted(name for name, _ in busy.values())
        assert (processes.size(), processes.total_concurrency()) == (2, 4)

    def test_the_running_jobs_of_both_languages(self, fleet, busy):
        works = WorkSet(fleet=fleet.api)
        assert sorted((work.process_id, work.job.jid) for work in works) == sorted(busy.values())
        assert {work.queue for work in works} == {"ruby", "python"}
        assert works.size() == 2

    def test_a_running_job_of_ruby(self, fleet, busy):
        name, jid = busy["ruby"]
        work = WorkSet(fleet=fleet.api).find_work(jid)
        assert work is not None
        assert (work.process_id, work.queue, work.job.job_class) == (name, "ruby", "Hold")
        assert abs(time.time() - work.run_at) < 300

    def test_its_clean_up_spares_living_processes_of_ruby(self, fleet, busy):
        fleet.raw.sadd("processes", "gone:1:abcdefabcdef")
        fleet.raw.delete("process_cleanup")  # somebody may have cleaned up within the last minute
        ProcessSet(fleet=fleet.api).cleanup()
        assert fleet.raw.smembers("processes") == {name.encode() for name, _ in busy.values()}


class TestSteering:
    """Signals lie in a list, from which each process takes one with each beat."""

    def test_ruby_quiets_and_stops_pillion_by_its_api_and_its_web_app(self, both):
        quieted, stopped, stopped_in_browser = (both.start_pillion("python") for _ in range(3))
        names = [both.identity(run) for run in (quieted, stopped, stopped_in_browser)]
        both.ruby(f"({PROCESS}).quiet!", name=names[0])
        both.ruby(f"({PROCESS}).stop!", name=names[1])
        both.ruby.press("/busy", "/busy", identity=names[2], stop="1")
        stopped.wait_gone()
        stopped_in_browser.wait_gone()
        quieted.wait_log("TSTP")
        assert both.ruby("Sidekiq::ProcessSet.new(false).map(&:identity)") == names[:1]
        jid = both.push("Echo", queue="python")
        other = both.start_pillion("python")
        assert both.ledger.wait_for(jid)["pid"] in other.processes
        both.wait_until(lambda: both.ruby(f"({PROCESS}).stopping?", name=names[0]), "a beat that says so")

    def test_pillion_quiets_and_stops_ruby(self, both):
        quieted, stopped = both.start_ruby("ruby"), both.start_ruby("ruby")
        names = [both.identity(run) for run in (quieted, stopped)]
        processes = ProcessSet(fleet=both.api)
        processes.get(names[0]).quiet()
        processes.get(names[1]).stop()
        stopped.wait_gone()
        both.wait_until(lambda: processes.get(names[0]).is_quiet, "a quiet process")
        assert [process.identity for process in processes] == names[:1]

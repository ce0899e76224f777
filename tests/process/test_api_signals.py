"""The data API against live worker processes: they are seen, told what to do, and missed when they are gone.

A process beats every 10 seconds and fetches one signal a beat, so these tests take some beats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from worker_process import Ledger, Run, wait_until

from pillion._version import __version__
from pillion.api.fleet import Fleet
from pillion.api.processes import Process, ProcessSet
from pillion.api.work import Work, WorkSet
from pillion.config import Config

Start = Callable[..., Run]
Push = Callable[..., str]


@pytest.fixture
def fleet(redis_url: str) -> Iterator[Fleet]:
    opened = Fleet(Config(redis=redis_url))
    yield opened
    opened.close()


@pytest.fixture
def processes(fleet: Fleet) -> ProcessSet:
    return ProcessSet(fleet=fleet)


def only(processes: ProcessSet) -> Process:
    """The one process that has beaten, as soon as it has."""
    found: list[Process] = wait_until(lambda: list(processes), "a process in the list")
    (process,) = found
    return process


def test_a_worker_is_seen_with_what_it_serves(pillion_run: Start, processes: ProcessSet) -> None:
    run = pillion_run("-c", "3", "-q", "high,2", "-q", "low,1", "-g", "shop").wait_ready()
    process = only(processes)
    assert [process.identity] == run.identities
    assert (process.pid, process.tag, process.version) == (run.workers[-1], "shop", __version__)
    assert (process.concurrency, process.queues, process.weights) == (3, ["high", "low"], [{"high": 2, "low": 1}])
    assert not process.is_quiet
    assert not process.is_embedded
    assert process.rss_kib is not None
    assert process.rss_kib > 1000
    assert process.started_at is not None
    assert process.beat_at is not None
    assert process.started_at <= process.beat_at
    assert (processes.size(), processes.total_concurrency()) == (1, 3)
    assert processes.get(process.identity) is not None


def test_a_running_job_is_seen(pillion_run: Start, push: Push, ledger: Ledger, fleet: Fleet) -> None:
    run = pillion_run().wait_ready()
    jid = push("Hold", "a")
    ledger.wait_for("start a")
    works = WorkSet(fleet=fleet)
    work: Work = wait_until(lambda: works.find_work(jid), "the job among those that run")
    assert (work.process_id, work.queue) == (run.identities[0], "default")
    assert (work.job.job_class, work.job.args, work.job.jid) == ("app.Hold", ["a"], jid)
    assert works.size() == 1
    ledger.open("a")
    wait_until(lambda: works.size() == 0, "its end")
    assert works.find_work(jid) is None


def test_a_worker_told_to_be_quiet_takes_no_more_and_stays(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis, processes: ProcessSet
) -> None:
    run = pillion_run().wait_ready()
    only(processes).quiet()
    run.wait_log("Quiet (TSTP)")
    wait_until(lambda: only(processes).is_quiet, "a quiet process")
    push("Note", "too late")
    only(processes).dump()  # by the time it has done that, it would have run the job
    run.wait_log("MainThread")
    assert raw.llen("queue:default") == 1
    assert ledger.lines == []


def test_a_worker_told_to_stop_ends_and_is_gone(pillion_run: Start, processes: ProcessSet) -> None:
    run = pillion_run().wait_ready()
    process = only(processes)
    process.stop()
    run.wait_log("Stopping (TERM)")
    wait_until(lambda: process.identity not in [one.identity for one in processes], "its end")
    assert processes.get(process.identity) is None


def test_a_killed_worker_is_gone_as_soon_as_its_record_is(
    pillion_run: Start, raw: redis.Redis, processes: ProcessSet
) -> None:
    run = pillion_run().wait_ready()
    process = only(processes)
    run.signal("KILL")
    run.signal("KILL", process.pid)
    run.wait_gone()
    assert processes.get(process.identity) is not None, "nobody can know yet"
    assert 0 < raw.ttl(process.identity) <= 60
    raw.expire(process.identity, 0)  # the minute passes
    raw.delete("process_cleanup")
    assert list(processes) == []
    assert processes.size() == 0

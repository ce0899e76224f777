"""Two promises about time. The figures are printed; what is asserted does not hang on the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from worker_process import Ledger, Run, wait_until

from pillion.client import Client
from pillion.config import Config
from pillion.storage.sync import Storage

pytestmark = pytest.mark.drill
Start = Callable[..., Run]
Push = Callable[..., str]
Queue = Callable[..., list[bytes]]

GENEROUS_S = 20.0

APP = """+
class Brief(Job):
    def perform(self, number):
        late_ms = time.time() * 1000 - self.__payload__["enqueued_at"]
        note("ran", number, os.getpid(), time.time(), late_ms)
"""


def test_a_stop_does_not_wait_for_a_long_job_and_gives_it_back(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue, raw: redis.Redis
) -> None:
    push("Sleep", "long", 60)
    push("Note", "the next one")
    payloads = queue()
    run = pillion_run("-t", "5", "-c", "1")
    ledger.wait_for("start long")
    began = time.monotonic()
    assert run.stop() == 0
    took_s = time.monotonic() - began
    print(f"\nTERM, with a job of 60 s and a timeout of 5 s: gone after {took_s:.1f} s")
    assert queue() == payloads
    assert raw.zcard("retry") == 0
    assert ledger.lines == ["start long"]
    assert took_s < GENEROUS_S


# -- a busy process keeps no job from an idle one -------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """One line of a Brief job. `began` is in epoch seconds, `late_ms` counts from its push."""

    number: int
    pid: int
    began: float
    late_ms: float


def wait_for_brief(ledger: Ledger, count: int) -> list[Ran]:
    """Wait until so many Brief jobs have run; what they wrote."""

    def ran() -> list[list[str]]:
        return [line.split() for line in ledger.lines if line.startswith("ran ")]

    wait_until(lambda: len(ran()) == count, f"{count} brief jobs", lambda: "\n".join(ledger.lines))
    return [Ran(int(number), int(pid), float(began), float(late_ms)) for _, number, pid, began, late_ms in ran()]


def test_no_job_waits_for_a_process_whose_threads_are_all_busy(
    pillion_run: Start, push: Push, ledger: Ledger, storage: Storage
) -> None:
    names = [f"slow-{number}" for number in range(5)]
    slow = pillion_run("-c", "5", app=APP).wait_ready()
    for name in names:
        push("Hold", name)
        ledger.wait_for(f"start {name}")
    idle = pillion_run("-c", "5", app=APP).wait_ready()
    for number in range(100):
        push("Brief", number)
        wait_for_brief(ledger, number + 1)
    Client(storage, Config()).push_bulk({"class": "app.Brief", "args": [[number] for number in range(100, 600)]})
    jobs = wait_for_brief(ledger, 600)
    assert {job.pid for job in jobs} == set(idle.workers)
    assert not any(ledger.count(f"end {name}") for name in names)  # all that time the other was busy
    late = sorted(job.late_ms for job in jobs if job.number < 100)
    print(f"\nbeside a busy process: push to start, median {late[50]:.1f} ms, worst of 100 {late[-1]:.1f} ms")
    ledger.open(*names)
    assert [slow.stop(), idle.stop()] == [0, 0]


def test_what_was_fetched_ahead_of_a_long_job_goes_to_an_idle_process(
    pillion_run: Start, ledger: Ledger, storage: Storage, tmp_path: Path
) -> None:
    runs = [pillion_run("-c", "1", app=APP).wait_ready() for _ in range(2)]
    quick = [{"class": "app.Brief", "args": [number]} for number in range(400)]
    Client(storage, Config()).push_many([*quick[:300], {"class": "app.Hold", "args": ["slow"]}, *quick[300:]])
    jobs = wait_for_brief(ledger, 400)
    assert ledger.count("end slow") == 0
    long_job_began = (tmp_path / "pid-slow").stat().st_mtime
    after = [job.began - long_job_began for job in jobs if job.number >= 300]
    print(f"\nbehind a long job: the last of 100 began {max(after) * 1000:.0f} ms after it")
    assert {job.pid for job in jobs if job.began > long_job_began} == {run.workers[0] for run in runs} - {
        ledger.pid_of("slow")
    }
    ledger.open("slow")
    assert [run.stop() for run in runs] == [0, 0]

"""Async jobs in real worker processes: killed, stopped, quieted, asked what they do."""

from __future__ import annotations

import json
from collections.abc import Callable

import redis
from worker_process import Ledger, Run, wait_until

Start = Callable[..., Run]
Push = Callable[..., "str | None"]
Queue = Callable[..., list[bytes]]

APP = '''+
import asyncio

class Wait(Job):
    """Waits on the event loop until the test opens the gate of that name."""
    async def perform(self, name, number=0):
        note("start", name, number)
        try:
            while not is_open(name):
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            note("cancelled", name, number)
            raise
        note("end", name, number)

class Stubborn(Job):
    async def perform(self):
        note("start stubborn")
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                note("no")

class Careless(Job):
    """Blocks the event loop until the test opens the gate of that name."""
    async def perform(self, name):
        sign(name)
        while not is_open(name):
            time.sleep(0.3)

class Late(Job, timeout_s=0.1):
    async def perform(self):
        note("start late")
        await asyncio.sleep(3600)

class Child(Job):
    async def perform(self):
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 7")
        note("child", await process.wait())

class Threads(Job):
    async def perform(self):
        import threading
        note("threads", sum(thread.name.startswith("pillion.default.processor") for thread in threading.enumerate()))
'''


def started(ledger: Ledger, name: str = "a") -> int:
    return sum(line.startswith(f"start {name} ") for line in ledger.lines)


def dump_until(run: Run, *texts: str) -> None:
    """Send TTIN until one dump shows all of these: at some moments a job is on its way from one place to the next."""

    def shows() -> bool:
        seen = run.log.count("MainThread")
        before = len(run.log)
        run.signal("TTIN")
        run.wait_log("MainThread", seen + 1)
        run.signal("TTIN")  # its first line comes after the last one of the dump before
        run.wait_log("MainThread", seen + 2)
        return all(text in run.log[before:] for text in texts)

    wait_until(shows, f"a dump with {texts}", lambda: run.log)


def push_many(push: Push, count: int, name: str = "a") -> set[str]:
    return {str(push("Wait", name, number)) for number in range(count)}


def test_kill_9_with_a_hundred_async_jobs_in_flight_loses_none(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-c", "100", app=APP).wait_ready()
    push_many(push, 100)
    wait_until(lambda: started(ledger) == 100, "100 async jobs at a time", lambda: run.log)
    ledger.open("a")  # for those that run again
    run.signal("KILL", run.workers[0])
    run.wait_ready(2)
    wait_until(lambda: not raw.exists("queue:default") and raw.zcard("dead") == 0, "an empty queue")
    wait_until(
        lambda: {line for line in ledger.lines if line.startswith("end a ")} == {f"end a {n}" for n in range(100)},
        "each job done",
        lambda: "\n".join(ledger.lines),
    )
    assert run.stop() == 0
    assert raw.keys("*inflight*") == []


def test_a_stop_lets_async_jobs_end(pillion_run: Start, push: Push, ledger: Ledger, queue: Queue) -> None:
    run = pillion_run("-c", "50", app=APP).wait_ready()
    push_many(push, 50)
    wait_until(lambda: started(ledger) == 50, "50 async jobs at a time", lambda: run.log)
    run.signal("TERM")
    run.wait_log("Stopping (TERM): running jobs")
    push("Note", "too late")
    ledger.open("a")
    assert run.wait() == 0
    assert sum(line.startswith("end a ") for line in ledger.lines) == 50
    assert len(queue()) == 1


def test_at_the_deadline_async_jobs_are_cancelled_and_handed_back(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue, raw: redis.Redis
) -> None:
    run = pillion_run("-c", "100", "-t", "0.2", app=APP).wait_ready()
    jids = push_many(push, 100)
    wait_until(lambda: started(ledger) == 100, "100 async jobs at a time", lambda: run.log)
    assert run.stop() == 0
    assert {json.loads(job)["jid"] for job in queue()} == jids
    assert any(line.startswith("cancelled a ") for line in ledger.lines)
    assert not any(line.startswith("end a ") for line in ledger.lines)
    assert not raw.exists("retry", "dead", "stat:failed", "stat:processed")


def test_a_job_that_swallows_its_cancellation_does_not_keep_the_process(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue
) -> None:
    run = pillion_run("-t", "0.2", app=APP).wait_ready()
    push("Stubborn")
    ledger.wait_for("start stubborn")
    assert run.stop() == 0
    ledger.wait_for("no")
    assert len(queue()) == 1


def test_a_job_that_blocks_the_loop_does_not_keep_the_process(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue
) -> None:
    run = pillion_run("-t", "0.2", app=APP).wait_ready()
    push("Careless", "b")
    ledger.wait_for("start b")
    assert run.stop() == 0
    assert len(queue()) == 1


def test_a_quiet_process_ends_its_async_jobs_and_takes_no_other(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue
) -> None:
    run = pillion_run("-c", "10", app=APP).wait_ready()
    push_many(push, 10)
    wait_until(lambda: started(ledger) == 10, "10 async jobs at a time", lambda: run.log)
    run.signal("TSTP")
    run.wait_log("Quiet (TSTP)")
    push("Note", "for others")
    ledger.open("a")
    wait_until(lambda: sum(line.startswith("end a ") for line in ledger.lines) == 10, "all ten ended")
    assert ledger.count("for others") == 0
    assert len(queue()) == 1


def test_the_dump_shows_what_async_jobs_wait_for(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run("-c", "10", app=APP).wait_ready()
    push_many(push, 3)
    wait_until(lambda: started(ledger) == 3, "three async jobs")
    dump_until(run, "3 tasks app.Wait: ", "await asyncio.sleep(0.01)", "pillion.loop")
    ledger.open("a")


def test_the_dump_works_while_a_job_blocks_the_loop(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run(app=APP).wait_ready()
    push("Careless", "b")
    ledger.wait_for("start b")
    dump_until(run, "time.sleep(0.3)")
    ledger.open("b")


def test_a_job_that_blocks_the_loop_is_reported(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run(app=APP).wait_ready()
    push("Careless", "b")
    run.wait_log("The event loop has stood still for more than 100 ms in app.Careless.")
    ledger.open("b")
    push("Careless", "b")
    push("Note", "over")
    ledger.wait_for("over")
    assert run.log.count("has stood still") == 1
    assert "in perform" in run.log


def test_a_job_over_its_time_limit_is_retried(pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis) -> None:
    run = pillion_run(app=APP).wait_ready()
    push("Late")
    wait_until(lambda: raw.zcard("retry") == 1, "a retry", lambda: run.log)
    job = json.loads(raw.zrange("retry", 0, 0)[0])  # type: ignore[index]
    assert (job["error_class"], "timeout_s" in job["error_message"]) == ("TimeoutError", True)


def test_jobs_of_both_kinds_run_side_by_side(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run("-c", "20", app=APP).wait_ready()
    push_many(push, 15)
    for number in range(5):
        push("Hold", f"h{number}")
    wait_until(lambda: started(ledger) == 15, "15 async jobs", lambda: run.log)
    for number in range(5):
        ledger.wait_for(f"start h{number}")
    ledger.open("a", *(f"h{number}" for number in range(5)))
    assert run.stop() == 0
    assert sum(line.startswith("end ") for line in ledger.lines) == 20


def test_a_process_of_async_jobs_has_one_thread_to_take_them(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run("-c", "200", app=APP).wait_ready()
    push_many(push, 150)
    wait_until(lambda: started(ledger) == 150, "150 async jobs at a time", lambda: run.log)
    push("Threads")
    ledger.wait_for("threads 1")
    ledger.open("a")


def test_an_async_job_may_start_processes(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    pillion_run(app=APP).wait_ready()
    push("Child")
    ledger.wait_for("child 7")


def test_the_option_for_the_event_loop_is_obeyed(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    app = (
        APP
        + """
class Kind(Job):
    async def perform(self):
        note("loop", type(asyncio.get_running_loop()).__module__.split(".")[0])
"""
    )
    pillion_run(app=app, environ={"PILLION_EVENT_LOOP": "asyncio"}).wait_ready()
    push("Kind")
    ledger.wait_for("loop asyncio")


def test_async_jobs_are_busy_for_the_dashboards(
    pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis
) -> None:
    run = pillion_run("-c", "10", app=APP).wait_ready()
    push_many(push, 10)
    wait_until(lambda: started(ledger) == 10, "10 async jobs at a time", lambda: run.log)
    run.signal("TSTP")  # makes it beat now
    [identity] = run.identities
    wait_until(lambda: raw.hget(identity, "busy") == b"10", "busy 10", lambda: str(raw.hgetall(identity)))
    assert raw.hlen(f"{identity}:work") == 10
    ledger.open("a")

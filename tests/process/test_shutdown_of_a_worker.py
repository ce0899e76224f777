"""What a stop leaves behind: nothing running, nothing lost, nothing twice (behaviour 6.3, F052)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from worker_process import Ledger, Run

Start = Callable[..., Run]
Push = Callable[..., str]
Queue = Callable[..., list[bytes]]

OWN_RECORDS = (b"pl:owners", b"processes")


def held_keys(raw: redis.Redis) -> list[Any]:
    """Keys that say that a job is in somebody's hands."""
    return [*raw.scan_iter("{queue:*}:*")]


@pytest.mark.parametrize("job", [("Hold", "a"), ("Sleep", "a", 600)], ids=["python", "c-call"])
def test_a_job_that_outlasts_the_timeout_is_handed_back_unchanged(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue, raw: redis.Redis, job: tuple[Any, ...]
) -> None:
    push(*job)
    [payload] = queue()
    run = pillion_run("-t", "1", "-c", "1").wait_ready()
    ledger.wait_for("start a")
    assert run.stop() == 0
    assert queue() == [payload]
    assert raw.zcard("retry") == 0
    assert ledger.lines == ["start a"]


def test_what_is_handed_back_is_the_next_to_run(pillion_run: Start, push: Push, ledger: Ledger, queue: Queue) -> None:
    first, second = push("Hold", "a"), push("Note", "b")
    run = pillion_run("-t", "1", "-c", "1").wait_ready()
    ledger.wait_for("start a")
    assert run.stop() == 0
    assert [json.loads(payload)["jid"] for payload in queue()] == [first, second]


def test_another_process_runs_what_was_handed_back(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    push("Hold", "a")
    run = pillion_run("-t", "1").wait_ready()
    ledger.wait_for("start a")
    assert run.stop() == 0
    ledger.open("a")
    pillion_run().wait_ready()
    ledger.wait_for("end a")
    assert ledger.lines == ["start a", "start a", "end a"]


def test_a_job_that_never_lets_go_of_the_interpreter_is_killed_and_handed_back(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue, raw: redis.Redis
) -> None:
    push("Grip", "a")
    [payload] = queue()
    run = pillion_run("-t", "1").wait_ready()
    ledger.wait_for("start a")
    assert run.stop() == 0
    assert queue() == [payload]
    assert raw.zcard("retry") == 0
    assert held_keys(raw) == []


def test_an_interrupted_job_can_clean_up(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    app = """+
class Tidy(Job):
    def perform(self):
        note("start")
        try:
            wait_at("never")
        except Exception:
            note("swallowed")
        finally:
            note("cleaned up")
"""
    push("Tidy")
    run = pillion_run("-t", "1", app=app).wait_ready()
    ledger.wait_for("start")
    assert run.stop() == 0
    assert ledger.lines == ["start", "cleaned up"]


def test_a_job_can_see_the_stop_and_end_early(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    app = """+
class Watchful(Job):
    def perform(self):
        note("start")
        while not self.interrupted:
            time.sleep(0.01)
        note("ended early")
"""
    push("Watchful")
    run = pillion_run(app=app).wait_ready()
    ledger.wait_for("start")
    assert run.stop() == 0
    assert ledger.lines == ["start", "ended early"]


def test_a_clean_stop_leaves_no_record(pillion_run: Start, push: Push, ledger: Ledger, raw: redis.Redis) -> None:
    run = pillion_run("-p", "2").wait_ready(times=2)
    push("Note", "done")
    ledger.wait_for("done")
    assert run.stop() == 0
    assert [raw.exists(key) for key in OWN_RECORDS] == [0, 0]
    assert [*raw.scan_iter("pl:alive:*")] == []
    assert held_keys(raw) == []


def test_the_lifecycle_hooks_in_their_order(pillion_run: Start, ledger: Ledger) -> None:
    app = """+
import pillion
@pillion.configure_server
def hooks(config):
    for event in ("startup", "heartbeat", "quiet", "shutdown", "exit"):
        config.on(event, lambda event=event: note(event))
"""
    run = pillion_run(app=app).wait_ready()
    ledger.wait_for("heartbeat")
    assert run.stop() == 0
    assert ledger.lines == ["startup", "heartbeat", "quiet", "shutdown", "exit"]


def test_exit_handlers_of_the_app_run(pillion_run: Start, ledger: Ledger) -> None:
    run = pillion_run(app="+import atexit; atexit.register(note, 'atexit of', os.getpid())").wait_ready()
    [worker] = run.workers
    assert run.stop() == 0
    assert ledger.lines == [f"atexit of {worker}"]


def test_a_thread_of_the_app_cannot_keep_the_process_alive(pillion_run: Start) -> None:
    run = pillion_run(app="+import threading; threading.Thread(target=time.sleep, args=(600,)).start()").wait_ready()
    assert run.stop() == 0
    assert run.processes == []

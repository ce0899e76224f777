"""Signals against live processes: quiet, thread dump, stop, from the kernel and through Redis (behaviour 10)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis
from worker_process import Ledger, Run, wait_until

Start = Callable[..., Run]
Push = Callable[..., str]
Queue = Callable[..., list[bytes]]


def send_through_redis(raw: redis.Redis, identity: str, name: str) -> None:
    """What the button in a dashboard does (wire-format 7.6)."""
    raw.lpush(f"{identity}-signals", name)
    raw.expire(f"{identity}-signals", 60)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
def test_an_idle_worker_told_to_stop_exits_with_0(pillion_run: Start, name: str) -> None:
    run = pillion_run().wait_ready()
    run.signal(name)
    assert run.wait() == 0
    assert run.processes == []


def test_a_running_job_may_finish(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("TERM")
    run.wait_log("Stopping (TERM): running jobs")
    ledger.open("a")
    assert run.wait() == 0
    assert ledger.lines == ["start a", "end a"]


def test_ctrl_c_in_a_terminal_lets_a_running_job_finish(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.ctrl_c()
    run.wait_log("Stopping (TERM): running jobs")
    ledger.open("a")
    assert run.wait() == 0
    assert ledger.lines == ["start a", "end a"]


def test_a_second_ctrl_c_does_not_wait_for_the_job(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue
) -> None:
    run = pillion_run("-t", "1000").wait_ready()
    jid = push("Hold", "a")
    ledger.wait_for("start a")
    run.ctrl_c()
    run.wait_log("Stopping (TERM): running jobs")
    run.ctrl_c()
    assert run.wait() == 0
    assert [json.loads(payload)["jid"] for payload in queue()] == [jid]


def test_quiet_lets_running_jobs_end_and_takes_no_more(
    pillion_run: Start, push: Push, ledger: Ledger, queue: Queue
) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("TSTP")
    run.wait_log("Quiet (TSTP)")
    left = push("Note", "too late")
    ledger.open("a")
    ledger.wait_for("end a")
    assert run.stop() == 0
    assert [json.loads(payload)["jid"] for payload in queue()] == [left]
    assert "too late" not in ledger.lines


def test_a_second_quiet_is_harmless(pillion_run: Start) -> None:
    run = pillion_run().wait_ready()
    run.signal("TSTP")
    run.wait_log("Quiet (TSTP)")
    run.signal("TSTP")
    run.wait_log("Quiet (TSTP)", times=2)
    assert run.stop() == 0
    assert "Traceback" not in run.log


def test_quiet_while_the_app_is_still_loading_is_not_forgotten(pillion_run: Start, ledger: Ledger) -> None:
    run = pillion_run(app="+note('loading'); wait_at('import')")
    ledger.wait_for("loading")
    run.signal("TSTP")
    ledger.open("import")
    run.wait_log("Quiet (TSTP)")


def test_a_stop_while_the_app_is_still_loading_does_not_wait_for_it(pillion_run: Start, ledger: Ledger) -> None:
    run = pillion_run(app="+note('loading'); wait_at('never')")
    ledger.wait_for("loading")
    assert run.stop() == 0
    assert run.processes == []


def test_the_thread_dump_shows_what_each_job_is_doing(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    # It may still be on its way from saying so to where it waits.
    wait_until(lambda: run.signal("TTIN") or "wait_at(name)" in run.log, "a dump with its place", lambda: run.log)
    assert "MainThread" in run.log
    assert "pillion.default.processor-1" in run.log


def test_the_thread_dump_works_while_a_shutdown_waits(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("TERM")
    run.wait_log("Stopping (TERM): running jobs")
    worker = run.workers[0]
    wait_until(lambda: run.signal("TTIN", worker) or "wait_at(name)" in run.log, "a dump with its place")
    ledger.open("a")
    assert run.wait() == 0


def test_a_handler_of_the_app_is_called_as_well(pillion_run: Start, ledger: Ledger) -> None:
    app = "+signal.signal(signal.SIGTERM, lambda number, frame: note('app saw', number))"
    run = pillion_run(app=app).wait_ready()
    assert run.stop() == 0
    assert ledger.lines == [f"app saw {15}"]


def test_usr2_does_no_harm(pillion_run: Start) -> None:
    run = pillion_run().wait_ready()
    run.signal("USR2")
    run.wait_log("Signal USR2 means nothing here")
    assert run.stop() == 0


def test_both_processes_of_a_supervisor_are_told(pillion_run: Start) -> None:
    run = pillion_run("-p", "2").wait_ready(times=2)
    run.signal("TSTP")
    run.wait_log("Quiet (TSTP)", times=2)
    assert run.stop() == 0


# -- through Redis -----------------------------------------------------------------------------------


def test_quiet_from_a_dashboard(pillion_run: Start, raw: redis.Redis) -> None:
    run = pillion_run().wait_ready()
    send_through_redis(raw, run.identities[0], "TSTP")
    run.wait_log("Quiet (TSTP)")
    wait_until(lambda: raw.hget(run.identities[0], "quiet") == b"true", "the quiet mark in the process record")


def test_a_stop_from_a_dashboard_ends_the_worker_for_good(pillion_run: Start, raw: redis.Redis) -> None:
    run = pillion_run().wait_ready()
    send_through_redis(raw, run.identities[0], "TERM")
    assert run.wait() == 0
    assert len(run.identities) == 1


def test_a_stop_from_a_dashboard_leaves_the_other_worker_alone(
    pillion_run: Start, raw: redis.Redis, push: Push, ledger: Ledger
) -> None:
    run = pillion_run("-p", "2").wait_ready(times=2)
    send_through_redis(raw, run.identities[0], "TERM")
    run.wait_log("has stopped, exit code 0")
    push("Note", "still here")
    ledger.wait_for("still here")
    assert len(run.workers) == 1
    assert run.stop() == 0

"""Workers of their own for each queue under one supervisor (F056)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from worker_process import Ledger, Run, wait_until

Start = Callable[..., Run]
Push = Callable[..., str]

THREE = ["critical", "critical", "default"]


@pytest.fixture
def queues_of(raw: redis.Redis) -> Callable[[], dict[int, list[str]]]:
    """Process id of each process on the list -> the queues in its record."""

    def look() -> dict[int, list[str]]:
        infos = [raw.hget(name, "info") for name in raw.smembers("processes")]  # type: ignore[union-attr]
        records = [json.loads(info) for info in infos if info]  # type: ignore[arg-type]
        return {record["pid"]: record["queues"] for record in records}

    return look


@pytest.fixture
def three(pillion_run: Start, queues_of: Callable[[], dict[int, list[str]]], tmp_path: Path) -> Run:
    """Two workers for critical and one for default, all with their record in Redis."""
    (tmp_path / "pillion.toml").write_text("[processes]\ncritical = 2\ndefault = 1\n")
    run = pillion_run().wait_ready(times=3)
    wait_until(lambda: set(queues_of()) == set(run.workers), "the records of all", lambda: run.log)
    return run


def test_each_queue_gets_its_number_of_workers(three: Run, queues_of: Callable[[], dict[int, list[str]]]) -> None:
    assert sorted(queues_of().values()) == [[name] for name in THREE]


def test_a_job_runs_in_a_worker_of_its_queue(
    three: Run, queues_of: Callable[[], dict[int, list[str]]], push: Push, ledger: Ledger
) -> None:
    for queue in ("critical", "default"):
        push("Hold", queue, queue=queue)
        ledger.wait_for(f"start {queue}")
        assert queues_of()[ledger.pid_of(queue)] == [queue]
        ledger.open(queue)
        ledger.wait_for(f"end {queue}")


def test_a_queue_full_of_work_leaves_the_workers_of_another_free(three: Run, push: Push, ledger: Ledger) -> None:
    for number in range(20):  # its only worker has five threads
        push("Hold", f"slow-{number}", queue="default")
    ledger.wait_for("start slow-4")
    push("Note", "at once", queue="critical")
    ledger.wait_for("at once")
    assert len(three.workers) == 3
    assert ledger.count("end slow-0") == 0


def test_a_killed_worker_is_replaced_by_one_of_the_same_queue_which_runs_its_job(
    three: Run, queues_of: Callable[[], dict[int, list[str]]], push: Push, ledger: Ledger
) -> None:
    push("Hold", "a", queue="critical")
    ledger.wait_for("start a")
    killed = ledger.pid_of("a")
    three.signal("KILL", killed)
    ledger.wait_for("start a", times=2)
    three.wait_ready(times=4)
    wait_until(lambda: killed not in queues_of() and len(queues_of()) == 3, "the record of the new one")
    assert sorted(queues_of().values()) == [[name] for name in THREE]
    assert queues_of()[ledger.pid_of("a")] == ["critical"]
    ledger.open("a")
    ledger.wait_for("end a")


def test_term_ends_them_all(three: Run, raw: redis.Redis) -> None:
    assert three.stop() == 0
    assert three.processes == []
    assert raw.smembers("processes") == set()
    assert raw.hlen("pl:owners") == 0


def test_one_worker_may_serve_several_queues_in_the_order_given(
    pillion_run: Start, queues_of: Callable[[], dict[int, list[str]]], push: Push, ledger: Ledger
) -> None:
    push("Note", "second", queue="first_by_name")
    push("Note", "first", queue="later_by_name")
    run = pillion_run("-p", "later_by_name,first_by_name=1", "-c", "1").wait_ready()
    ledger.wait_for("second")
    assert ledger.lines == ["first", "second"]
    wait_until(lambda: list(queues_of().values()) == [["later_by_name", "first_by_name"]], "its record")
    assert run.stop() == 0


def test_what_the_app_says_about_queues_does_not_count_for_such_a_worker(
    pillion_run: Start, push: Push, ledger: Ledger
) -> None:
    app = """+
import pillion
@pillion.configure_server
def other_queues(config):
    config.queues = ["elsewhere"]
"""
    pillion_run("-p", "critical=1", app=app).wait_ready()
    push("Note", "here", queue="critical")
    ledger.wait_for("here")


def test_further_capsules_stop_the_start_with_the_reason(pillion_run: Start, tmp_path: Path) -> None:
    (tmp_path / "pillion.toml").write_text("[processes]\ncritical = 2\n[capsules.mail]\nqueues = ['mailers']\n")
    run = pillion_run()
    assert run.wait() == 1
    assert run.log.count("expected no further capsules where each queue has its number, got ['mail']") == 1


def test_max_retries_of_the_command_line_counts(pillion_run: Start, push: Push, raw: redis.Redis) -> None:
    app = """+
class Fail(Job):
    def perform(self): raise ValueError("always")
"""
    run = pillion_run("--max-retries", "0", app=app).wait_ready()
    push("Fail")
    wait_until(lambda: raw.zcard("dead") + raw.zcard("retry"), "its failure", lambda: run.log)  # type: ignore[operator]
    assert (raw.zcard("dead"), raw.zcard("retry")) == (1, 0)

"""Starting: what is said when it works, and when it does not (behaviour 11, F047, F070)."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from redis_process import RedisProcess
from worker_process import Ledger, Run

Start = Callable[..., Run]
Push = Callable[..., str]


def failure_of(run: Run) -> str:
    """The log of a start that failed."""
    assert run.wait() == 1, run.log
    assert run.processes == []
    return run.log


def test_the_first_lines_tell_version_redis_and_queues(pillion_run: Start, redis_url: str) -> None:
    run = pillion_run("-q", "high,3", "-q", "low,1", "-c", "7", "-e", "staging").wait_ready()
    assert "Pillion 0.1.0" in run.log
    assert redis_url.removeprefix("unix://") in run.log
    assert "7 jobs at a time from high,3, low,1 (weighted)" in run.log
    assert "in staging" in run.log


def test_a_file_can_be_named_instead_of_a_module(pillion_run: Start, push: Push, ledger: Ledger) -> None:
    pillion_run(target="./app.py").wait_ready()
    push("Note", "from a file")
    ledger.wait_for("from a file")


def test_an_unknown_module(pillion_run: Start) -> None:
    log = failure_of(pillion_run(target="shop.jobs"))
    assert "There is no module 'shop'" in log


def test_a_failing_app_is_shown_once_however_many_processes_there_are(pillion_run: Start) -> None:
    log = failure_of(pillion_run("-p", "3", app="+raise ValueError('no ferry today')"))
    assert log.count("ValueError: no ferry today") == 1


def test_an_app_without_jobs(pillion_run: Start) -> None:
    assert "No job is defined" in failure_of(pillion_run(app="nothing = True"))


def test_an_app_that_kills_the_process_while_it_is_imported(pillion_run: Start) -> None:
    assert "signal SIGKILL" in failure_of(pillion_run(app="+os.kill(os.getpid(), signal.SIGKILL)"))


@pytest.mark.parametrize(("act", "name"), [("1 / 0", "ZeroDivisionError"), ("raise SystemExit(0)", "SystemExit: 0")])
def test_a_startup_hook_that_raises_keeps_the_process_from_taking_jobs(
    pillion_run: Start, push: Push, ledger: Ledger, act: str, name: str
) -> None:
    push("Note", "must not run")
    app = f"""+
import pillion
def fail():
    {act}
@pillion.configure_server
def hooks(config):
    config.on("startup", fail)
"""
    log = failure_of(pillion_run(app=app))
    assert name in log
    assert ledger.lines == []


def test_redis_that_is_not_there_is_named_with_host_and_port(pillion_run: Start) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused, and nobody else takes it
        port = nobody.getsockname()[1]
        log = failure_of(pillion_run(redis_url=f"redis://127.0.0.1:{port}/0"))
    assert f"127.0.0.1:{port}" in log
    assert "Traceback" not in log


def test_a_password_is_in_no_log_line(pillion_run: Start) -> None:
    log = failure_of(pillion_run("-v", redis_url="redis://user:sesame@127.0.0.1:1/0"))
    assert "sesame" not in log


def test_one_process_that_cannot_start_stops_the_others(pillion_run: Start) -> None:
    app = """+
try:
    os.close(os.open(os.environ["PILLION_TEST_FOLDER"] + "/only-one", os.O_CREAT | os.O_EXCL))
except FileExistsError:
    raise ValueError("second process")
"""
    assert "ValueError: second process" in failure_of(pillion_run("-p", "2", app=app))


def test_a_wrong_setting_is_said_before_anything_starts(pillion_run: Start) -> None:
    run = pillion_run("-c", "0")
    assert run.wait() != 0
    assert "concurrency" in run.log
    assert "Worker 1 started" not in run.log


def test_a_setting_that_the_apps_code_gets_wrong(pillion_run: Start) -> None:
    app = """+
import pillion
@pillion.configure_server
def wrong(config):
    config.timeout_s = -1
"""
    log = failure_of(pillion_run(app=app))
    assert "timeout_s: expected a number above 0, got -1" in log


def test_a_redis_that_may_throw_jobs_away_is_warned_about_once(pillion_run: Start, own_redis: RedisProcess) -> None:
    own_redis.config_set(maxmemory_policy="allkeys-lru")
    run = pillion_run("-p", "2", redis_url=own_redis.url).wait_ready(times=2)
    assert run.log.count("maxmemory-policy 'allkeys-lru'") == 1


def test_the_environment_of_a_job_is_its_own_process_not_the_supervisors(
    pillion_run: Start, push: Push, ledger: Ledger
) -> None:
    run = pillion_run().wait_ready()
    push("Hold", "a")
    ledger.wait_for("start a")
    assert ledger.pid_of("a") in run.workers
    assert ledger.pid_of("a") != run.pid
    ledger.open("a")


def test_jobs_on_queues_that_nobody_serves_here_are_pointed_out(pillion_run: Start) -> None:
    run = pillion_run(app="+class Urgent(Job, queue='high'):\n    def perform(self): ...").wait_ready()
    run.wait_log("this process does not serve them: high (app.Urgent)")

"""Jobs in child processes of real workers: kill -9, stops, crashes, what they push and log (F066)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from isolation_scene import kill, wait_gone
from worker_process import clean_environment, wait_until, write_app

from pillion.api.fleet import Fleet
from pillion.api.iterations import Iterations
from pillion.api.progress import Progress
from pillion.config import Config

APP = """+
from pillion import IterableJob, context
from pillion.iterable import sequence

class Far(Hold, execution="process"): pass
class Crash(Job, execution="process"):
    def perform(self): os.kill(os.getpid(), signal.SIGSEGV)
class Late(Job, execution="process", hard_timeout_s=0.5):
    def perform(self, name):
        if self.attempt: return note("again", name)
        sign(name)
        time.sleep(3600)
class Catch(Job, execution="process"):
    def perform(self):
        sign("catch")
        try:
            time.sleep(3600)
        except BaseException as exc:
            note("caught", type(exc).__name__)
            raise
class Push(Job, execution="process"):
    def perform(self):
        with context(user="ann"):
            note("pushed", Facts.perform_async())
class Facts(Job):
    def perform(self):
        from pillion import current_context
        note("facts", current_context())
class Talk(Job, execution="process"):
    def perform(self):
        self.logger.info("hello")
        print("printed")
class Elsewhere(Job):
    def perform(self): note("in", os.getpid())
class March(IterableJob, execution="process"):
    def build_enumerator(self, count, *, cursor): return sequence(range(count), cursor)
    def each_iteration(self, n, count):
        note("item", n)
        if n == 50:
            self.progress(n, count)
            sign("march")
            wait_at("march")
"""


def worker_of(run):
    return int(run.identities[-1].split(":")[1])


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.drill
def test_kill_9_of_the_worker_loses_nothing_and_leaves_nobody_behind(pillion_run, push, ledger, raw):
    run = pillion_run("--child-processes", "2", "-c", "2", app=APP).wait_ready()
    for name in ("a", "b"):
        push("Far", name)
    for name in ("a", "b"):
        ledger.wait_for(f"start {name}")
    children = [ledger.pid_of(name) for name in ("a", "b")]
    zygote = parent_of(children[0])
    kill(worker_of(run))
    wait_gone(*children, zygote)
    for name in ("a", "b"):
        ledger.wait_for(f"start {name}", times=2)
    ledger.open("a", "b")
    for name in ("a", "b"):
        ledger.wait_for(f"end {name}")
    assert run.stop() == 0
    run.wait_gone()
    assert (ledger.count("end a"), ledger.count("end b")) == (1, 1)
    assert raw.get("stat:processed") == b"2"


WAITS_AT_THE_START = """
from pillion import configure_server

@configure_server
def configure(config):
    config.on("child_start", lambda: (sign("setup"), wait_at("setup")))
"""

KILLS_THE_WORKER = """
from pillion.server.isolation.frames import Kind
from pillion.server.zygote.servant import Servant

said = Servant._say

def say(self, kind, body=b""):
    said(self, kind, body)
    if kind == Kind.{when} and not is_open("killed"):
        from ledger import FOLDER
        (FOLDER / "gate-killed").touch()
        zygote = os.getppid()
        with open(f"/proc/{{zygote}}/stat") as file:
            worker = int(file.read().rpartition(")")[2].split()[1])
        assert os.getsid(worker) == os.getsid(0), "this is not our worker"
        os.kill(worker, signal.SIGKILL)

Servant._say = say
class Near(Note, execution="process"): pass
"""


@pytest.mark.drill
def test_kill_9_of_the_worker_while_a_child_is_set_up(pillion_run, push, ledger):
    run = pillion_run(app=APP + WAITS_AT_THE_START).wait_ready()
    push("Far", "a")
    ledger.wait_for("start setup")
    child = ledger.pid_of("setup")
    zygote = parent_of(child)
    kill(worker_of(run))
    wait_gone(child, zygote)
    ledger.open("setup")
    ledger.wait_for("start a")
    ledger.open("a")
    ledger.wait_for("end a")
    assert run.stop() == 0
    assert ledger.count("end a") == 1


NEVER_LOADED = """
import sys
if "pillion.server.zygote.nursery" in sys.modules:
    sign("import")
    time.sleep(3600)
"""


@pytest.mark.drill
def test_kill_9_of_the_worker_while_its_zygote_loads_the_app(pillion_run, push, ledger):
    run = pillion_run(app=APP + NEVER_LOADED).wait_ready()
    push("Far", "a")
    ledger.wait_for("start import")
    zygote = ledger.pid_of("import")
    kill(worker_of(run))
    wait_gone(zygote)


@pytest.mark.drill
@pytest.mark.parametrize("when", ["BEGUN", "DONE"])
def test_kill_9_of_the_worker_by_its_own_child(pillion_run, push, ledger, raw, when):
    run = pillion_run(app=APP + KILLS_THE_WORKER.format(when=when)).wait_ready()
    push("Near", "ran")
    run.wait_log("died, signal SIGKILL")
    push("Near", "next")
    ledger.wait_for("next")
    ledger.wait_for("ran")
    wait_until(lambda: not raw.keys("*inflight*") and not raw.llen("queue:default"), "the end of all jobs")
    assert run.stop() == 0
    run.wait_gone()
    assert ledger.count("ran") <= 2
    assert ledger.count("next") == 1


@pytest.mark.drill
def test_kill_9_of_the_zygote_fails_the_jobs_and_the_next_ones_run(pillion_run, push, ledger, raw):
    run = pillion_run(app=APP).wait_ready()
    push("Far", "a")
    ledger.wait_for("start a")
    kill(parent_of(ledger.pid_of("a")))
    wait_until(lambda: raw.zcard("retry") == 1, "the retry")
    assert json.loads(raw.zrange("retry", 0, 0)[0])["error_class"] == "pillion.errors.ChildDied"
    push("Far", "b")
    ledger.wait_for("start b")
    ledger.open("b")
    ledger.wait_for("end b")
    assert run.stop() == 0
    run.wait_gone()


def test_a_job_that_exceeds_its_hard_timeout_is_retried_and_its_neighbours_end_well(pillion_run, push, ledger, raw):
    run = pillion_run("--child-processes", "2", app=APP).wait_ready()
    push("Far", "a")
    ledger.wait_for("start a")
    push("Late", "x")
    wait_until(lambda: raw.zcard("retry") == 1, "the retry")
    waiting = raw.zrange("retry", 0, 0)[0]
    job = json.loads(waiting)
    assert (job["error_class"], job["retry_count"]) == ("pillion.errors.HardTimeout", 0)
    assert "0.5 s" in job["error_message"]
    raw.zrem("retry", waiting)
    raw.lpush("queue:default", waiting)  # its time has come
    ledger.wait_for("again x")
    ledger.open("a")
    ledger.wait_for("end a")
    assert run.stop() == 0
    assert (raw.get("stat:processed"), raw.get("stat:failed")) == (b"3", b"1")


def test_a_job_that_crashes_its_process_follows_its_retry_rules_and_the_worker_lives(pillion_run, push, ledger, raw):
    run = pillion_run(app=APP).wait_ready()
    worker = worker_of(run)
    push("Crash", retry=0)
    wait_until(lambda: raw.zcard("dead") == 1, "the dead job")
    job = json.loads(raw.zrange("dead", 0, 0)[0])
    assert job["error_class"] == "pillion.errors.ChildDied"
    assert "signal SIGSEGV" in job["error_message"]
    push("Note", "next")
    ledger.wait_for("next")
    assert worker_of(run) == worker
    assert "in perform" in run.log  # faulthandler's stack
    assert run.stop() == 0


def test_at_the_deadline_the_job_is_handed_back_and_its_child_ends(pillion_run, push, ledger, queue, raw):
    run = pillion_run("-t", "0.5", app=APP).wait_ready()
    jid = push("Catch")
    ledger.wait_for("start catch")
    run.signal("TERM")
    assert run.wait() == 0
    run.wait_gone()
    assert [json.loads(each)["jid"] for each in queue()] == [jid]
    assert ledger.lines[-1] == "caught Shutdown"
    assert raw.get("stat:failed") in (None, b"0")


def test_a_worker_that_is_told_to_stop_lets_the_job_end(pillion_run, push, ledger):
    run = pillion_run(app=APP).wait_ready()
    push("Far", "a")
    ledger.wait_for("start a")
    run.signal("TERM")
    run.wait_log("Stopping (TERM)")
    ledger.open("a")
    assert run.wait() == 0
    run.wait_gone()
    assert ledger.lines[-1] == "end a"


@pytest.mark.parametrize("how", ["a terminal", "a service manager"])
def test_a_signal_to_all_processes_does_not_cut_a_job_off(pillion_run, push, ledger, how):
    run = pillion_run(app=APP).wait_ready()
    push("Far", "a")
    ledger.wait_for("start a")
    if how == "a terminal":
        run.ctrl_c()
    else:
        for pid in run.processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    run.wait_log("Stopping (")
    ledger.open("a")
    assert run.wait() == 0
    assert ledger.lines[-1] == "end a"


def test_a_job_in_a_child_pushes_jobs_with_its_context(pillion_run, push, ledger):
    run = pillion_run(app=APP).wait_ready()
    push("Push")
    ledger.wait_for("facts {'user': 'ann'}")
    assert run.stop() == 0


def test_the_log_has_the_lines_of_the_child_beside_those_of_the_worker(pillion_run, push, raw):
    run = pillion_run(app=APP).wait_ready()
    jid = push("Talk")
    run.wait_log("INFO: done")
    lines = [line for line in run.log.splitlines() if f"jid={jid}" in line]
    assert [line.rpartition(": ")[2] for line in lines] == ["start", "hello", "done"]
    worker, child, _ = (line.split("pid=")[1].split()[0] for line in lines)
    assert worker == str(worker_of(run))
    assert child != worker
    assert "printed" in run.log
    assert run.stop() == 0


def test_a_push_can_say_that_this_run_goes_to_a_child(pillion_run, push, ledger):
    run = pillion_run(app=APP).wait_ready()
    push("Elsewhere")
    ledger.wait_for(f"in {worker_of(run)}")
    push("Elsewhere", execution="process")
    wait_until(lambda: len(ledger.lines) == 2, "the second run")
    assert ledger.lines[1] != ledger.lines[0]
    assert run.stop() == 0


def test_an_iterable_job_in_a_child_stops_between_two_items_and_goes_on_there(pillion_run, push, ledger, raw):
    run = pillion_run(app=APP).wait_ready()
    jid = push("March", 100)
    ledger.wait_for("start march")
    run.signal("TERM")
    run.wait_log("Stopping (TERM)")
    ledger.open("march")
    assert run.wait() == 0
    again = pillion_run(app=None).wait_ready()
    ledger.wait_for("item 99")
    wait_until(lambda: not raw.exists(f"it-{jid}"), "the end of the job")
    assert again.stop() == 0
    items = [int(line.split()[1]) for line in ledger.lines if line.startswith("item")]
    assert items in ([*range(100)], [*range(51), 50, *range(51, 100)])


def test_progress_and_cancellation_reach_through_to_a_child(pillion_run, push, ledger, redis_url):
    run = pillion_run(app=APP).wait_ready()
    jid = push("March", 100)
    ledger.wait_for("start march")
    fleet = Fleet(Config(redis=redis_url))
    assert wait_until(lambda: Progress(fleet=fleet).get(jid), "the progress") == 50.0
    Iterations(fleet=fleet).cancel(jid)
    ledger.open("march")
    run.wait_log("INFO: done")
    fleet.close()
    assert run.stop() == 0
    assert ledger.count("item 99") == 0


def test_a_worker_without_such_jobs_has_no_child(pillion_run, push, ledger):
    run = pillion_run(app=APP).wait_ready()
    push("Note", "a")
    ledger.wait_for("a")
    assert run.workers == [worker_of(run)]
    assert run.stop() == 0


def test_two_children_compute_at_the_same_time(pillion_run, push, ledger):
    run = pillion_run("--child-processes", "2", "-c", "2", app=APP).wait_ready()
    for name in ("a", "b"):
        push("Far", name)
    for name in ("a", "b"):
        ledger.wait_for(f"start {name}")
    assert ledger.pid_of("a") != ledger.pid_of("b")
    ledger.open("a", "b")
    for name in ("a", "b"):
        ledger.wait_for(f"end {name}")
    assert run.stop() == 0


HOST = """
import os, time
import app
from pillion import EmbeddedWorker
from ledger import note, FOLDER

note("host", os.getpid())
with EmbeddedWorker(timeout_s=5):
    app.Inside.perform_async()
    while "child" not in (FOLDER / "ledger.txt").read_text():
        time.sleep(0.01)
"""


def test_a_worker_inside_another_program_has_children_too(tmp_path, redis_url, ledger):
    write_app(tmp_path, "+class Inside(Job, execution='process'):\n    def perform(self): note('child', os.getpid())\n")
    (tmp_path / "host.py").write_text(HOST)
    environ = clean_environment(tmp_path) | {"REDIS_URL": redis_url}
    done = subprocess.run([sys.executable, "host.py"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    host, child = (int(line.split()[1]) for line in ledger.lines)
    assert host != child
    wait_gone(child)

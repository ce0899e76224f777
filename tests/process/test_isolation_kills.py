"""Children that are killed, at each step, and by whom: what becomes of the job and of its neighbours (F066)."""

from __future__ import annotations

import os
import signal

import pytest
from isolation_scene import FAMILY, kill, lives, scenes, wait_gone
from worker_process import wait_until

from pillion.errors import ChildDied, ChildNotStarted, HardTimeout, Shutdown

APP = (
    FAMILY
    + """
class Signal(Job):
    def perform(self, name): os.kill(os.getpid(), getattr(signal, name))

class Catch(Job):
    def perform(self):
        sign("catch")
        try:
            while True:
                time.sleep(0.01)
        except BaseException as exc:
            note("caught", type(exc).__name__)
            raise

class Swallow(Job):
    def perform(self):
        sign("swallow")
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                note("swallowed")

class Numb(Job):
    def perform(self):
        sign("numb")
        sum(range(10**14))  # one call in C that looks at no signal

class AsyncCatch(Job):
    async def perform(self):
        import asyncio
        sign("async")
        try:
            await asyncio.sleep(3600)
        except BaseException as exc:
            note("cleaned up")
            raise

class Cooperate(Job):
    def perform(self):
        sign("cooperate")
        while not self.interrupted:
            time.sleep(0.01)
        note("saw it")

class CloseAll(Job):
    def perform(self): os.closerange(3, 512)
"""
)

WITH_HANDLERS = """
import signal, sys
for each in (signal.SIGTERM, signal.SIGINT):
    signal.signal(each, lambda *_: sys.exit(1))  # an app may say so for the worker, which calls it
"""

WITH_A_THREAD = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


@pytest.fixture
def scene(tmp_path, monkeypatch):
    yield from scenes(tmp_path, monkeypatch)


# -- the hard timeout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["Sleep", "Grip"])
def test_a_job_that_exceeds_its_hard_timeout_is_killed_whatever_it_does(scene, job):
    scene = scene(APP)
    args = ["x", 3600] if job == "Sleep" else ["x"]
    error = scene.begin(job, *args, options={"hard_timeout_s": 0.3}).wait()
    assert type(error) is HardTimeout
    assert error.hard_timeout_s == 0.3
    wait_gone(scene.ledger.pid_of("x"))
    scene.run("Note", "next")


def test_the_neighbours_of_a_killed_job_go_on(scene):
    scene = scene(APP)
    neighbour = scene.begin("Hold", "a")
    pid = scene.pid_of("a")
    assert type(scene.begin("Sleep", "x", 3600, hard_timeout_s=0.2).wait()) is HardTimeout
    assert lives(pid)
    scene.ledger.open("a")
    assert neighbour.wait() is None
    assert scene.ledger.pid_of("a") == pid


def test_what_a_killed_job_has_started_is_killed_with_it(scene):
    scene = scene(APP)
    result = scene.begin("Family", hard_timeout_s=0.5)
    scene.ledger.wait_for("start family")
    sleeper = next(int(line.split()[1]) for line in scene.ledger.lines if line.startswith("sleeper"))
    assert type(result.wait()) is HardTimeout
    wait_gone(sleeper)


def test_a_hard_timeout_counts_from_the_beginning_of_the_job_and_not_of_the_wait_for_a_child(scene):
    scene = scene(APP, child_processes=1)
    first = scene.begin("Hold", "a")
    scene.pid_of("a")
    second = scene.begin("Note", "b", hard_timeout_s=0.1)
    wait_until(lambda: len(scene.isolation._pool._queue) == 1, "its place in the queue")
    third = scene.begin("Sleep", "x", 3600, hard_timeout_s=0.1)
    scene.ledger.open("a")
    assert [first.wait(), second.wait()] == [None, None]
    assert type(third.wait()) is HardTimeout


def test_a_job_that_ends_in_time_is_left_alone(scene):
    scene = scene(APP)
    scene.run("Note", "quick", hard_timeout_s=3600)
    scene.run("Note", "again", hard_timeout_s=1e9)
    assert scene.ledger.lines == ["quick", "again"]


# -- death by itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_a_child_that_dies_of_a_signal_has_failed_its_job(scene, name):
    scene = scene(APP)
    error = scene.begin("Signal", name).wait()
    assert type(error) is ChildDied
    assert error.end == f"signal {name}"
    scene.run("Note", "next")


def test_a_child_that_exits_has_failed_its_job_whatever_its_exit_code(scene):
    scene = scene(APP)
    errors = [scene.begin("Exit", code).wait() for code in (0, 3)]
    assert [(type(error), error.end) for error in errors] == [(ChildDied, "exit code 0"), (ChildDied, "exit code 3")]


def test_what_a_dead_child_has_started_is_killed(scene):
    scene = scene(APP)
    result = scene.begin("Family")
    pid = scene.pid_of("family")
    sleeper = next(int(line.split()[1]) for line in scene.ledger.lines if line.startswith("sleeper"))
    kill(pid)
    assert type(result.wait()) is ChildDied
    wait_gone(sleeper)


SEES_KILLS = """
killpg = os.killpg

def seen(pid, number):
    try:
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except OSError:
        state = "collected"
    note("kills the group of a leader that is", state)
    killpg(pid, number)

os.killpg = seen  # in the zygote, which loads the app
"""


def test_what_a_dead_child_has_started_is_killed_while_its_number_is_still_its_own(scene):
    """Once a process has been collected, its number may be that of strangers, as that of a group, too."""
    scene = scene(APP + SEES_KILLS)
    assert type(scene.begin("Exit", 3).wait()) is ChildDied
    assert [line.split()[-1] for line in scene.ledger.lines if line.startswith("kills")] == ["Z"]


def test_a_job_that_closes_what_is_not_its_own_fails_and_does_not_hang(scene):
    scene = scene(APP)
    assert type(scene.begin("CloseAll").wait()) is ChildDied
    scene.run("Note", "next")


def test_neighbours_of_a_dead_child_go_on(scene):
    scene = scene(APP)
    neighbour = scene.begin("Hold", "a")
    scene.pid_of("a")
    assert type(scene.begin("Signal", "SIGKILL").wait()) is ChildDied
    scene.ledger.open("a")
    assert neighbour.wait() is None


# -- at each step -------------------------------------------------------------------------------------

PATCH = """+
from pillion.server.isolation.frames import Kind
from pillion.server.zygote.servant import Servant

said = Servant._say

def say(self, kind, body=b""):
    if before(kind):
        note("dies before", Kind(kind).name)
        os.kill(os.getpid(), signal.SIGKILL)
    said(self, kind, body)
    if after(kind):
        note("dies after", Kind(kind).name)
        os.kill(os.getpid(), signal.SIGKILL)

def once(name):
    (FOLDER / f"gate-{name}").touch()
    return True

from ledger import FOLDER
Servant._say = say
"""
NEVER = "after = lambda kind: False\n"


def test_killed_while_it_is_idle_the_next_job_gets_another_child(scene):
    scene = scene(APP, child_processes=1)
    held = scene.begin("Hold", "a")
    pid = scene.pid_of("a")
    scene.ledger.open("a")
    assert held.wait() is None
    kill(pid)
    scene.run("Note", "next")
    assert scene.ledger.lines[-1] == "next"


def test_killed_while_it_is_set_up_the_job_gets_another_child(scene):
    scene = scene(PATCH + NEVER + "before = lambda kind: kind == Kind.READY and not is_open('r') and once('r')\n")
    scene.run("Note", "a")
    assert scene.ledger.lines == ["dies before READY", "a"]


def test_a_zygote_that_dies_while_it_loads_the_app_is_tried_again_and_named_in_the_end(scene):
    scene = scene("import os, signal\nfrom ledger import note\nnote('loads')\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    error = scene.begin("Note", "a").wait()
    assert type(error) is ChildNotStarted
    assert "signal SIGSEGV" in str(error)
    assert scene.ledger.lines == ["loads"] * 3


def test_killed_before_the_job_began_another_child_runs_it(scene):
    scene = scene(PATCH + NEVER + "before = lambda kind: kind == Kind.BEGUN and not is_open('b') and once('b')\n")
    scene.run("Note", "a")
    assert scene.ledger.lines == ["dies before BEGUN", "a"]


def test_killed_before_the_job_began_again_and_again_is_an_error_in_the_end(scene):
    scene = scene(PATCH + NEVER + "before = lambda kind: kind == Kind.BEGUN\n")
    error = scene.begin("Note", "a").wait()
    assert type(error) is ChildNotStarted
    assert scene.ledger.lines == ["dies before BEGUN"] * 3


def test_killed_as_the_job_begins_it_has_failed(scene):
    scene = scene(PATCH + "after = lambda kind: kind == Kind.BEGUN\nbefore = lambda kind: False\n")
    assert type(scene.begin("Note", "a").wait()) is ChildDied
    assert scene.ledger.lines == ["dies after BEGUN"]


def test_killed_before_the_result_is_written_it_has_failed(scene):
    scene = scene(PATCH + NEVER + "before = lambda kind: kind == Kind.DONE\n")
    assert type(scene.begin("Note", "a").wait()) is ChildDied
    assert scene.ledger.lines == ["a", "dies before DONE"]


def test_killed_after_the_result_was_written_it_has_ended_well(scene):
    scene = scene(PATCH + "after = lambda kind: kind == Kind.DONE\nbefore = lambda kind: False\n")
    for times, name in enumerate(("a", "b"), 1):
        scene.run("Note", name)
        scene.ledger.wait_for("dies after DONE", times)
    assert scene.ledger.lines == ["a", "dies after DONE", "b", "dies after DONE"]


def test_killed_after_the_error_was_written_the_error_is_that_of_the_job(scene):
    source = PATCH + "after = lambda kind: kind == Kind.FAILED\nbefore = lambda kind: False\n"
    scene = scene(source + "class Fail(Job):\n    def perform(self): raise KeyError('mine')\n")
    assert type(scene.begin("Fail").wait()) is KeyError


# -- told to stop -------------------------------------------------------------------------------------


def test_a_job_sees_that_the_worker_stops(scene):
    scene = scene(APP)
    result = scene.begin("Cooperate")
    scene.pid_of("cooperate")
    scene.go_quiet()
    assert result.wait() is None
    assert scene.ledger.lines[-1] == "saw it"


def test_at_the_deadline_shutdown_is_raised_in_the_job(scene):
    scene = scene(APP)
    slot = scene.slot()
    result = scene.begin("Catch", slot=slot)
    pid = scene.pid_of("catch")
    slot.interrupt()
    assert type(result.wait()) is Shutdown
    assert scene.ledger.lines[-1] == "caught Shutdown"
    assert lives(pid)


def test_at_the_deadline_an_async_job_can_clean_up(scene):
    scene = scene(APP)
    slot = scene.slot()
    result = scene.begin("AsyncCatch", slot=slot)
    scene.pid_of("async")
    slot.interrupt()
    assert type(result.wait()) is Shutdown
    assert scene.ledger.lines[-1] == "cleaned up"


@pytest.mark.parametrize("job", ["Swallow", "Numb"])
def test_a_job_that_does_not_end_at_the_deadline_is_killed(scene, job):
    scene = scene(APP)
    slot = scene.slot()
    result = scene.begin(job, slot=slot)
    pid = scene.pid_of(job.lower())
    slot.interrupt()
    assert type(result.wait()) is Shutdown
    wait_gone(pid)


def test_at_the_deadline_a_job_that_waits_for_a_child_has_not_begun(scene):
    scene = scene(APP, child_processes=1)
    first = scene.begin("Hold", "a")
    scene.pid_of("a")
    slot = scene.slot()
    second = scene.begin("Note", "b", slot=slot)
    wait_until(lambda: len(scene.isolation._pool._queue) == 1, "its place in the queue")
    slot.interrupt()
    assert type(second.wait()) is Shutdown
    scene.ledger.open("a")
    assert first.wait() is None
    assert "b" not in scene.ledger.lines


def test_a_job_that_was_interrupted_before_is_not_sent(scene):
    scene = scene(APP)
    slot = scene.slot()
    slot.interrupt()
    assert type(scene.begin("Note", "a", slot=slot).wait()) is Shutdown
    assert scene.ledger.lines == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGTSTP", "SIGTTIN", "SIGUSR2"])
@pytest.mark.parametrize("app", [APP + WITH_HANDLERS, APP + WITH_A_THREAD], ids=["forked", "executed"])
def test_a_signal_that_the_worker_has_not_sent_does_nothing(scene, app, name):
    """`systemctl kill -s TSTP`, for instance, sends it to each process of the service."""
    scene = scene(app)
    result = scene.begin("Catch", slot=(slot := scene.slot()))
    pid = scene.pid_of("catch")
    for each in (pid, scene.zygote_of(pid)):
        os.kill(each, signal.Signals[name])
    other = scene.begin("Hold", "a")  # the zygote still has children
    scene.pid_of("a")
    scene.ledger.open("a")
    assert other.wait() is None
    assert "caught Shutdown" not in scene.ledger.lines
    slot.interrupt()
    assert type(result.wait()) is Shutdown
    assert scene.ledger.lines[-1] == "caught Shutdown"  # one that the signal has stopped would just be killed

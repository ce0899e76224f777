"""crash_at_every_line: it finds what a kill between two lines does, in processes and in threads (F109)."""

import asyncio
import ctypes
import os
import sqlite3
import threading

import pytest

from pillion import testing
from pillion.config import Config
from pillion.default import Default
from pillion.errors import JobArgumentError, RetryableError
from pillion.jobs.base import BaseJob, JobDecorator
from pillion.testing.crash.report import ordinal

HOME = Default()
HOME.install(Config())
job = JobDecorator(HOME)
ISOLATION = ["process", "thread"]


class Base(BaseJob, abstract=True, home=HOME): ...


@pytest.fixture
def world(tmp_path):
    """What services remember: a file for processes, with a line for each thing that was done."""
    return World(tmp_path / "done")


class World:
    def __init__(self, path):
        self.path = path
        self.reset()

    def reset(self):
        self.path.write_text("")

    def do(self, what):
        with self.path.open("a") as file:
            file.write(what + "\n")

    @property
    def done(self):
        return self.path.read_text().split()

    def once(self, what):
        if what not in self.done:
            self.do(what)

    def check_each_once(self):
        assert len(self.done) == len(set(self.done)), self.done


WORLD: World


@pytest.fixture(autouse=True)
def known(world):
    global WORLD
    WORLD = world


class ChargeThenMail(Base, wire_name="ChargeThenMail"):
    def perform(self):
        WORLD.do("charge")
        WORLD.once("mail")


class Careful(Base, wire_name="Careful"):
    def perform(self):
        WORLD.once("charge")
        Mail.perform_async()
        return


class Mail(Base, wire_name="Mail"):
    def perform(self):
        WORLD.once("mail")


class Cleans(Base, wire_name="Cleans"):
    """Takes back its charge when it fails: that does not help when it is killed."""

    def perform(self):
        try:
            WORLD.do("charge")
            done = True
        except BaseException:
            WORLD.reset()
            raise
        finally:
            if "done" not in locals():
                WORLD.reset()
        if not done:
            return
        WORLD.once("mail")


class Loop(Base, wire_name="Loop"):
    def perform(self, items):
        for item in items:
            self.handle(item)

    def handle(self, item):
        WORLD.do(item) if item == "b" and "b" in WORLD.done else WORLD.once(item)


@job(wire_name="careful_function")
async def careful_function(name):
    await asyncio.sleep(0)
    WORLD.once(name)
    await asyncio.sleep(0)


@job(wire_name="careless_function")
async def careless_function():
    await asyncio.sleep(0)
    WORLD.do("charge")
    await asyncio.sleep(0)


def assess(a_job, args=(), **options):
    options.setdefault("check", lambda: WORLD.check_each_once())
    return testing.crash_at_every_line(a_job, args, reset=lambda: WORLD.reset(), **options)


def failure(a_job, args=(), **options):
    with pytest.raises(testing.CrashFailure) as caught:
        assess(a_job, args, **options)
    return caught.value


# -- what it finds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolate", ISOLATION)
def test_it_finds_what_is_done_twice_and_shows_the_line(isolate):
    found = failure(ChargeThenMail, isolate=isolate)
    message = str(found)
    assert "ChargeThenMail cannot be run again after a crash at line" in message
    assert "['charge', 'charge', 'mail']" in message
    arrow = next(line for line in message.splitlines() if "->" in line)
    assert 'WORLD.once("mail")    <- killed before this line ran' in arrow
    assert f"-> {found.spot.line:4} " in arrow
    assert f"{__file__}, ChargeThenMail.perform" in message


@pytest.mark.parametrize("isolate", ISOLATION)
def test_it_passes_a_job_that_can_be_run_again(isolate):
    report = assess(Careful, isolate=isolate)
    assert len(report.lines) == 3
    assert str(report) == "Careful survived 3 crashes, and being run twice."


@pytest.mark.parametrize("isolate", ISOLATION)
def test_a_job_that_is_wrong_only_after_its_last_line_is_found_by_running_it_twice(isolate):
    @job
    def only():
        WORLD.do("charge")

    found = failure(only, isolate=isolate)
    assert "cannot be run twice" in str(found)
    assert found.spot is None


@pytest.mark.parametrize("isolate", ISOLATION)
def test_no_finally_and_no_except_runs_in_what_is_killed(isolate):
    assert "['charge', 'charge', 'mail']" in str(failure(Cleans, isolate=isolate))


@pytest.mark.parametrize("isolate", ISOLATION)
def test_async_jobs(isolate):
    assert len(assess(careful_function, ["a"], isolate=isolate).spots) == 3
    assert "careless_function cannot be run again" in str(failure(careless_function, isolate=isolate))


def test_from_inside_of_an_event_loop():
    async def main():
        return assess(careful_function, ["a"])

    assert len(asyncio.run(main()).spots) == 3


def test_jobs_that_it_pushed_before_it_was_killed_are_run():
    def both():
        assert sorted(WORLD.done) == ["charge", "mail"]

    for isolate in ISOLATION:
        assess(Careful, check=both, isolate=isolate)
    assess(Careful, check=lambda: WORLD.done == ["charge"], drain=False)


def test_a_push_survives_the_kill_of_the_process_that_made_it(world):
    """The second run pushes nothing, so the mail can only come from the push of the run that was killed."""

    @job
    def first_time():
        if not WORLD.done:
            WORLD.do("seen")
            Mail.perform_async()
            WORLD.once("told")

    def told_or_mailed():
        assert "mail" in WORLD.done or WORLD.done == ["seen"]
        return "told" not in WORLD.done or "mail" in WORLD.done

    report = assess(first_time, check=told_or_mailed)
    assert len(report.spots) == 4


def test_every_pass_through_a_loop_counts_up_to_a_limit():
    assert len(assess(Loop, [["a", "c", "d"]]).spots) == 6  # two lines, and the loop's line, twice each
    assert len(assess(Loop, [["a", "c", "d"]], times_per_line=1).spots) == 3
    report = assess(Loop, [["a", "c"]], times_per_line=9)
    assert {spot.hit for spot in report.spots} == {1, 2, 3}


def test_the_message_names_the_pass_through_the_loop(world):
    @job
    def twice_in_a_loop():
        for name in ("a", "b"):
            if name == "a":
                WORLD.once("a")
            else:
                WORLD.do("b")
            WORLD.once("end")

    found = failure(twice_in_a_loop)
    assert found.spot.hit == 2
    assert "when it came here for the 2nd time" in str(found)


# -- whose lines -------------------------------------------------------------------------------------------


def helper():
    WORLD.do("charge")
    WORLD.once("mail")


class Helped(Base, wire_name="Helped"):
    def perform(self):
        if not WORLD.done:
            helper()


class Inherits(ChargeThenMail, wire_name="Inherits"): ...


def test_only_the_lines_of_the_job_count_unless_more_are_asked_for():
    def all_or_nothing():
        assert WORLD.done != ["charge"]

    assert len(assess(Helped, check=all_or_nothing).spots) == 2
    for more in ({"also": [helper]}, {"whole_module": True}):
        found = failure(Helped, check=all_or_nothing, **more)
        assert found.spot.function == "helper"


def test_the_lines_of_a_base_class_are_the_jobs_own():
    assert failure(Inherits).spot.function == "ChargeThenMail.perform"


def test_a_job_without_lines_of_its_own_cannot_be_assessed():
    class Elsewhere(Base):
        perform = staticmethod(os.getpid)

    assert "not one line" in str(failure(Elsewhere))


def test_a_single_argument_instead_of_a_list_is_refused_before_anything_runs():
    resets = []
    with pytest.raises(JobArgumentError, match=r"write \[1\]"):
        testing.crash_at_every_line(Inherits, 1, check=bool, reset=lambda: resets.append(1))
    assert resets == []


# -- what goes wrong otherwise -----------------------------------------------------------------------------


def test_wrong_without_a_crash_says_so_and_what_may_be_the_reason():
    charges = []

    @job
    def in_memory():
        charges.append(1)

    found = failure(in_memory, check=lambda: len(charges) == 1)
    assert "is wrong even when nothing disturbs it: the check answered False" in str(found)
    assert 'isolate="thread"' in str(found)

    testing.crash_at_every_line(
        in_memory,
        check=lambda: 1 <= len(charges) <= 2,
        reset=charges.clear,
        isolate="thread",
    )


def test_an_error_of_the_job_is_shown():
    @job
    def fails():
        raise ValueError("no money")

    found = str(failure(fails))
    assert "the run raised an error" in found
    assert "ValueError: no money" in found


def test_a_second_run_that_raises_is_found():
    @job
    def only_once():
        if "charge" in WORLD.done:
            raise ValueError("already charged")
        WORLD.once("charge")
        WORLD.once("mail")

    found = str(failure(only_once))
    assert "cannot be run again after a crash" in found
    assert "already charged" in found


@pytest.mark.parametrize("isolate", ISOLATION)
def test_a_lock_that_the_killed_run_holds_is_waited_for(isolate):
    class Locks(Base):
        def perform(self):
            with self.lock("order", timeout_s=300):
                WORLD.once("charge")
                WORLD.once("mail")

    assert len(assess(Locks, isolate=isolate).spots) >= 3


def test_an_error_that_does_not_pass_is_found_also_if_it_says_it_would():
    @job
    def never_passes():
        raise RetryableError("payments are away")

    assert "payments are away" in str(failure(never_passes))


@pytest.mark.parametrize("isolate", ISOLATION)
def test_a_second_run_that_never_ends_is_found(isolate):
    @job
    def waits():
        if "charge" in WORLD.done:
            threading.Event().wait()
        WORLD.once("charge")
        WORLD.once("mail")

    assert "did not end in time" in str(failure(waits, isolate=isolate, timeout_s=0.5))


def test_a_process_that_dies_by_itself_is_found():
    @job
    def dies():
        os._exit(1)

    assert "ended too early" in str(failure(dies))


def test_before_run_is_called_where_the_job_runs(tmp_path):
    path = tmp_path / "db"
    connections = {}

    def connect():
        connections["now"] = sqlite3.connect(path)

    def reset():
        connect()
        connections["now"].executescript("DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY)")
        connections["now"].close()

    def check():
        connect()
        count = connections["now"].execute("SELECT count(*) FROM t").fetchone()[0]
        connections["now"].close()
        return count == 2

    @job
    def in_a_transaction():
        with connections["now"] as connection:
            connection.execute("INSERT OR IGNORE INTO t VALUES (1)")
            connection.execute("INSERT OR IGNORE INTO t VALUES (2)")
        connection.close()

    report = testing.crash_at_every_line(in_a_transaction, check=check, reset=reset, before_run=connect)
    assert len(report.spots) >= 4


def test_the_jobs_of_the_test_around_it_are_left_alone():
    with testing.fake(home=HOME) as queues:
        Mail.perform_async()
        assess(Careful)
        assert len(queues) == 1


def test_wrong_arguments_are_refused():
    from pillion.errors import JobArgumentError

    with pytest.raises(JobArgumentError):
        assess(Careful, [1])


@pytest.mark.parametrize("isolate", ISOLATION)
def test_an_exception_that_was_taken_back_somewhere_does_not_stop_the_tracer(isolate):
    """CPython 3.11 would never begin a traced function then: see `_settle_exceptions`."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    target = ctypes.c_ulong(thread.ident)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(ValueError))
    ctypes.pythonapi.PyThreadState_SetAsyncExc(target, None)
    ended.set()
    thread.join()
    assert len(assess(Careful, isolate=isolate, timeout_s=5).spots) == 3


def test_ordinals():
    assert [ordinal(number) for number in (1, 2, 3, 4)] == ["1st", "2nd", "3rd", "4th"]


# -- the shared tests ----------------------------------------------------------------------------------------


class TestCareful(testing.IdempotentJob):
    job = Careful

    def reset(self):
        WORLD.reset()

    def check(self):
        assert sorted(WORLD.done) == ["charge", "mail"]


class TestCarefulFunction(testing.IdempotentJob):
    job = careful_function
    args = ("a",)
    isolate = "thread"

    def reset(self):
        WORLD.reset()

    def check(self):
        return WORLD.done == ["a"]


def test_the_shared_tests_fail_for_a_job_that_is_not_idempotent():
    class Shared(testing.IdempotentJob):
        job = ChargeThenMail

        def reset(self):
            WORLD.reset()

        def check(self):
            return WORLD.done.count("charge") == 1

    with pytest.raises(AssertionError, match="after three runs"):
        Shared().test_can_be_performed_several_times()
    with pytest.raises(testing.CrashFailure):
        Shared().test_survives_a_crash_at_every_line()

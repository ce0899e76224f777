"""Jobs in child processes: where they run, what comes back, and how many there are (F066)."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import traceback

import pytest
from isolation_scene import lives, scenes, wait_gone
from sentinel_error import SentinelError
from worker_process import wait_until

from pillion.errors import ChildError, ChildNotStarted, JobArgumentError, Postponed, Shutdown
from pillion.server.isolation.door import processors

APP = """+
import asyncio, logging, sys
from pillion import CurrentAttributes, configure_server, current_context, context, persist
from pillion.errors import Postponed
from sentinel_error import SentinelError

class Where(Job):
    def perform(self): note("pid", os.getpid())

class Local(Exception): pass

class Fail(Job):
    def perform(self, how):
        if how == "sentinel":
            try:
                {}["order"]
            except KeyError as exc:
                raise SentinelError("no", 7) from exc
        if how == "local": raise Local("only known here")
        if how == "postponed": raise Postponed(30, "too early")
        if how == "exit": sys.exit(4)

class Async(Job):
    async def perform(self, word):
        await asyncio.sleep(0)
        note("async", word)

class Wrapped(Job):
    def perform(self):
        async def later(): note("awaited")
        return later()

class Slow(Job):
    async def perform(self): await asyncio.sleep(3600)

class Facts(Job):
    def perform(self):
        note(self.jid, self.queue_name, self.attempt, sorted(current_context().items()), self.interrupted)

class Size(Job):
    def perform(self, text): note("size", len(text))

class Log(Job):
    def perform(self):
        from pillion import log
        log.add_context(order=42)
        self.logger.info("hello %s", "there")
        logging.getLogger("app.shop").warning("watch out", extra={"colour": "red"})
        try:
            1 / 0
        except ZeroDivisionError:
            self.logger.exception("oh")
        print("printed")

class Bulky(Job):
    def perform(self, count): self.logger.info("x" * count)

class Descriptors(Job):
    def perform(self):
        import subprocess
        seen = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True).stdout
        note("sockets", seen.count("socket:"))

class Stdin(Job):
    def perform(self): note("stdin", repr(sys.stdin.read()))

def setting(job, payload, queue):
    note("middleware", os.getpid())
    yield
setting.runs_in_child = True

def other(job, payload, queue):
    note("never here")
    yield

@configure_server
def configure(config):
    config.server_middleware.add(setting)
    config.server_middleware.add(other)
    note("block", config.tag, config.timeout_s)

class Current(CurrentAttributes):
    tenant: str = "public"

persist(Current)

class Tenant(Job):
    def perform(self): note("tenant", Current.tenant)

class Middleware(Job):
    def perform(self): note("perform", os.getpid())
"""


@pytest.fixture
def scene(tmp_path, monkeypatch):
    yield from scenes(tmp_path, monkeypatch)


def pids(scene):
    return [int(line.split()[1]) for line in scene.ledger.lines if line.startswith("pid ")]


def test_a_job_runs_in_another_process_and_the_next_one_in_the_same(scene):
    scene = scene(APP)
    for _ in range(3):
        scene.run("Where")
    assert len(pids(scene)) == 3
    assert len(set(pids(scene))) == 1
    assert os.getpid() not in pids(scene)


def test_there_are_as_many_at_a_time_as_there_may_be_children(scene):
    scene = scene(child_processes=2)
    held = [scene.begin("Hold", name) for name in "ab"]
    one, other = scene.pid_of("a"), scene.pid_of("b")
    assert one != other
    third = scene.begin("Hold", "c")
    scene.ledger.open("a")
    assert held[0].wait() is None
    assert scene.pid_of("c") == one
    scene.ledger.open("b", "c")
    assert [held[1].wait(), third.wait()] == [None, None]


def test_those_that_wait_for_a_child_are_served_in_the_order_they_came(scene):
    scene = scene(child_processes=1)
    first = scene.begin("Hold", "a")
    scene.pid_of("a")
    waiting = []
    for name in "bcd":
        waiting.append(scene.begin("Note", name))
        wait_until(lambda: len(scene.isolation._pool._queue) == len(waiting), "its place in the queue")
    scene.ledger.open("a")
    assert [each.wait() for each in (first, *waiting)] == [None] * 4
    assert [line for line in scene.ledger.lines if line in "bcd"] == ["b", "c", "d"]


def test_an_error_comes_with_its_class_message_attributes_and_cause(scene):
    error = scene(APP).begin("Fail", "sentinel").wait()
    assert type(error).__mro__[-3:] == SentinelError.__mro__[-3:]
    assert isinstance(error, SentinelError)
    assert (str(error), error.args, error.retry_after_s) == ("no, again in 7 s", ("no",), 7)
    assert type(error.__cause__) is KeyError
    assert error.__cause__.args == ("order",)


def test_the_stack_of_an_error_shows_the_lines_of_the_job(scene):
    error = scene(APP).begin("Fail", "sentinel").wait()
    last = traceback.extract_tb(error.__traceback__)[-1]
    assert (last.filename.rpartition("/")[2], last.name) == ("app.py", "perform")
    assert last.line == 'raise SentinelError("no", 7) from exc'
    assert 'raise SentinelError("no", 7) from exc' in "".join(traceback.format_exception(error))
    assert "servant.py" not in "".join(traceback.format_exception(error))


def test_an_error_whose_class_only_the_child_knows_keeps_its_name(scene):
    error = scene(APP).begin("Fail", "local").wait()
    assert isinstance(error, ChildError)
    assert (type(error).__module__, type(error).__qualname__, str(error)) == ("app", "Local", "only known here")


def test_a_job_that_wants_to_come_later_says_so_through_the_pipe(scene):
    error = scene(APP).begin("Fail", "postponed").wait()
    assert type(error) is Postponed
    assert (error.delay_s, str(error)) == (30, "too early")


def test_sys_exit_in_a_job_is_an_error_like_any_other(scene):
    scene = scene(APP)
    error = scene.begin("Fail", "exit").wait()
    assert (type(error), error.code) == (SystemExit, 4)
    scene.run("Where")


def test_async_jobs_run_on_a_loop_of_the_child(scene):
    scene = scene(APP)
    scene.run("Async", "a")
    scene.run("Async", "b")
    scene.run("Wrapped")
    assert [line for line in scene.ledger.lines if line.startswith("a")] == ["async a", "async b", "awaited"]


def test_timeout_s_of_an_async_job_holds_in_the_child(scene):
    scene = scene(APP)
    error = scene.begin("Slow", timeout_s=0.05).wait()
    assert isinstance(error, TimeoutError | asyncio.TimeoutError)
    scene.run("Where")


def test_the_job_sees_its_payload_and_context(scene):
    scene = scene(APP)
    scene.run("Facts", retry_count=2, **{"meta.user": "ann"})
    assert scene.ledger.lines[-1] == f"{'a' * 24} default 3 [('user', 'ann')] False"


@pytest.mark.parametrize("size", [0, 70_000, 5_000_000])
def test_arguments_of_any_size_go_through(scene, size):
    scene = scene(APP)
    scene.run("Size", "ä" * size)
    assert scene.ledger.lines[-1] == f"size {size}"


def test_a_payload_that_is_nested_as_deep_as_json_may_be_goes_through(scene):
    deep: list = []
    for _ in range(97):
        deep = [deep]
    scene(APP).run("Size", deep)


def test_arguments_that_middleware_has_made_something_else_of_are_refused(scene):
    error = scene(APP).begin("Size", object()).wait()
    assert type(error) is JobArgumentError
    assert 'execution="process"' in str(error)


def test_what_middleware_has_put_into_the_payload_for_itself_stays_behind(scene):
    scene = scene(APP)
    scene.run("Facts", started=object(), tenant="acme")
    assert scene.ledger.lines[-1].startswith("a" * 24)


def test_a_job_that_the_child_does_not_know_is_named(scene):
    error = scene(APP).begin("Nothing").wait()
    assert type(error).__name__ == "UnknownJobClass"
    assert "'app.Nothing'" in str(error)


def test_log_lines_of_the_child_are_written_by_the_worker_with_what_the_job_has_added(scene, caplog):
    scene = scene(APP)
    caplog.set_level(logging.INFO)
    scene.run("Log")
    lines = {record.getMessage(): record for record in caplog.records if record.name in ("pillion.job", "app.shop")}
    assert list(lines) == ["hello there", "watch out", "oh"]
    assert lines["hello there"].pillion == {"order": 42}
    assert lines["watch out"].colour == "red"
    assert "ZeroDivisionError: division by zero" in lines["oh"].exc_text
    assert lines["oh"].process != os.getpid()
    assert lines["oh"].filename == "app.py"


def test_a_log_line_of_any_size_goes_through(scene, caplog):
    scene = scene(APP)
    caplog.set_level(logging.INFO)
    scene.run("Bulky", 3_000_000)
    assert max(len(record.getMessage()) for record in caplog.records) == 3_000_000


def test_what_a_job_prints_is_there_when_it_has_ended(scene, capfd):
    scene = scene(APP)
    scene.run("Log")
    assert "printed\n" in capfd.readouterr().out


def test_a_job_reads_nothing_from_standard_input(scene):
    scene = scene(APP)
    scene.run("Stdin")
    assert scene.ledger.lines[-1] == "stdin ''"


def test_what_a_job_starts_inherits_no_socket(scene):
    scene = scene(APP)
    scene.run("Descriptors")
    assert scene.ledger.lines[-1] == "sockets 0"


def test_only_middleware_that_asks_for_it_runs_in_the_child(scene):
    scene = scene(APP)
    scene.run("Middleware")
    middleware, perform = scene.ledger.lines[-2:]
    assert middleware.split()[0] == "middleware"
    assert middleware.split()[1] == perform.split()[1]


def test_current_attributes_hold_in_the_child_and_not_in_its_next_job(scene):
    scene = scene(APP)
    scene.run("Tenant", cattr={"tenant": "acme"})
    scene.run("Tenant")
    assert [line for line in scene.ledger.lines if line.startswith("tenant")] == ["tenant acme", "tenant public"]


def test_the_settings_of_the_worker_are_those_of_the_app_in_the_child(scene):
    scene = scene(APP, tag="shop", timeout_s=7.5)
    scene.run("Where")
    assert scene.ledger.lines[0] == "block shop 7.5"


def test_a_child_makes_room_after_so_many_jobs(scene):
    scene = scene(APP, max_jobs_per_child=2)
    for _ in range(5):
        scene.run("Where")
    one, two, three, four, five = pids(scene)
    assert one == two != three == four != five
    wait_gone(one, three)
    assert lives(five)


def test_a_child_that_has_grown_makes_room(scene):
    source = APP + "\nclass Grow(Job):\n    def perform(self):\n        global kept\n        kept = b'x' * (1 << 28)\n"
    scene = scene(source, max_rss_mb_per_child=200)
    scene.run("Where")
    scene.run("Where")
    scene.run("Grow")
    scene.run("Where")
    before, same, after = pids(scene)
    assert before == same != after
    wait_gone(before)


HOOKS = """+
from pillion import configure_server

@configure_server
def configure(config):
    config.on("startup", lambda: note("startup"))
    config.on("child_start", lambda: note("child_start", os.getpid()))
    config.on("child_start", lambda: note("second"))
    config.on("child_exit", lambda: note("child_exit", os.getpid()))
    config.on("child_exit", lambda: note("first of exit"))
"""


def test_hooks_of_children_run_in_each_child_and_those_of_the_worker_do_not(scene):
    scene = scene(HOOKS)
    result = scene.begin("Hold", "a")
    pid = scene.pid_of("a")
    scene.ledger.open("a")
    assert result.wait() is None
    scene.close()
    wanted = [f"child_start {pid}", "second", "start a", "end a", "first of exit", f"child_exit {pid}"]
    assert scene.ledger.lines == wanted


def test_a_child_whose_hook_fails_takes_no_job_and_says_why(scene):
    source = "+\nfrom pillion import configure_server\n@configure_server\ndef configure(config):\n"
    scene = scene(f"{source}    config.on('child_start', lambda: 1 / 0)\n")
    error = scene.begin("Note", "a").wait()
    assert type(error) is ChildNotStarted
    assert "ZeroDivisionError" in str(error)
    assert scene.ledger.lines == []


def test_an_app_that_cannot_be_loaded_is_named_and_tried_again_with_the_next_job(scene, tmp_path):
    scene = scene("import nothing_of_that_name\n")
    error = scene.begin("Note", "a").wait()
    assert type(error) is ChildNotStarted
    assert "nothing_of_that_name" in str(error)
    (tmp_path / "app.py").write_text("from pillion import Job\nfrom ledger import note\n" + NOTE)
    scene.run("Note", "b")
    assert scene.ledger.lines == ["b"]


NOTE = "class Note(Job):\n    def perform(self, *words): note(*words)\n"


def test_an_app_with_threads_gets_children_with_interpreters_of_their_own(scene):
    source = APP + "\nimport threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    source += (
        "class Parent(Job):\n    def perform(self): note('command', open(f'/proc/{os.getpid()}/cmdline').read())\n"
    )
    scene = scene(source, child_processes=1)
    scene.run("Where")
    scene.run("Where")
    scene.run("Parent")
    assert "--alone" in scene.ledger.lines[-1]
    assert len(set(pids(scene))) == 1
    child = pids(scene)[0]
    scene.close()
    wait_gone(child)


def test_the_end_of_the_pool_is_the_end_of_zygote_and_children(scene):
    scene = scene(APP)
    scene.run("Where")
    child = pids(scene)[0]
    zygote = scene.zygote_of(child)
    scene.close()
    wait_gone(child, zygote)


def test_a_closed_pool_takes_no_further_job(scene):
    scene = scene(APP)
    scene.run("Where")
    scene.close()
    assert type(scene.begin("Where").wait()).__name__ == "Shutdown"


def test_a_pool_that_is_closed_as_a_child_is_about_to_be_started_starts_no_zygote(scene):
    scene = scene(APP)
    pool = scene.isolation._open()
    with pool._starting:  # another thread starts one just now
        job = scene.begin("Where")
        wait_until(lambda: pool._count == 1, "a job that has the right to start a child")
        closing = threading.Thread(target=scene.close)
        closing.start()
        wait_until(lambda: pool._closed, "the end of the pool")
    assert type(job.wait()) is Shutdown
    closing.join()
    assert pool._stem is None


def test_nothing_is_imported_before_the_first_job():
    code = (
        "import sys\n"
        "from pillion.config import Config\nfrom pillion.definition.registry import Registry\n"
        "from pillion.server.isolation.door import Isolation\n"
        "isolation = Isolation(Config(), Registry())\nisolation.start()\nisolation.quiet()\nisolation.stop(0.0)\n"
        "print([name for name in sys.modules if name in ('subprocess', 'pillion.server.isolation.pool', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_setting_there_is_a_child_for_each_processor(scene):
    assert processors() == len(os.sched_getaffinity(0))

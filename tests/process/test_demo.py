"""`pillion demo`: what it prints and leaves behind, stopped and killed at any moment (on files of our own)."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worker_process import clean_environment, wait_until

from pillion.cli.demo.queue import DemoQueue, jid_of
from pillion.cli.demo.results import Results, Run
from pillion.cli.demo.run import Demo as DemoRun
from pillion.config import Config
from pillion.storage.connect import Storage, open_storage
from pillion.storage.embedded_paths import socket_path
from pillion.storage.ops.base import command

BROKEN = 3
WATCHDOG_S = 90
# Enough to parse that a demo over many of these files can be met in the middle.
SOURCE = "".join(f"def f{number}(x):\n    return [x, {number}, (x, {{'a': x}})]\n\n" for number in range(150))


class Demo:
    """Demos over one folder of files, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder / "demo", folder / "source"
        self.source.mkdir()
        self._started: list[subprocess.Popen[str]] = []

    def write(self, good: int) -> list[Path]:
        """Make so many good files, and BROKEN broken ones."""
        names = {f"good_{number}.py": SOURCE for number in range(good)}
        names |= {f"badsyntax_{number}.py": "def (:\n" for number in range(BROKEN)}
        for name, text in names.items():
            (self.source / name).write_text(text)
        return [self.source / name for name in names]

    def start(self, *args: str) -> subprocess.Popen[str]:
        environ = clean_environment(self.folder) | {"REDIS_URL": "redis://127.0.0.1:1/0"}  # must not be used
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pillion",
                "demo",
                "--folder",
                self.folder,
                "--source",
                self.source,
                "-p",
                "1",
                *args,
            ],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *args: str) -> str:
        """Run a demo to its end; return what it printed."""
        output, _ = self.start(*args).communicate(timeout=WATCHDOG_S)
        assert self._started[-1].returncode == 0, output
        return output

    def rows(self, query: str = "SELECT path FROM results") -> list[tuple]:
        with sqlite3.connect(self.folder / "results.sqlite3") as db:
            found = db.execute(query).fetchall()
        db.close()
        return found

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def executed(self) -> int:
        """How many times a worker has run a job of these demos, as Redis counted it."""
        storage = open_storage(Config(embedded_data_dir=str(self.folder)), {"HOME": str(self.folder)})
        count = storage.run(command("GET", "stat:processed"))
        storage.close()
        return int(count)

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture
def demo(short_tmp: Path) -> Iterator[Demo]:
    made = Demo(short_tmp)
    yield made
    made.end()


def read_to(process: subprocess.Popen[str], mark: str) -> str:
    """Read what the demo prints until a line with `mark`."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if re.search(mark, line):
            return printed
    pytest.fail(f"it ended without {mark!r}:\n{printed}")


@pytest.mark.drill
class TestWholeDemo:
    def test_reads_every_file_and_lists_the_broken_ones(self, demo: Demo) -> None:
        files = demo.write(20)
        output = demo.run()
        assert sorted(path for (path,) in demo.rows()) == sorted(map(str, files))
        assert f"a job for each of {len(files)} Python files" in output
        assert re.search(rf" {len(files) - BROKEN} read +3,000 functions".replace(" +3,000", r".* 3,000"), output)
        assert re.search(rf" {BROKEN} retried", output)
        assert re.search(rf" {BROKEN} failed", output)
        assert re.findall(r"badsyntax_\d\.py  \(run 2 times\)\n +SyntaxError", output) != []
        assert demo.rows("SELECT count(*), min(attempts), max(attempts) FROM results WHERE error != ''") == [
            (BROKEN, 2, 2)
        ]

    def test_leaves_no_server_behind(self, demo: Demo) -> None:
        demo.write(2)
        demo.run()
        assert not socket_path(demo.folder).exists()

    def test_makes_broken_copies_where_nothing_is_broken(self, demo: Demo) -> None:
        for number in range(12):
            (demo.source / f"{number}.py").write_text(SOURCE)
        output = demo.run()
        assert "5 of the files are copies that were cut off in the middle" in output
        assert re.search(r" 5 failed", output)
        assert len(demo.rows()) == 17

    def test_a_second_one_starts_anew(self, demo: Demo) -> None:
        demo.write(2)
        demo.run()
        assert demo.run().startswith("Run 2: ")
        assert len(demo.rows()) == 2 + BROKEN


@pytest.mark.drill
class TestStoppedInTheMiddle:
    @pytest.fixture(params=["INT", "TERM"])
    def signal_name(self, request: pytest.FixtureRequest) -> str:
        return request.param

    def test_goes_on_with_no_row_lost_and_no_job_run_twice(self, demo: Demo, signal_name: str) -> None:
        files = demo.write(300)
        first = demo.start()
        read_to(first, r"^ +[2-8]0 %")
        first.send_signal(signal.Signals[f"SIG{signal_name}"])
        rest, _ = first.communicate(timeout=WATCHDOG_S)
        assert first.returncode == 130
        assert re.search(r"Stopped: \d+ of 303 files are done", rest)
        done = len(demo.rows())
        assert 60 <= done < len(files)

        output = demo.run()
        assert f"Going on with run 1, which was stopped: {len(files) - done} files are left." in output
        assert len(demo.rows()) == len(files)
        # each file once, each broken one once more, and the job that adds up
        assert demo.executed() == len(files) + BROKEN + 1

    def test_killed_it_takes_its_workers_with_it_and_goes_on(self, demo: Demo) -> None:
        files = demo.write(300)
        first = demo.start()
        read_to(first, r"^ +[2-8]0 %")
        first.kill()
        first.communicate()
        wait_until(lambda: "Bye!" in demo.log, "the end of the workers", lambda: demo.log)

        output = demo.run()
        assert "Going on with run 1" in output
        assert len(demo.rows()) == len(files)
        assert demo.executed() == len(files) + BROKEN + 1

    def test_killed_together_with_its_workers_it_goes_on(self, demo: Demo) -> None:
        files = demo.write(300)
        first = demo.start()
        read_to(first, r"^ +[2-8]0 %")
        for pid in (*worker_pids(first.pid), first.pid):
            os.kill(pid, signal.SIGKILL)
        first.communicate()

        demo.run()
        assert len(demo.rows()) == len(files)
        # those that were running when they were killed run again: at most one for each thread
        assert len(files) + BROKEN + 1 <= demo.executed() <= len(files) + BROKEN + 1 + 5

    def test_fresh_begins_anew(self, demo: Demo) -> None:
        demo.write(300)
        first = demo.start()
        read_to(first, r"^ +[2-8]0 %")
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=WATCHDOG_S)
        assert demo.run("--fresh").startswith("Run 2: a job for each of 303 Python files")


def test_a_second_demo_in_the_same_folder_is_refused(demo: Demo) -> None:
    demo.write(300)
    first = demo.start()
    read_to(first, r"^ +0 %")
    output, _ = demo.start().communicate(timeout=WATCHDOG_S)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=WATCHDOG_S)
    assert "A demo is running in" in output
    assert "--folder" in output


def worker_pids(parent: int) -> list[int]:
    """All processes below `parent`, children first."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [pid for child in children for pid in (int(child), *worker_pids(int(child)))]


def test_a_folder_without_python_files_is_refused(demo: Demo) -> None:
    output, _ = demo.start().communicate(timeout=WATCHDOG_S)
    assert demo._started[-1].returncode == 1
    assert "--source: expected a folder with Python files" in output


class TestPushing:
    """Every file is pushed once, whenever the process that pushes is killed."""

    RUN = Run(1, "token", "/src", "", is_resumed=False)
    PATHS = tuple(f"/src/{number}.py" for number in range(450))

    @pytest.fixture
    def queue(self, storage: Storage) -> DemoQueue:
        return DemoQueue(storage, Config(), self.RUN)

    @pytest.fixture
    def waiting(self, raw) -> Callable[[], int]:
        return lambda: raw.llen("queue:demo")

    def test_a_second_time_pushes_nothing(self, queue: DemoQueue, waiting) -> None:
        assert queue.push_files(self.PATHS) == 450
        assert queue.push_files(self.PATHS) == 0
        assert waiting() == 450

    def test_after_a_kill_between_two_batches_only_the_rest_is_pushed(self, queue: DemoQueue, waiting, raw) -> None:
        queue._push_batch(self.PATHS[:200])
        assert queue.push_files(self.PATHS) == 250
        jids = [re.search(rb'"jid":"(\w+)"', payload)[1] for payload in raw.lrange("queue:demo", 0, -1)]
        assert len(set(jids)) == len(jids) == 450

    def test_a_push_that_fails_leaves_no_note(self, storage: Storage, raw) -> None:
        raw.set("queue:demo", "not a list")
        queue = DemoQueue(storage, Config(), self.RUN)
        with pytest.raises(Exception, match="WRONGTYPE"):
            queue.push_files(self.PATHS)
        raw.delete("queue:demo")
        assert queue.push_files(self.PATHS) >= 250

    def test_another_run_pushes_again(self, queue: DemoQueue, storage: Storage, waiting) -> None:
        queue.push_files(self.PATHS[:1])
        other = Run(2, "other", "/src", "", is_resumed=False)
        assert DemoQueue(storage, Config(), other).push_files(self.PATHS[:1]) == 1
        assert jid_of(other, "a") != jid_of(self.RUN, "a")
        assert waiting() == 2

    def test_the_dead_set_is_read_for_this_run_only(self, queue: DemoQueue, raw) -> None:
        mine = f'{{"jid":"{jid_of(self.RUN, "/src/0.py")}","args":[1,"/src/0.py"],"retry_count":1,"error_class":"E"}}'
        raw.zadd("dead", {mine: 1, '{"jid":"x","args":[1,"/src/1.py"]}': 2, "{broken": 3, '{"args":[]}': 4})
        assert queue.dead() == {"/src/0.py": (2, "E: None")}


class TestStalled:
    """A job whose process died three times goes to the dead set without having written a row."""

    def test_its_row_is_written_from_the_dead_set_and_the_run_summed_up(self, storage: Storage, raw, short_tmp) -> None:
        results = Results(short_tmp / "results.sqlite3")
        results.create()
        run = results.begin("/src", "", ["/src/0.py"])
        raw.zadd(
            "dead", {f'{{"jid":"{jid_of(run, "/src/0.py")}","args":[1,"/src/0.py"],"error_class":"PoisonPill"}}': 1}
        )
        queue = DemoQueue(storage, Config(), run)
        DemoRun(short_tmp, Path("/src"), 1, print).nudge(run, results, queue, results.progress(run))
        assert results.errors() == {"/src/0.py": "PoisonPill: None"}
        assert b"SumUp" in raw.lindex("queue:demo", 0)
        results.close()

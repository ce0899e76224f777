"""The parts of `pillion dev`: lines, changes, names of commands, the minder's list, the end of a process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest

from pillion.cli.dev import minder
from pillion.cli.dev.changes import is_source, seen_from, summary, syntax_error
from pillion.cli.dev.children import Child, Order
from pillion.cli.dev.command import name_orders, settings_of
from pillion.cli.dev.lines import Printer
from pillion.errors import ConfigError


class TestLines:
    def printed(self, *lines, colour=False, names=("worker", "web")) -> str:
        stream = io.BytesIO()
        printer = Printer(names, colour=colour, stream=stream)
        for name, text in lines:
            printer.line(name, text)
        return stream.getvalue().decode()

    def test_each_has_the_name_of_its_source_before_it(self):
        assert self.printed(("worker", "ready"), ("web", "GET /"), ("dev", "stopping")) == (
            "worker | ready\nweb    | GET /\ndev    | stopping\n"
        )

    def test_an_empty_one_has_no_spaces_at_its_end(self):
        assert self.printed(("web", "")) == "web    |\n"

    def test_what_is_no_unicode_is_shown_all_the_same(self):
        assert self.printed(("web", "a\ud800ü")) == "web    | a\\ud800ü\n"

    def test_on_a_terminal_each_source_has_its_colour(self):
        text = self.printed(("worker", "a"), ("web", "b"), ("dev", "c"), colour=True)
        prefixes = [line.partition("m")[0] for line in text.splitlines()]
        assert len(set(prefixes)) == 3
        assert all(prefix.startswith("\x1b[") for prefix in prefixes)

    def test_more_sources_than_colours_are_no_problem(self):
        names = [f"c{number}" for number in range(30)]
        assert self.printed(("c29", "x"), colour=True, names=names)

    def test_a_reader_that_has_gone_is_told_of_once(self):
        class Closed(io.BytesIO):
            def flush(self):
                raise BrokenPipeError

        told = []
        printer = Printer([], colour=False, stream=Closed())
        printer.on_gone = lambda: told.append(1)
        printer.say("a\nb")
        printer.say("c")
        assert told == [1]


class TestChanges:
    @pytest.mark.parametrize("path", ["jobs.py", "shop/jobs.py", "pillion.toml", "config/sidekiq.yml", ".env"])
    def test_sources(self, path):
        assert is_source(Path(path))

    @pytest.mark.parametrize(
        "path", ["a.txt", "a.pyc", "venv/lib/python3.11/site-packages/x.py", ".pillion/demo/broken/x.py", "py"]
    )
    def test_what_is_none(self, path):
        assert not is_source(Path(path))

    def test_only_what_is_below_the_watched_folder_counts(self):
        seen = seen_from([Path("/work/build/shop")], Path("/work/build/shop/jobs.py"))
        assert (seen, is_source(seen)) == (Path("jobs.py"), True)
        assert seen_from([Path("/work")], Path("/etc/x.py")) == Path("/etc/x.py")

    def test_the_first_few_are_shown_by_name(self):
        folder = Path("/app")
        assert summary([folder / "b.py", folder / "a.py"], folder) == "a.py, b.py"
        assert summary([folder / f"{name}.py" for name in "edcba"], folder) == "a.py, b.py, c.py and 2 more"

    def test_a_syntax_error_is_told_as_python_tells_it(self, tmp_path):
        path = tmp_path / "jobs.py"
        path.write_text("def f(:\n    pass\n")
        told = syntax_error(path)
        assert f'File "{path}", line 1' in told
        assert "SyntaxError" in told

    @pytest.mark.parametrize("source", [b"x = '\xff'\n", b"x\0y\n", b"# coding: nothing\n"])
    def test_bytes_that_are_no_source_are_told_of_too(self, tmp_path, source):
        path = tmp_path / "jobs.py"
        path.write_bytes(source)
        assert syntax_error(path)

    def test_good_files_other_files_and_files_that_are_gone_have_none(self, tmp_path):
        (tmp_path / "good.py").write_text("x = 1\n")
        (tmp_path / "pillion.toml").write_text("def f(:")
        assert [syntax_error(tmp_path / name) for name in ("good.py", "pillion.toml", "gone.py")] == [None] * 3

    def test_nothing_of_the_file_is_run(self, tmp_path):
        (tmp_path / "jobs.py").write_text("raise SystemExit(3)\n")
        assert syntax_error(tmp_path / "jobs.py") is None


class TestCommandsBeside:
    @pytest.mark.parametrize(
        ("text", "name", "command"),
        [
            ("web: uvicorn app:app", "web", "uvicorn app:app"),
            ("uvicorn app:app", "uvicorn", "uvicorn app:app"),
            ("/usr/bin/npm run dev", "npm", "/usr/bin/npm run dev"),
            ("PORT=8000 ./serve.sh", "serve.sh", "PORT=8000 ./serve.sh"),
            ("http://x", "x", "http://x"),
            ("A=1", "with", "A=1"),
        ],
    )
    def test_its_name_is_the_one_given_or_its_first_word(self, text, name, command):
        (order,) = name_orders([text])
        assert (order.name, order.command) == (name, command)

    def test_no_two_have_one_name_and_none_has_ours(self):
        names = [order.name for order in name_orders(["npm a", "npm b", "npm: c", "worker: x", "dev: y"])]
        assert names == ["npm", "npm-2", "npm-3", "worker-2", "dev-2"]

    @pytest.mark.parametrize("text", ["", "  "])
    def test_one_without_a_command_is_refused(self, text):
        with pytest.raises(ConfigError, match="--with: expected a command"):
            name_orders([text])


class TestArgumentsOfRun:
    def test_they_are_read_as_run_reads_them(self, tmp_path):
        settings = settings_of(["-t", "2", "shop.jobs", "-q", "high", "-t", "9"], tmp_path)
        assert settings.targets == ("shop.jobs",)
        assert (settings.config.timeout_s, [queue.name for queue in settings.config.queues]) == (9, ["high"])

    def test_a_wrong_one_is_refused_before_anything_runs(self, tmp_path):
        with pytest.raises(ConfigError, match="--concurrency"):
            settings_of(["shop.jobs", "-c", "none"], tmp_path)


class TestMinder:
    def sleeper(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)

    def test_it_ends_what_is_left_and_nothing_else(self):
        left, gone, other = self.sleeper(), self.sleeper(), self.sleeper()
        try:
            minder.main([f"+{left.pid}\n", f"+{gone.pid}\n", f"-{gone.pid}\n"], grace_s=0)
            assert left.wait(60) in (-signal.SIGTERM, -signal.SIGKILL)
            assert (gone.poll(), other.poll()) == (None, None)
        finally:
            for process in (left, gone, other):
                process.kill()
                process.wait()

    def test_what_has_ended_in_the_meantime_is_no_problem(self):
        ended = self.sleeper()
        os.killpg(ended.pid, signal.SIGKILL)
        ended.wait()
        minder.main([f"+{ended.pid}\n"])

    def test_what_has_ended_since_it_was_told_to_gets_no_kill(self, monkeypatch):
        """Its number may be that of strangers by then, as it has taken the others some time to end."""
        docile, stubborn = self.sleeper(), self.stubborn()
        sent = []
        killpg = os.killpg
        monkeypatch.setattr(os, "killpg", lambda *what: (sent.append(what), killpg(*what)))
        burial = threading.Thread(target=docile.wait)
        burial.start()
        minder.main([f"+{docile.pid}\n", f"+{stubborn.pid}\n"], grace_s=1)
        burial.join()
        stubborn.wait()
        kills = [pid for pid, number in sent if number == signal.SIGKILL]
        assert kills == [stubborn.pid]

    def stubborn(self) -> subprocess.Popen[bytes]:
        ignores = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", ignores], process_group=0, stdout=subprocess.PIPE)
        with process.stdout as said:
            said.readline()
        return process


class NoMinder:
    """One that nobody needs."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def add(self, pid: int) -> None:
        self.heard.append("+")

    def remove(self, pid: int) -> None:
        self.heard.append("-" if state_of(pid) == "Z" else "- too late")


class TestChild:
    @pytest.fixture
    def run(self):
        """Runs a text for the shell; returns the child once it has ended."""

        def run(text: str) -> Child:
            ended: SimpleQueue[Child] = SimpleQueue()
            Child(
                Order("it", text), os.environ, Printer(["it"], colour=False, stream=io.BytesIO()), NoMinder(), ended.put
            )
            return ended.get(timeout=60)

        return run

    def test_what_it_leaves_behind_is_killed_while_its_number_is_still_its_own(self, run, monkeypatch):
        sent = []
        killpg = os.killpg
        monkeypatch.setattr(os, "killpg", lambda pid, number: (sent.append(state_of(pid)), killpg(pid, number)))
        child = run("sleep 600 & exit 3")
        assert child.exit_code == 3
        assert sent == ["Z"]  # it has ended, and has not been collected
        assert state_of(child.pid) == ""
        assert child._minder.heard == ["+", "-"]

    def test_after_its_end_nobody_is_sent_its_signals(self, run, monkeypatch):
        child = run("exit")
        sent = []
        monkeypatch.setattr(os, "kill", lambda *what: sent.append(what))
        monkeypatch.setattr(os, "killpg", lambda *what: sent.append(what))
        child.send(signal.SIGTERM)
        child.send_to_group(signal.SIGKILL)
        assert sent == []


def state_of(pid: int) -> str:
    """Z for a process that has ended and was not collected, "" for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""

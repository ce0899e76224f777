"""`pillion processes`: who works, and telling them what to do."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time

import pytest
from worker_process import WATCHDOG_S, clean_environment


@pytest.fixture
def processes(tmp_path, redis_url):
    """Run `pillion processes ARGS...`."""

    def call(*args, url=redis_url, stdin=subprocess.DEVNULL):
        return subprocess.run(
            [sys.executable, "-m", "pillion", "processes", *args],
            cwd=tmp_path,
            env=clean_environment(tmp_path) | {"REDIS_URL": url},
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=WATCHDOG_S,
        )

    return call


def enter(raw, identity, *, busy=0, quiet="false", **info):
    hostname, pid, _ = identity.split(":")
    said = {
        "hostname": hostname,
        "pid": int(pid),
        "started_at": time.time() - 2 * 86_400,
        "tag": "shop",
        "queues": ["high", "default"],
        "concurrency": 5,
        "version": "8.1.7",
        **info,
    }
    raw.sadd("processes", identity)
    raw.hset(
        identity,
        mapping={"info": json.dumps(said), "busy": busy, "quiet": quiet, "rss": 26928, "beat": time.time() + 3600},
    )


def signals(raw, identity):
    return raw.lrange(f"{identity}-signals", 0, -1)


# -- the list --------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [[], ["list"]])
def test_lists_who_works(processes, raw, args):
    enter(raw, "app-1:11:aa", busy=3)
    enter(raw, "app-2:22:bb", quiet="true", embedded=True, tag="", version="")
    result = processes(*args)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "PROCESS      TAG   STATE            BUSY  QUEUES           MEMORY  UP  VERSION",
        "app-1:11:aa  shop  running           3/5  high, default  26.3 MiB  2d  8.1.7",
        "app-2:22:bb        quiet, embedded   0/5  high, default  26.3 MiB  2d  -",
    ]


def test_shows_who_was_not_heard_of_for_a_while(processes, raw):
    enter(raw, "app-1:11:aa")
    raw.hset("app-1:11:aa", "beat", time.time() - 2 * 86_400)
    assert "running, silent for 2d" in processes().stdout


def test_says_so_if_nobody_works(processes):
    result = processes()
    assert (result.returncode, result.stdout) == (0, "No worker process is running. `pillion run` starts one.\n")


def test_json_is_for_other_programs(processes, raw):
    enter(raw, "app-1:11:aa", busy=3, labels=["fast"])
    (seen,) = json.loads(processes("--json").stdout)
    assert seen["identity"] == "app-1:11:aa"
    assert (seen["busy"], seen["concurrency"], seen["queues"]) == (3, 5, ["high", "default"])
    assert (seen["quiet"], seen["embedded"], seen["labels"], seen["rss_kib"]) == (False, False, ["fast"], 26928)
    assert json.loads(processes("--json", "list").stdout) == [seen]


# -- telling them ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "signal"), [("quiet", b"TSTP"), ("stop", b"TERM"), ("dump", b"TTIN")])
@pytest.mark.parametrize("name", ["app-1:11:aa", "app-1:11", "app-1"])
def test_tells_the_one_that_is_named(processes, raw, action, signal, name):
    enter(raw, "app-1:11:aa")
    enter(raw, "app-10:11:bb")
    result = processes(action, name)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("app-1:11:aa will ")
    assert signals(raw, "app-1:11:aa") == [signal]
    assert signals(raw, "app-10:11:bb") == []


def test_a_name_that_several_have_is_refused(processes, raw):
    enter(raw, "app-1:11:aa")
    enter(raw, "app-1:12:bb")
    result = processes("stop", "app-1")
    assert result.returncode == 1
    assert "app-1:11:aa, app-1:12:bb" in result.stderr
    assert signals(raw, "app-1:11:aa") == signals(raw, "app-1:12:bb") == []


def test_a_name_that_nobody_has_brings_those_that_live(processes, raw):
    enter(raw, "app-1:11:aa")
    result = processes("quiet", "app-2")
    assert result.returncode == 1
    assert "There are: app-1:11:aa" in result.stderr


def test_an_embedded_one_cannot_be_told(processes, raw):
    enter(raw, "app-1:11:aa", embedded=True)
    result = processes("stop", "app-1")
    assert result.returncode == 1
    assert "within that program" in result.stderr


def test_all_are_told_but_those_that_are_embedded(processes, raw):
    enter(raw, "app-1:11:aa")
    enter(raw, "app-2:22:bb")
    enter(raw, "app-3:33:cc", embedded=True)
    result = processes("stop", "--all", "--yes")
    assert result.returncode == 0
    assert signals(raw, "app-1:11:aa") == signals(raw, "app-2:22:bb") == [b"TERM"]
    assert signals(raw, "app-3:33:cc") == []
    assert result.stderr == "app-3:33:cc is left out: it is embedded in another program\n"


@pytest.mark.parametrize("action", ["stop", "quiet"])
def test_what_cannot_be_undone_needs_a_yes(processes, raw, action):
    enter(raw, "app-1:11:aa")
    result = processes(action, "--all")
    assert result.returncode == 2
    assert "--yes" in result.stderr
    assert signals(raw, "app-1:11:aa") == []


@pytest.mark.parametrize(("answer", "code", "told"), [(b"y\n", 0, [b"TERM"]), (b"n\n", 1, []), (b"\n", 1, [])])
def test_in_a_terminal_it_asks(processes, raw, answer, code, told):
    enter(raw, "app-1:11:aa")
    enter(raw, "app-2:22:bb")
    master, slave = pty.openpty()
    try:
        os.write(master, answer)
        result = processes("stop", "--all", stdin=slave)
    finally:
        os.close(slave)
        os.close(master)
    assert "stop --all: 2 processes will end. Go on?" in result.stderr
    assert result.returncode == code
    assert signals(raw, "app-1:11:aa") == signals(raw, "app-2:22:bb") == told


def test_a_dump_of_all_harms_nobody(processes, raw):
    enter(raw, "app-1:11:aa")
    assert processes("dump", "--all").returncode == 0
    assert signals(raw, "app-1:11:aa") == [b"TTIN"]


def test_a_redis_that_is_not_there_is_named(processes):
    result = processes("stop", "app-1", url="redis://:geheim@127.0.0.1:1/0")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("pillion: ")
    assert "127.0.0.1:1" in result.stderr
    assert "geheim" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["stop"], "--all"),
        (["stop", "a", "--all", "--yes"], "not both"),
        (["list", "a"], "leave out"),
        (["kill", "a"], "quiet"),
    ],
)
def test_what_is_unclear_is_refused(processes, args, hint):
    result = processes(*args)
    assert result.returncode == 2
    assert hint in result.stderr


@pytest.mark.parametrize(("no_colour", "is_red"), [("", True), ("1", False)])
def test_errors_are_red_in_a_terminal_unless_no_color_is_set(tmp_path, no_colour, is_red):
    environ = {name: value for name, value in clean_environment(tmp_path).items() if value}
    master, slave = pty.openpty()
    try:
        command = [sys.executable, "-m", "pillion", "processes", "-C", "no-such-file"]
        subprocess.run(command, cwd=tmp_path, env={**environ, "NO_COLOR": no_colour}, stderr=slave, timeout=60)
        said = os.read(master, 4096)
    finally:
        os.close(slave)
        os.close(master)
    assert b"no-such-file" in said
    assert (b"\x1b[31m" in said) == is_red

"""`pillion stats`: the numbers of a fleet, for people, pipes and other systems."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worker_process import WATCHDOG_S, clean_environment, wait_until

PILLION = [sys.executable, "-m", "pillion"]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ processed=\d+ failed=\d+ .* default_queue_latency_s=\d+\.\d{3}\n")


@pytest.fixture
def environ(tmp_path: Path, redis_url: str) -> dict[str, str]:
    return clean_environment(tmp_path) | {"REDIS_URL": redis_url, "TERM": "xterm", "COLUMNS": "100"}


@pytest.fixture
def stats(environ, tmp_path):
    """Run `pillion stats ARGS...` to its end."""

    def call(*args, url=None):
        variables = environ | ({"REDIS_URL": url} if url else {})
        return subprocess.run(
            [*PILLION, "stats", *args],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=WATCHDOG_S,
        )

    return call


@pytest.fixture
def watch(environ, tmp_path):
    """Start `pillion stats ARGS...` with its output in a pipe, and interrupt it at the end."""
    started = []

    def start(*args):
        process = subprocess.Popen(
            [*PILLION, "stats", *args], cwd=tmp_path, env=environ, stdout=-1, stderr=-1, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def busy(raw):
    """A fleet with something of everything."""
    raw.mset({"stat:processed": 1234567, "stat:failed": 89})
    raw.sadd("queues", "default", "low")
    raw.sadd("paused", "low")
    raw.lpush("queue:default", *(json.dumps({"class": "A", "created_at": time.time() - 125}) for _ in range(1203)))
    raw.zadd("retry", {"a": 1, "b": 2})
    raw.sadd("processes", "vm:1:x")
    raw.hset("vm:1:x", mapping={"info": "{}", "busy": 4})
    return raw


def test_prints_totals_and_queues(stats, busy):
    result = stats()
    assert (result.returncode, result.stderr) == (0, "")
    totals, queues = result.stdout.split("\n\n")
    assert totals.splitlines() == [
        "Processed  1,234,567",
        "Failed            89",
        "Busy               4",
        "Enqueued       1,203",
        "Scheduled          0",
        "Retry              2",
        "Dead               0",
        "Processes          1",
    ]
    assert [re.sub(r"2m \d+s", "2m Xs", line) for line in queues.splitlines()] == [
        "QUEUE     SIZE  LATENCY  STATE",
        "default  1,203    2m Xs",
        "low          0     0.0s  paused",
    ]


def test_json_has_everything_for_another_system(stats, busy):
    seen = json.loads(stats("--json").stdout)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seen.pop("at"))
    assert 125 <= seen.pop("default_queue_latency_s") < 125 + WATCHDOG_S
    assert 125 <= seen["queues"][0].pop("latency_s") < 125 + WATCHDOG_S
    assert seen == {
        "processed": 1234567,
        "failed": 89,
        "busy": 4,
        "enqueued": 1203,
        "scheduled": 0,
        "retry": 2,
        "dead": 0,
        "processes": 1,
        "queues": [
            {"name": "default", "size": 1203, "paused": False},
            {"name": "low", "size": 0, "latency_s": 0.0, "paused": True},
        ],
    }


def test_an_empty_redis_has_no_table_of_queues(stats):
    assert stats().stdout.endswith("Processes  0\n")


def test_finds_redis_through_the_settings_file(stats, busy, redis_url, tmp_path):
    (tmp_path / "here.toml").write_text(f'redis = "{redis_url}"')
    result = stats("-C", "here.toml", "--json", url="")
    assert json.loads(result.stdout)["failed"] == 89


def test_a_redis_that_is_not_there_is_named(stats):
    for args in ([], ["--json"], ["--watch"]):
        result = stats(*args, url="redis://:geheim@127.0.0.1:1/0")
        assert (result.returncode, result.stdout) == (1, "")
        assert re.match(r"pillion: .*127\.0\.0\.1:1", result.stderr)
        assert "geheim" not in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("interval", ["0", "nan", "1e9", "soon"])
def test_an_interval_that_cannot_be_is_refused(stats, interval):
    result = stats("--watch", interval)
    assert result.returncode == 2
    assert "--watch" in result.stderr


class TestWatch:
    def test_a_pipe_gets_a_line_for_each_look(self, watch, busy):
        process = watch("--watch", "0.1")
        first = process.stdout.readline()
        assert LINE.fullmatch(first)
        assert "failed=89" in first
        busy.set("stat:failed", 90)
        while "failed=90" not in process.stdout.readline():
            pass

    def test_json_comes_as_an_object_on_each_line(self, watch, busy):
        process = watch("--json", "--watch", "0.1")
        assert [json.loads(process.stdout.readline())["failed"] for _ in range(2)] == [89, 89]

    def test_ctrl_c_ends_it_quietly(self, watch, busy):
        process = watch("--watch")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=WATCHDOG_S)
        assert (process.returncode, errors) == (0, "")

    def test_an_outage_of_redis_is_told_and_passes(self, environ, own_redis, watch):
        environ["REDIS_URL"] = own_redis.url
        process = watch("--watch", "0.1")
        process.stdout.readline()
        own_redis.kill()
        assert own_redis.url.split("/")[2] in process.stderr.readline()
        own_redis.start()
        with own_redis.client() as raw:
            raw.set("stat:failed", 90)
        while "failed=90" not in process.stdout.readline():
            assert process.poll() is None

    def test_a_terminal_is_drawn_in_place(self, environ, tmp_path, busy):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [*PILLION, "stats", "--watch", "0.1"], cwd=tmp_path, env=environ, stdout=slave, stderr=slave
        )
        os.close(slave)
        screen = bytearray()

        def seen_twice() -> bool:
            screen.extend(os.read(master, 65536))
            return screen.count(b"1,234,567") >= 2

        try:
            wait_until(seen_twice, "two drawings", lambda: screen.decode(errors="replace"))
            process.send_signal(signal.SIGINT)
            while _read_some(master):
                pass
            assert process.wait(WATCHDOG_S) == 0
        finally:
            process.kill()
            os.close(master)
        assert b"\x1b[1A" in screen, "the cursor goes up"
        assert b"Traceback" not in screen


def _read_some(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other end of the terminal was closed
        return b""

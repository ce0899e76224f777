"""`pillion push` against a real Redis (requirement F016)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from worker_process import clean_environment

Push = Callable[..., subprocess.CompletedProcess[str]]

LIST_MODULES = """
import sys
from pillion.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(*sorted(sys.modules))
"""


@pytest.fixture
def pillion(tmp_path: Path, redis_url: str) -> Push:
    """Run `pillion ARGS...` in an empty folder."""

    def call(*args: str, url: str = redis_url, start: tuple[str, ...] = ("-m", "pillion")):
        environ = clean_environment(tmp_path) | {"REDIS_URL": url}
        return subprocess.run(
            [sys.executable, *start, *args],
            cwd=tmp_path,
            env={name: value for name, value in environ.items() if value},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return call


def test_prints_the_jid_of_the_job_it_put_into_the_queue(pillion, raw):
    result = pillion("push", "shop.Order", "42", "vip", '{"a": 1}')
    assert (result.returncode, result.stderr) == (0, "")
    payload = json.loads(raw.lindex("queue:default", 0))
    assert result.stdout == payload["jid"] + "\n"
    assert (payload["class"], payload["args"]) == ("shop.Order", [42, "vip", {"a": 1}])


def test_takes_queue_and_options(pillion, raw):
    pillion("push", "shop.Order", "--queue", "high", "--set", "retry=3", "--set", "locale=de")
    payload = json.loads(raw.lindex("queue:high", 0))
    assert (payload["retry"], payload["locale"]) == (3, "de")
    assert raw.smembers("queues") == {b"high"}


def test_takes_arguments_with_a_dash_behind_two_dashes(pillion, raw):
    pillion("push", "shop.Refund", "--", "-5", "--all")
    assert json.loads(raw.lindex("queue:default", 0))["args"] == [-5, "--all"]


def test_schedules_a_job_for_later(pillion, raw):
    before_s = time.time()
    pillion("push", "shop.Order", "--in", "5m")
    ((_, score),) = raw.zrange("schedule", 0, -1, withscores=True)
    assert before_s + 300 <= score <= time.time() + 300
    assert raw.llen("queue:default") == 0


def test_schedules_a_job_for_a_moment(pillion, raw):
    pillion("push", "shop.Order", "--at", "2099-01-01T00:00:00Z")
    ((_, score),) = raw.zrange("schedule", 0, -1, withscores=True)
    assert score == 4070908800.0


def test_runs_a_job_at_once_whose_time_has_come(pillion, raw):
    pillion("push", "shop.Order", "--at", "2020-01-01T00:00:00Z")
    assert raw.llen("queue:default") == 1


def test_finds_redis_through_the_settings_file(pillion, raw, redis_url, tmp_path):
    (tmp_path / "pillion.toml").write_text(f'redis = "{redis_url}"')
    assert pillion("push", "shop.Order", url="").returncode == 0
    assert raw.llen("queue:default") == 1


def test_runs_in_a_worker(pillion, pillion_run, ledger):
    assert pillion("push", "app.Note", "by", "hand").returncode == 0
    pillion_run()
    ledger.wait_for("by hand")


def test_loads_neither_the_server_nor_what_only_other_commands_need(pillion):
    """A push from a shell has to be there in a moment: half of its time is imports."""
    result = pillion("push", "shop.Order", "42", start=("-c", LIST_MODULES))
    assert result.returncode == 0, result.stderr
    modules = set(result.stdout.split())
    assert "pillion.client" in modules
    heavy = {
        "rich",
        "yaml",
        "sqlite3",
        "pillion.server",
        "pillion.default",
        "pillion.cli.run",
        "pillion.cli.demo.command",
    }
    assert modules & heavy == set()


class TestMistakes:
    def test_redis_that_is_not_there_is_named_with_host_and_port(self, pillion):
        result = pillion("push", "shop.Order", url="redis://:geheim@127.0.0.1:1/0")
        assert (result.returncode, result.stdout) == (1, "")
        assert re.match(r"pillion: .*127\.0\.0\.1:1", result.stderr)
        assert "geheim" not in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_queue_name_that_cannot_be_is_refused(self, pillion, raw):
        result = pillion("push", "shop.Order", "--queue", "")
        assert result.returncode == 1
        assert "queue" in result.stderr
        assert raw.dbsize() == 0

    def test_a_wrong_settings_key_brings_the_nearest(self, pillion, tmp_path):
        (tmp_path / "pillion.toml").write_text("concurency = 5")
        result = pillion("push", "shop.Order")
        assert result.returncode == 1
        assert "Did you mean concurrency?" in result.stderr

    def test_a_message_in_a_pipe_has_no_colour(self, pillion):
        assert "\x1b" not in pillion("push", "shop.Order", "--in", "soon").stderr

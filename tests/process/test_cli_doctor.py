"""`pillion doctor` as a person and as a script call it (F074)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from worker_process import clean_environment, wait_until


@pytest.fixture
def doctor(tmp_path):
    """Run `pillion doctor ARGS...` against a server."""

    def call(url, *args, **environ):
        variables = {**clean_environment(tmp_path), "REDIS_URL": url, **environ}
        return subprocess.run(
            [sys.executable, "-m", "pillion", "doctor", *args],
            cwd=tmp_path,
            env={name: value for name, value in variables.items() if value},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )

    return call


def report(client, *queues):
    info = {"capsules": {"default": {"weights": dict.fromkeys(queues, 0)}}}
    client.sadd("processes", "host:1:aaaaaaaaaaaa")
    client.hset("host:1:aaaaaaaaaaaa", mapping={"info": json.dumps(info), "concurrency": 5, "busy": 1})


def test_a_fleet_that_is_well_exits_with_0(doctor, own_redis):
    with own_redis.client() as client:
        report(client, "default")
    result = doctor(own_redis.url)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1].startswith("All checks are ok")
    assert "1 process, 1 of 5 threads busy" in result.stdout


def test_warnings_exit_with_0_unless_they_count(doctor, own_redis):
    with own_redis.client() as client:
        report(client, "default")
        client.set("cache:1", "x")
    result = doctor(own_redis.url)
    assert result.returncode == 0
    assert "! warn  dedicated    1 of 3 keys looked at belong to others: cache:1." in result.stdout
    assert doctor(own_redis.url, "--strict").returncode == 2


def test_a_failure_exits_with_2_and_says_why_and_what_to_do(doctor, own_redis):
    own_redis.config_set(maxmemory_policy="allkeys-lru", appendonly="no")
    result = doctor(own_redis.url)
    assert result.returncode == 2
    assert "✗ FAIL  eviction     maxmemory-policy allkeys-lru" in result.stdout
    assert "✗ FAIL  persistence" in result.stdout
    assert "throws whole queues away" in result.stdout
    assert "-> CONFIG SET maxmemory-policy noeviction" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("3 failed, 0 warnings")


def test_a_pipe_gets_no_colour(doctor, own_redis):
    assert "\x1b" not in doctor(own_redis.url).stdout


def test_a_terminal_without_unicode_gets_ascii(doctor, own_redis):
    result = doctor(own_redis.url, PYTHONIOENCODING="ascii")
    assert result.stdout.isascii()
    assert "x FAIL  workers" in result.stdout


def test_json_has_every_finding(doctor, own_redis):
    result = doctor(own_redis.url, "--json")
    report = json.loads(result.stdout)
    assert (result.returncode, report["level"]) == (2, "fail")
    found = {finding["name"]: finding for finding in report["findings"]}
    assert found["workers"]["level"] == "fail"
    assert set(found["workers"]) == {"level", "name", "what_is", "why_it_matters", "cure"}


def test_redis_that_is_down_is_a_failure_without_its_password(doctor):
    result = doctor("redis://:geheim@127.0.0.1:1/0")
    assert result.returncode == 2
    assert "127.0.0.1:1" in result.stdout
    assert "geheim" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_password_is_a_failure(doctor, own_redis):
    own_redis.config_set(requirepass="right")
    result = doctor(own_redis.url.replace("unix://", "unix://:wrong@"))
    assert result.returncode == 2
    assert "password" in result.stdout


def test_real_workers_are_seen(doctor, own_redis, pillion_run):
    pillion_run("-q", "default", redis_url=own_redis.url)
    with own_redis.client() as client:
        wait_until(lambda: client.scard("processes"), "the worker to report")
        client.sadd("queues", "mial")
        client.lpush("queue:mial", "{}")
    found = {finding["name"]: finding for finding in json.loads(doctor(own_redis.url, "--json").stdout)["findings"]}
    assert (found["workers"]["level"], found["orphans"]["level"], found["dedicated"]["level"]) == ("ok", "ok", "ok")
    assert found["served"]["level"] == "fail"
    assert "mial (1 job)" in found["served"]["what_is"]

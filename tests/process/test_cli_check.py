"""`pillion check` as cron and monitors call it: one line, exit codes 0 to 3 (F209 to F212, F215)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from worker_process import clean_environment

OK, WARNING, CRITICAL, UNKNOWN = range(4)


@pytest.fixture
def check(tmp_path, request):
    """Run `pillion check ARGS...`; returns the exit code and what was printed."""

    def call(*args, url=None):
        url = url or request.getfixturevalue("redis_url")
        variables = {**clean_environment(tmp_path), "REDIS_URL": url}
        command = [sys.executable, "-m", "pillion", "check", *args]
        environ = {name: value for name, value in variables.items() if value}
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    return call


def start(raw, number):
    raw.sadd("processes", f"host:{number}:aaaaaaaaaaaa")
    raw.hset(f"host:{number}:aaaaaaaaaaaa", mapping={"info": "{}", "concurrency": 5, "busy": 2})


def fill(raw, queue, count, age_s=0.0):
    raw.sadd("queues", queue)
    job = json.dumps({"class": "A", "enqueued_at": int((time.time() - age_s) * 1000)})
    raw.lpush(f"queue:{queue}", *[job] * count)


class TestProcesses:
    def test_a_worker_is_enough(self, check, raw):
        start(raw, 1)
        assert check("processes") == (OK, "OK - processes: 1, threads busy: 2 of 5\n")

    def test_none_is_critical(self, check, raw):
        raw.sadd("processes", "host:1:aaaaaaaaaaaa")  # it has died
        assert check("processes") == (CRITICAL, "CRITICAL - no worker process is running\n")

    def test_fewer_than_asked_for_is_critical(self, check, raw):
        start(raw, 1)
        assert check("processes", "--min", "2") == (CRITICAL, "CRITICAL - 1 of 2 worker processes run\n")
        start(raw, 2)
        assert check("processes", "--min", "2")[0] == OK

    def test_none_is_told_once(self, check, raw, tmp_path):
        tell = "def tell(alert):\n    open('told', 'a').write(f'{alert.name} {alert.state}\\n')\n"
        (tmp_path / "ops.py").write_text(tell)
        for _ in range(2):
            assert check("processes", "--notify", "ops:tell")[0] == CRITICAL
        start(raw, 1)
        assert check("processes", "--notify", "ops:tell")[0] == OK
        assert (tmp_path / "told").read_text() == "no_processes new\nno_processes recovered\n"


class TestQueues:
    def test_below_the_thresholds(self, check, raw):
        fill(raw, "critical", 100)
        fill(raw, "low", 1)
        code, line = check("queues")
        assert code == OK
        assert line.startswith("OK - queues: 2, jobs: 101, oldest: ")

    def test_above_is_a_warning_above_twice_of_it_critical(self, check, raw):
        fill(raw, "critical", 101)
        assert check("queues") == (WARNING, "WARNING - queue critical has 101 jobs (limit 100)\n")
        fill(raw, "critical", 100)
        assert check("queues") == (CRITICAL, "CRITICAL - queue critical has 201 jobs (limit 100)\n")

    def test_thresholds_of_its_own(self, check, raw):
        fill(raw, "mail", 3, age_s=90)
        assert check("queues", "--size", "mail=2")[0] == WARNING
        assert check("queues", "--max-size", "2")[0] == WARNING
        assert check("queues", "--max-size", "2", "--size", "mail=3")[0] == OK
        assert check("queues", "--latency", "mail=60")[0] == WARNING
        assert check("queues", "--max-latency", "60", "--latency", "mail=900")[0] == OK

    def test_failures_of_a_class(self, check, raw):
        for minute_s in (time.time(), time.time() - 60):  # it may turn while the command starts
            minute = time.gmtime(minute_s)
            key = time.strftime("j|%y%m%d|", minute) + f"{minute.tm_hour}:{minute.tm_min:02d}"
            raw.hset(key, mapping={"Bad|p": 60, "Bad|f": 55})
        assert check("queues")[1] == "WARNING - Bad failed 110 times in 5 min (limit 100)\n"
        assert check("queues", "--max-failures", "110")[0] == OK

    def test_json(self, check, raw):
        fill(raw, "critical", 101)
        code, text = check("queues", "--json")
        found = json.loads(text)
        assert (code, found["state"]) == (WARNING, "WARNING")
        assert found["alerts"][0]["name"] == "queue_size_warning:critical"


class TestRedis:
    def test_well(self, check, redis_url):
        code, line = check("redis")
        assert code == OK
        assert "10000 clients" in line

    def test_memory(self, check, own_redis):
        with own_redis.client() as client:
            client.setrange("pl:ballast", 20_000_000, "x")
            own_redis.config_set(maxmemory=int(client.info()["used_memory"] / 0.85))
        code, line = check("redis", "--max-used", "80%", url=own_redis.url)
        assert (code, line.split(" of ")[0][:-3]) == (WARNING, "WARNING - Redis uses ")
        assert check("redis", "--max-used", "92%", url=own_redis.url)[0] == OK
        assert check("redis", "--max-used", "10MB", url=own_redis.url)[0] == WARNING
        assert check("redis", "--max-used", "1GB", url=own_redis.url)[0] == OK

    def test_latency_and_clients(self, check, redis_url):
        assert check("redis", "--max-latency-ms", "0.000001")[0] == CRITICAL
        assert check("redis", "--max-clients", "0.001%")[0] == WARNING


class TestUnknown:
    @pytest.mark.parametrize("what", ["processes", "queues", "redis"])
    def test_redis_that_is_down(self, check, what):
        code, line = check(what, url="redis://:geheim@127.0.0.1:1/0")
        assert code == UNKNOWN
        assert line.startswith("UNKNOWN - Redis at 127.0.0.1:1/0 cannot be reached")
        assert line.count("\n") == 1
        assert "geheim" not in line

    def test_redis_that_is_down_is_told_too(self, check, tmp_path):
        (tmp_path / "ops.py").write_text("def tell(alert):\n    open('told', 'a').write(alert.name)\n")
        assert check("redis", "--notify", "ops:tell", url="redis://127.0.0.1:1/0")[0] == UNKNOWN
        assert (tmp_path / "told").read_text() == "redis_unreachable"

    def test_a_wrong_password(self, check, own_redis):
        own_redis.config_set(requirepass="right")
        code, line = check("redis", url=own_redis.url.replace("unix://", "unix://:wrong@"))
        assert code == UNKNOWN
        assert "password" in line

    @pytest.mark.parametrize(
        "args",
        [
            ("queues", "--size", "mail"),
            ("queues", "--latency", "mail=soon"),
            ("redis", "--max-used", "much"),
            ("redis", "--max-clients", "90"),
            ("processes", "--notify", "ops"),
            ("processes", "--notify", "no_such_module:tell"),
            ("processes", "--notify", "mailto:"),
            ("processes", "--notify", "https://"),
        ],
    )
    def test_a_value_that_cannot_be_right(self, check, args, redis_url):
        code, line = check(*args)
        assert code == UNKNOWN
        assert "expected" in line

    def test_a_module_of_the_user_that_cannot_be_imported(self, check, tmp_path, redis_url):
        (tmp_path / "ops.py").write_text("1 / 0")
        code, line = check("processes", "--notify", "ops:tell")
        assert code == UNKNOWN
        assert "division by zero" in line

    @pytest.mark.parametrize(
        "args", [(), ("--nothing",), ("nothing",), ("queues", "--nothing"), ("processes", "--min", "some")]
    )
    def test_called_wrongly(self, check, args, redis_url):
        assert check(*args) == (UNKNOWN, "")


class TestOutput:
    def test_a_name_from_redis_stays_on_the_line_and_commands_no_terminal(self, check, raw):
        fill(raw, "a\nOK - b\x1b]0;c\x07", 1)
        assert check("queues", "--max-size", "0")[1] == "CRITICAL - queue a�OK - b�]0;c� has 1 job (limit 0)\n"

    @pytest.mark.parametrize("target", ["closed pipe", "/dev/full"])
    def test_the_exit_code_tells_also_if_nothing_can_be_printed(self, tmp_path, redis_url, target):
        variables = {name: value for name, value in clean_environment(tmp_path).items() if value}
        if target == "closed pipe":
            reading_end, stdout = os.pipe()
            os.close(reading_end)
        else:
            stdout = os.open(target, os.O_WRONLY)
        command = [sys.executable, "-m", "pillion", "check", "processes"]
        done = subprocess.run(
            command, cwd=tmp_path, env={**variables, "REDIS_URL": redis_url}, stdout=stdout, timeout=60
        )
        os.close(stdout)
        assert done.returncode == CRITICAL

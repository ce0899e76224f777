"""Each `pillion` command in the guide on operating runs as it stands there, on a fleet with some trouble:
jobs that are to be retried, dead, scheduled; a queue that nobody serves."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis_process import RedisProcess
from worker_process import Run, clean_environment, wait_until

from pillion.cli.main import COMMANDS
from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "operating.md").read_text()
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (pillion .*?)(?:\s{2,}# exit code (\d+))?$", re.MULTILINE)
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", GUIDE, flags=re.MULTILINE)[1:]}
WITH_COMMANDS = [title for title, text in SECTIONS.items() if BLOCK.search(text)]

JOBS = """
import os
import time

from pillion import Job


class CompleteOrder(Job):
    def perform(self, order_id): ...


class SendMail(Job, queue="mailers", retry=5):
    def perform(self, order_id):
        raise ConnectionError("the mail server does not answer")


class Charge(Job, queue="payments", retry=0):
    def perform(self, order_id):
        raise ValueError(f"the card of order {order_id} has expired")


class Endless(Job):
    def perform(self, order_id):
        if not os.path.exists("restored"):
            time.sleep(600)


class Crash(Job):
    def perform(self, order_id):
        os._exit(1)
"""


def commands(text: str) -> list[tuple[str, int]]:
    """The commands of the console blocks of a text, each with the exit code that the guide says."""
    return [(line, int(code or 0)) for block in BLOCK.findall(text) for line, code in COMMAND.findall(block)]


class Fleet:
    """A worker with a past: 5 jobs done, 4 to be retried, 3 dead, 2 scheduled, 2 in a queue without a worker."""

    def __init__(self, redis: RedisProcess, folder: Path) -> None:
        (folder / "shop").mkdir(exist_ok=True)
        (folder / "shop" / "jobs.py").write_text(JOBS)
        self._folder = folder
        self._environ = clean_environment(folder) | {"REDIS_URL": redis.url}
        settings = RedisConfig(url=redis.url)
        self._storage = open_target(resolve_url(settings, {}), settings)
        self._client = Client(self._storage, Config(redis=settings))
        self.raw: Any = redis.client()
        self.worker = self._start_worker()

    def fill(self) -> None:
        """Push, and wait until the worker has done what it can."""
        for job, queue, count in (
            ("CompleteOrder", "default", 5),
            ("SendMail", "mailers", 4),
            ("Charge", "payments", 3),
        ):
            self.push(job, queue, count, retry=0 if job == "Charge" else 5)
        self.push("CompleteOrder", "low", 2)
        self.push("CompleteOrder", "default", 2, at=4102444800)
        self.wait_for(retry=4, dead=3, schedule=2)
        wait_until(lambda: self.raw.get("stat:processed") == b"12", "12 processed jobs", lambda: self.worker.log)

    def push(self, job: str, queue: str, count: int = 1, **item: Any) -> None:
        args = [[order_id] for order_id in range(count)]
        self._client.push_bulk({"class": f"shop.jobs.{job}", "queue": queue, "args": args, **item})

    def wait_for(self, **sizes: int) -> None:
        """Wait until sorted sets have these sizes."""
        for key, size in sizes.items():
            wait_until(
                lambda key=key, size=size: self.raw.zcard(key) == size, f"{size} in {key}", lambda: self.worker.log
            )

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        """Carry out a line of the guide. `app-1:4711` there is the worker here."""
        host, pid, _ = self.worker.identities[-1].rsplit(":", 2)
        words = [word.replace("app-1:4711", f"{host}:{pid}") for word in shlex.split(line)]
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def close(self) -> None:
        self.worker.destroy()
        self._storage.close()
        self.raw.close()

    def _start_worker(self) -> Run:
        command = [sys.executable, "-m", "pillion", "run", "shop.jobs"]
        command += ["-q", "default", "-q", "mailers", "-q", "payments", "-c", "2"]
        return Run(command, self._folder, self._environ, "worker").wait_ready()


@contextmanager
def restored(redis: RedisProcess) -> Iterator[RedisProcess]:
    """Another Redis, on the snapshot of this one."""
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    shutil.copy(redis.folder / "dump.rdb", folder)
    server = RedisProcess(redis.binary, folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def fleet(own_redis: RedisProcess, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(own_redis, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("title", WITH_COMMANDS)
def test_each_command_of_a_section_runs(fleet, title):
    fleet.fill()
    failed = []
    for line, code in commands(SECTIONS[title]):
        result = fleet.type(line)
        if result.returncode != code or "Traceback" in result.stderr:
            failed.append(f"$ {line}\n{result.stdout}{result.stderr}exit code {result.returncode}, not {code}")
    assert not failed, "\n\n".join(failed)


def test_the_guide_names_commands_that_exist():
    named = {line.split()[1] for line, _ in commands(GUIDE)} | set(re.findall(r"`pillion (\w+)", GUIDE))
    assert len(named) > 5
    assert named - COMMANDS.keys() == set()


class TestWhatTheGuideSays:
    """Of which its commands alone show nothing."""

    def test_stats_show_the_fleet_as_it_is(self, fleet):
        fleet.fill()
        seen = json.loads(fleet.type("pillion stats --json").stdout)
        assert {key: seen[key] for key in ("processed", "failed", "scheduled", "retry", "dead", "enqueued")} == {
            "processed": 12,
            "failed": 7,
            "scheduled": 2,
            "retry": 4,
            "dead": 3,
            "enqueued": 2,
        }

    def test_failures_are_grouped_with_class_and_error(self, fleet):
        fleet.fill()
        groups = json.loads(fleet.type("pillion failures --by class,error --json").stdout)
        assert "ConnectionError" in str(groups)
        assert "ValueError" in str(groups)

    def test_the_tables_that_are_shown_have_the_real_columns(self, fleet):
        fleet.fill()
        head = fleet.type("pillion failures").stdout.splitlines()[0]
        assert head.split() in [line.split() for line in GUIDE.splitlines()]
        shown = SECTIONS["Look"].partition("✗ FAIL")[2].partition("```")[0]
        found = fleet.type("pillion doctor --json").stdout
        assert all(text.strip(" ->") in found for text in shown.splitlines()[1:])

    def test_the_dead_are_retried_as_chosen(self, fleet):
        fleet.fill()
        fleet.type("pillion queues pause payments")
        fleet.type("pillion jobs retry --in dead --class shop.jobs.Charge --error-class ValueError --yes")
        assert (fleet.raw.zcard("dead"), fleet.raw.llen("queue:payments")) == (0, 3)

    def test_what_was_cleared_is_put_back(self, fleet):
        fleet.push("CompleteOrder", "low", 2)
        waiting = fleet.raw.lrange("queue:low", 0, -1)
        shown = fleet.type("pillion queues clear low --yes").stdout
        assert fleet.raw.llen("queue:low") == 0
        fleet.type(re.search(r"`(pillion undo \S+)`", shown)[1])
        assert fleet.raw.lrange("queue:low", 0, -1) == waiting

    def test_a_queue_that_was_paused_goes_on_when_it_is_resumed(self, fleet):
        fleet.type("pillion queues pause default")
        fleet.push("CompleteOrder", "default", 3)
        assert "paused" in fleet.type("pillion queues").stdout
        assert fleet.raw.get("stat:processed") is None
        fleet.type("pillion queues resume --all")
        wait_until(lambda: fleet.raw.get("stat:processed") == b"3", "3 processed jobs", lambda: fleet.worker.log)

    def test_a_job_that_kills_workers_is_found_dead(self, fleet):
        fleet.push("Crash", "default")
        fleet.wait_for(dead=1)
        (line,) = (line for line, _ in commands(GUIDE) if "PoisonPill" in line)
        assert "shop.jobs.Crash" in fleet.type(line).stdout

    def test_doctor_names_the_queue_that_nobody_serves(self, fleet):
        fleet.fill()
        assert "nobody serves low (2 jobs)" in fleet.type("pillion doctor").stdout

    def test_a_full_redis_refuses_pushes_and_workers_go_on_with_what_waits(self, fleet, own_redis):
        fleet.raw.sadd("paused", "default", "mailers")
        fleet.push("CompleteOrder", "default", 3)
        fleet.push("SendMail", "mailers", 2)
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        assert "memory" in fleet.type("pillion push shop.jobs.CompleteOrder 1").stderr
        fleet.raw.srem("paused", "default", "mailers")
        fleet.wait_for(retry=2)
        wait_until(lambda: fleet.raw.get("stat:processed") == b"5", "5 processed jobs", lambda: fleet.worker.log)

    @pytest.mark.parametrize("title", ["On a queue", "On failed jobs"])
    def test_a_full_redis_can_be_tidied_up(self, fleet, own_redis, title):
        fleet.fill()
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        part = SECTIONS["Act"].partition(f"### {title}")[2].partition("###")[0]
        results = [fleet.type(line) for line, _ in commands(part)]
        assert len(results) > 3
        assert [result.stderr for result in results if result.returncode] == []

    def test_a_restarted_redis_needs_nobody(self, fleet, own_redis):
        fleet.push("CompleteOrder", "default")
        wait_until(lambda: fleet.raw.get("stat:processed") == b"1", "a processed job", lambda: fleet.worker.log)
        own_redis.restart()
        fleet.push("CompleteOrder", "default")
        wait_until(lambda: fleet.raw.get("stat:processed") == b"2", "another", lambda: fleet.worker.log)

    def test_what_was_in_flight_in_a_snapshot_runs_again_when_it_is_restored(self, fleet, own_redis, tmp_path):
        fleet.push("Endless", "default")
        wait_until(lambda: "shop.jobs.Endless" in fleet.worker.log, "a running job", lambda: fleet.worker.log)
        fleet.raw.save()
        fleet.worker.destroy()
        (tmp_path / "restored").touch()
        with restored(own_redis) as redis, closing(Fleet(redis, tmp_path)) as again:
            wait_until(lambda: again.raw.get("stat:processed") == b"1", "a processed job", lambda: again.worker.log)

"""EmbeddedWorker in real servers: FastAPI under uvicorn, Flask, Django, and a script that just ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from worker_process import LEDGER_MODULE, Ledger, Run, clean_environment, wait_until

JOBS = """
import logging, os
logging.basicConfig(level="INFO")

import pillion
from ledger import note, sign, wait_at

class Hold(pillion.Job):
    def perform(self, name):
        sign(name)
        wait_at(name)
        note("end", name)

worker = pillion.EmbeddedWorker(timeout_s=float(os.environ.get("TIMEOUT_S", 60)))
"""

FASTAPI = """
from fastapi import FastAPI
from jobs import Hold, worker

app = FastAPI(lifespan=worker.lifespan)

@app.get("/push/{name}")
async def push(name: str):
    return await Hold.perform_async.aio(name)

@app.get("/hello")
async def hello():
    return "hello"
"""

FLASK = """
import sys
from flask import Flask
from jobs import Hold, worker

app = Flask(__name__)

@app.get("/push/<name>")
def push(name):
    return Hold.perform_async(name)

@app.get("/hello")
def hello():
    return "hello"

worker.start()
app.run("unix://" + sys.argv[1])
"""

DJANGO = """
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", USE_TZ=True)

from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
from jobs import Hold, worker

urlpatterns = [
    path("push/<name>", lambda request, name: HttpResponse(Hold.perform_async(name))),
    path("hello", lambda request: HttpResponse("hello")),
]
app = worker.asgi(get_asgi_application())
"""

UVICORN = ["-m", "uvicorn", "app:app", "--uds"]


class Host:
    """A web server with a worker in it."""

    def __init__(self, run: Run, socket: Path) -> None:
        self.run = run
        self._socket = socket

    def get(self, path: str) -> str:
        """The answer to a request, as soon as there is a server. Fails if there never is one."""
        wait_until(lambda: self._socket.exists() or not self.run.processes, "a web server", lambda: self.run.log)

        def ask() -> str | None:
            try:
                with httpx.Client(transport=httpx.HTTPTransport(uds=str(self._socket)), timeout=60) as client:
                    return client.get(f"http://web/{path}").text
            except httpx.ConnectError:
                return None

        return str(wait_until(ask, path, lambda: self.run.log))

    def end(self, name: str) -> None:
        """Send a signal and wait for the end."""
        self.run.signal(name)
        self.run.wait()


@pytest.fixture
def host(tmp_path: Path, short_tmp: Path) -> Iterator[Callable[..., Host]]:
    """Start a server on `source`, with this Redis."""
    runs: list[Run] = []

    def start(source: str, url: str, **environ: str) -> Host:
        (tmp_path / "ledger.py").write_text(LEDGER_MODULE)
        (tmp_path / "jobs.py").write_text(JOBS)
        (tmp_path / "app.py").write_text(source)
        socket = short_tmp / f"web-{len(runs)}.sock"
        words = ["app.py", str(socket)] if "app.run(" in source else [*UVICORN, str(socket)]
        variables = clean_environment(tmp_path) | {"REDIS_URL": url, **environ}
        run = Run([sys.executable, *words], tmp_path, variables, f"web-{len(runs)}")
        runs.append(run)
        return Host(run, socket)

    yield start
    for run in runs:
        run.destroy()


def is_quiet(raw: Any) -> bool:
    """Whether the only worker there is has gone quiet."""
    return [raw.hget(name, "quiet") for name in raw.smembers("processes")] == [b"true"]


SERVERS = pytest.mark.parametrize(
    ("source", "signal_"), [(FASTAPI, "TERM"), (FASTAPI, "INT"), (DJANGO, "TERM"), (FLASK, "INT")],
    ids=["fastapi-TERM", "fastapi-INT", "django-TERM", "flask-INT"],
)  # fmt: skip


@SERVERS
def test_it_runs_jobs_beside_requests_and_lets_them_end_when_the_server_stops(
    host, redis_url, raw, ledger: Ledger, source, signal_
):
    web = host(source, redis_url)
    web.get("push/a")
    ledger.wait_for("start a")
    assert "hello" in web.get("hello")
    web.run.signal(signal_)
    wait_until(lambda: is_quiet(raw), "quiet", lambda: web.run.log)
    ledger.open("a")
    web.run.wait()
    assert ledger.lines[-1] == "end a"
    assert "The embedded worker has stopped" in web.run.log
    assert (raw.smembers("processes"), raw.hgetall("pl:owners")) == (set(), {})


@SERVERS
def test_at_the_deadline_the_job_is_handed_back_and_the_server_ends(
    host, redis_url, raw, ledger: Ledger, source, signal_
):
    web = host(source, redis_url, TIMEOUT_S="0.1")
    web.get("push/a")
    ledger.wait_for("start a")
    web.end(signal_)
    assert [json.loads(job)["args"] for job in raw.lrange("queue:default", 0, -1)] == [["a"]]
    assert "handing back 1 unfinished jobs" in web.run.log


@pytest.mark.parametrize("source", [FASTAPI, FLASK, DJANGO], ids=["fastapi", "flask", "django"])
def test_a_crash_of_redis_does_not_take_the_server_down(host, own_redis, ledger: Ledger, source):
    web = host(source, own_redis.url)
    ledger.open("a", "b")
    web.get("push/a")
    ledger.wait_for("end a")
    own_redis.kill()
    assert "hello" in web.get("hello")
    own_redis.start()
    web.get("push/b")
    ledger.wait_for("end b")


def test_a_server_starts_while_redis_is_away(host, own_redis, ledger: Ledger):
    own_redis.stop()
    web = host(FASTAPI, own_redis.url)
    ledger.open("a")
    assert "hello" in web.get("hello")
    assert "takes no jobs yet" in web.run.log
    own_redis.start()
    web.get("push/a")
    ledger.wait_for("end a")


def test_the_job_of_a_killed_server_is_run_by_the_next(host, redis_url, ledger: Ledger):
    first = host(FASTAPI, redis_url)
    first.get("push/a")
    ledger.wait_for("start a")
    first.end("KILL")
    ledger.open("a")
    host(FASTAPI, redis_url)
    ledger.wait_for("end a")
    assert ledger.count("start a") == 2


SCRIPT = """
from jobs import Hold, worker
worker.start()
Hold.perform_async("a")
from ledger import FOLDER
import time
while not (FOLDER / "pid-a").exists():
    time.sleep(0.01)
print("the end of the script", flush=True)  # app.run(
"""


def test_a_script_that_just_ends_lets_its_jobs_end_first(host, redis_url, raw, ledger: Ledger):
    script = host(SCRIPT, redis_url)
    script.run.wait_log("the end of the script")
    ledger.open("a")
    assert script.run.wait() == 0
    assert ledger.lines[-1] == "end a"
    assert raw.hgetall("pl:owners") == {}


def test_a_script_that_just_ends_hands_back_what_does_not_end_in_time(host, redis_url, raw, ledger: Ledger):
    script = host(SCRIPT, redis_url, TIMEOUT_S="0.1")
    assert script.run.wait() == 0
    assert raw.llen("queue:default") == 1
    assert raw.hgetall("pl:owners") == {}


NOTHING_TO_RUN = """
import pillion
worker = pillion.EmbeddedWorker()
worker.start()  # app.run(
"""


def test_without_any_job_it_says_what_to_do(host, redis_url):
    script = host(NOTHING_TO_RUN, redis_url)
    assert script.run.wait() == 1
    assert 'EmbeddedWorker(require=["shop.jobs"])' in script.run.log


def test_modules_that_it_requires_are_imported_first(host, redis_url, ledger: Ledger):
    source = NOTHING_TO_RUN.replace("EmbeddedWorker()", 'EmbeddedWorker(require=["jobs"])')
    assert host(source, redis_url).run.wait() == 0


FORKING = """
import os, signal
from jobs import worker

worker.start()  # in the parent, as gunicorn --preload does it with an app that starts it; app.run(
pid = os.fork()
if pid == 0:
    print("child", worker.running, flush=True)
    raise SystemExit(0)
os.waitpid(pid, 0)
print("parent", worker.running, flush=True)
"""


def test_the_end_of_a_forked_child_is_nothing_to_the_worker_of_its_parent(host, redis_url, raw):
    script = host(FORKING, redis_url)
    assert script.run.wait() == 0
    assert "child False" in script.run.log
    assert "parent True" in script.run.log
    assert script.run.log.count("The embedded worker has stopped") == 1

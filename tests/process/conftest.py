"""Real worker processes for tests: start `pillion run`, watch what it does, kill it, look again.

    pillion_run    starts `python -m pillion run` on a small app; returns a Run. Whatever is left of it
                   at the end of the test is killed.
    ledger         what the jobs of that app have written, one line each, in order
    push           pushes a job by its name:  push("Note", "hello")
    queue          the payloads that wait in a queue

The app's jobs (worker_process.APP) write to the ledger and wait at gates, which the test opens:

    push("Hold", "a"); ledger.wait_for("start a"); run.signal("TERM"); ledger.open("a")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from worker_process import Ledger, Run, clean_environment, write_app

from pillion.client import Client
from pillion.config import Config
from pillion.storage.sync import Storage


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """What the jobs of the app have written."""
    return Ledger(tmp_path)


@pytest.fixture
def pillion_run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Run]]:
    """Start `python -m pillion run [TARGET] ARGS...`; returns a Run that is not ready yet.

    Parameters: `app` is the source of the module app.py, by default APP; text that begins with "+" is
    added to APP. `target` is what to run ("app"). `redis_url` is by default that of the fixture of this
    name. `environ` is added to the environment (an empty value removes the variable), `prefix` put before
    the command. May be called several times; without `app` the app stays as it is.
    """
    runs: list[Run] = []

    def start(
        *args: str,
        app: str | None = None,
        target: str = "app",
        redis_url: str | None = None,
        environ: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Run:
        write_app(tmp_path, app)
        url = redis_url if redis_url is not None else request.getfixturevalue("redis_url")
        variables = clean_environment(tmp_path) | {"REDIS_URL": url} | (environ or {})
        command = [*prefix, sys.executable, "-m", "pillion", "run", *([target] if target else []), *args]
        run = Run(command, tmp_path, {name: value for name, value in variables.items() if value}, f"run-{len(runs)}")
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.destroy()


@pytest.fixture
def push(storage: Storage) -> Callable[..., str | None]:
    """Push a job of the app by the name of its class: push("Note", "hello"). Returns the jid."""
    client = Client(storage, Config())
    return lambda job, *args, **options: client.push({"class": f"app.{job}", "args": list(args), **options})


@pytest.fixture
def queue(raw: redis.Redis) -> Callable[..., list[bytes]]:
    """The payloads that wait in a queue, the next to run first."""
    return lambda name="default": raw.lrange(f"queue:{name}", 0, -1)[::-1]  # type: ignore[index]

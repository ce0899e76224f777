"""Worker processes of both languages on one Redis, and the ledger of what their jobs did.

The jobs are those of ruby/jobs.rb and jobs/interop_jobs.py, which have the same names. Which language
runs a job is decided by its queue, as in any mixed fleet: see wire-format 15.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import redis
from redis_process import RedisProcess
from ruby_process import Ruby
from worker_process import Run, clean_environment, wait_until

from pillion.api.fleet import Fleet
from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url

HERE = Path(__file__).parent.parent


class Ledger:
    """What the jobs of both languages have written: one file for each process, outside Redis."""

    def __init__(self, folder: Path, check: Callable[[], None]) -> None:
        self.folder = folder
        self._check = check
        self._read_bytes: dict[Path, int] = {}
        self._runs: list[dict[str, Any]] = []

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Every line so far: `by`, `pid`, `event`, `class`, `jid`, `args`. A line under way is left for later."""
        for path in sorted(self.folder.glob("ledger-*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read_bytes.get(path, 0))
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._read_bytes[path] = self._read_bytes.get(path, 0) + len(whole) + 1
                self._runs += [json.loads(line) for line in whole.split(b"\n")]
        return self._runs

    def of(self, jid: str, event: str = "ran") -> list[dict[str, Any]]:
        return [run for run in self.runs if run["jid"] == jid and run["event"] == event]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["event"] == event]

    def wait_for(self, jid: str, event: str = "ran", times: int = 1) -> dict[str, Any]:
        """Wait until a job has written this event so many times; returns the last of them."""

        def seen() -> dict[str, Any] | None:
            self._check()
            found = self.of(jid, event)
            return found[-1] if len(found) >= times else None

        return wait_until(seen, f"{times} x {event} of {jid}", lambda: f"{self.runs[-50:]}\n{self.logs()}")

    def mend(self, key: str) -> None:
        """From now on, Flaky works for this key."""
        (self.folder / f"mended-{key}").touch()

    def open(self, gate: str) -> None:
        """Let Hold go on."""
        (self.folder / f"gate-{gate}").touch()

    def logs(self) -> str:
        """The end of what each worker printed."""
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.folder.glob("*.log"))


class Worker(Run):
    """A Run that knows whether it has ended."""

    @property
    def code(self) -> int | None:
        """Its exit code; None as long as it lives."""
        return self.exit_code


class TwoFleets:
    """Ruby and Pillion on one Redis: clients and APIs at once, workers as started.

    `ruby` and `api` (for the objects of pillion.api), `client`, `storage`, `raw`: see conftest.py.
    `workers` is for what runs all the time, by language.
    """

    def __init__(self, server: RedisProcess, folder: Path, ruby: Ruby) -> None:
        self.url = server.url
        self.ruby = ruby
        self.raw: redis.Redis = server.client()
        self.ledger = Ledger(folder, self._check)
        settings = RedisConfig(url=server.url)
        self.storage = open_target(resolve_url(settings, {}), settings)
        self.config = Config(redis=settings)
        self.client = Client(self.storage, self.config)
        self.api = Fleet(self.config)
        self.workers: dict[str, Worker] = {}
        self._folder = folder
        self._runs: list[Worker] = []

    def push(self, job: str, *args: Any, **item: Any) -> str:
        """Pillion's Client.push of a job by its name; returns the jid."""
        jid = self.client.push({"class": job, "args": list(args), **item})
        assert jid
        return jid

    def start_ruby(self, *queues: str, concurrency: int = 2, scheduler: bool = True, timeout_s: int = 5) -> Worker:
        """Start a Ruby worker on these queues. It is not ready yet."""
        command = ["sidekiq", "-r", str(HERE / "ruby" / "jobs.rb"), "-e", "production"]
        command += ["-c", str(concurrency), "-t", str(timeout_s)]
        return self._start("ruby", command, queues, INTEROP_SCHEDULER="on" if scheduler else "off")

    def start_pillion(self, *queues: str, concurrency: int = 2, timeout_s: int = 5) -> Worker:
        """Start a Pillion worker on these queues. It is not ready yet."""
        command = [sys.executable, "-m", "pillion", "run", "interop_jobs"]
        command += ["-c", str(concurrency), "-t", str(timeout_s)]
        path = [str(HERE / "jobs"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return self._start("pillion", command, queues, PYTHONPATH=os.pathsep.join(path))

    def identity(self, run: Worker) -> str:
        """Wait until a worker process of this run has registered; its name in Redis."""
        return self.wait_until(lambda: self._registered(run), "a registered worker")

    def members(self, key: str) -> list[bytes]:
        """Members of a sorted set, the lowest score first."""
        return self.raw.zrange(key, 0, -1)  # type: ignore[return-value]

    def entry(self, key: str, jid: str) -> tuple[dict[str, Any], float]:
        """Wait until a sorted set has this job; its payload and score. There must be just one of it."""

        def found() -> list[tuple[bytes, float]]:
            pairs: Any = self.raw.zrange(key, 0, -1, withscores=True)
            return [(member, score) for member, score in pairs if jid.encode() in member]

        seen = self.wait_until(found, f"{jid} in {key}")
        assert len(seen) == 1, seen
        return json.loads(seen[0][0]), seen[0][1]

    def wait_until(self, condition: Callable[[], Any], what: str = "a state in Redis") -> Any:
        """Return the first true value of `condition()`. Fails at once if a worker has failed."""

        def checked() -> Any:
            self._check()
            return condition()

        return wait_until(checked, what, self.ledger.logs)

    def close(self) -> None:
        for run in self._runs:
            run.destroy()
        # A killed process is a zombie before the last of its threads has closed its connections: until
        # then Redis could hand a job of the next test to it.
        wait_until(lambda: not self.raw.info("clients")["blocked_clients"], "the end of all blocking commands")
        self.api.close()
        self.storage.close()
        self.raw.close()

    def _start(self, name: str, command: list[str], queues: Iterable[str], **environ: str) -> Worker:
        for queue in queues:
            command += ["-q", queue]
        variables = clean_environment(self._folder) | {"REDIS_URL": self.url, "INTEROP_FOLDER": str(self._folder)}
        run = Worker(command, self._folder, variables | environ, f"{name}-{len(self._runs)}")
        self._runs.append(run)
        return run

    def _check(self) -> None:
        """A worker that ends by itself, and not in order, fails the test."""
        for run in self._runs:
            assert run.code in (None, 0), f"it ended with {run.code}:\n{run.log}"

    def _registered(self, run: Worker) -> str | None:
        names = [name.decode() for name in self.raw.smembers("processes")]  # type: ignore[union-attr]
        return next((name for name in names if int(name.split(":")[-2]) in run.processes), None)

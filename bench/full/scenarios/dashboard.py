"""How long pages of the dashboard take with millions of jobs in Redis. Pillion, and Sidekiq's own Web UI."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse

from bench.data_api import fill, job
from bench.full.roster import PILLION, ROOT, SIDEKIQ, Command, Contestant
from bench.full.scenario import Figure, Scenario, Sizes
from bench.full.stage import Run, RunFailed, Stage, tail
from bench.machine import free_port
from pillion.api import Fleet
from pillion.config import Config
from pillion.storage.ops import metrics
from pillion.wire.rollup import Counts

LOOKS = 5
# Pillion keeps answers for a second, those of metrics, history and large groups for ten. With this pause before each
# look, a round over all of its pages takes longer than that: no look is served from what the one before it at the same
# page has left. Only what all pages share (deploys, the pulse) may be some seconds old, as for any visitor.
PAUSE_S = 1.05
PLANNED = 10_000  # as many as Sidekiq keeps of the dead
SOUGHT = 10**9
JID = f"{SOUGHT:024x}"
TOKEN = "of-the-bench-" * 3  # to look at a private Redis on this machine
HEADERS = {PILLION.name: {"Authorization": f"Bearer {TOKEN}"}}
# Both, as they open from the menu: Pillion's retries and dead are then grouped by error. "" is not offered.
PAGES = {
    "overview": ("/", "/"),
    "busy": ("/busy", "/busy"),
    "queues": ("/queues", "/queues"),
    "one queue": ("/queues/default", "/queues/default"),
    "retries": ("/retries", "/retries"),
    "retry list": ("/retries?view=list", "/retries"),
    "scheduled": ("/scheduled", "/scheduled"),
    "dead": ("/dead", "/morgue"),
    "one job": (f"/jobs/{JID}?in=retries&at={{at}}", f"/retries/{{at}}-{JID}"),
    "metrics": ("/metrics", ""),
    "search": ("/search?q=nobody-has-this", ""),
}


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """One web process, which is asked for all pages in turns."""
    port, is_ours = free_port(), contestant.name == PILLION.name
    command = _pillion(port) if is_ours else _sidekiq(port)
    with Run(stage, replace(contestant, commands=lambda _: [command]), 1) as web:
        at = _fill(stage, sizes.pick(1_000_000, 2_000))
        pages = {name: ours if is_ours else theirs for name, (ours, theirs) in PAGES.items()}
        addresses = {name: path.format(at=at) for name, path in pages.items() if path}
        web.start()
        with stage.on(stage.cores("client")):
            visitor = Visitor(port, HEADERS.get(contestant.name, {}))
            visitor.await_first(web)
            return _look(stage, visitor, addresses, sizes)


def _pillion(port: int) -> Command:
    """With what `pillion[web]` brings: of an environment of its own, or of this one. Workers are measured without."""
    apart = ROOT / "bench" / ".venv-web" / "bin" / "python"
    python = str(apart) if apart.exists() else sys.executable
    return [
        "env",
        f"PILLION_WEB_TOKEN={TOKEN}",
        python,
        "-m",
        "pillion",
        "web",
        "-e",
        "production",
        "--port",
        f"{port}",
    ]


def _sidekiq(port: int) -> Command:
    return ["env", f"PORT={port}", "RACK_ENV=production", "ruby", "bench/peers/sidekiq_web.rb"]


class Visitor:
    """One connection, kept alive, of somebody who may see everything."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = dict(headers)

    def await_first(self, web: Run) -> None:
        """Until it answers at all."""
        deadline = time.monotonic() + web.stage.patience_s
        while True:
            try:
                self._get("/")
                return
            except (OSError, HTTPException) as error:
                self._connection.close()
                gone = web.processes[0].poll() is not None
                if gone or time.monotonic() > deadline:
                    said = tail(web.log.read_text(errors="replace"))
                    raise RunFailed(f"its web process {'ended' if gone else 'does not answer'}: {said}") from error
                time.sleep(0.05)

    def look(self, path: str) -> tuple[float, int]:
        """Milliseconds from the request to the last byte, and how many bytes of HTML."""
        began = time.perf_counter()
        try:
            answer, body = self._get(path)
        except HTTPException as error:
            raise RunFailed(f"{path}: {error!r}") from error
        took_ms = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RunFailed(f"{path} answered {answer.status}")
        if cookie := answer.getheader("Set-Cookie"):
            self._headers["Cookie"] = cookie.partition(";")[0]
        return took_ms, len(body)

    def _get(self, path: str) -> tuple[HTTPResponse, bytes]:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        return answer, answer.read()


def _look(stage: Stage, visitor: Visitor, addresses: Mapping[str, str], sizes: Sizes) -> dict[str, float]:
    """In turns, first once to warm up."""
    seen: dict[str, list[tuple[float, int]]] = {name: [] for name in addresses}
    for _ in range(1 + sizes.pick(LOOKS, 1)):
        _beat(stage)
        for name, path in addresses.items():
            time.sleep(sizes.pick(1, 0) * PAUSE_S)
            seen[name].append(visitor.look(path))
    times = {name: statistics.median(took_ms for took_ms, _ in looks[1:]) for name, looks in seen.items()}
    return times | {_weight(name): looks[-1][1] / 1000 for name, looks in seen.items()}


def _weight(page: str) -> str:
    return f"{page}, KB"


def _fill(stage: Stage, count: int) -> float:
    """The same for both; answers the time of the one job that is looked at, which no other job has."""
    fill(stage.server, queued=count, retries=count)
    now_s = time.time()
    for name, number in (("schedule", SOUGHT + 1), ("dead", 2 * SOUGHT)):
        planned = range(number, number + min(count, PLANNED))
        past = -1 if name == "dead" else 1
        jobs = {job(each, now_s, failed=name == "dead"): now_s + past * (each - number + 60) for each in planned}
        stage.client.zadd(name, jobs)
    at = int(now_s) + 6000.5
    stage.client.zadd("retry", {job(SOUGHT, now_s, failed=True): at})
    _count_runs(stage, now_s)
    return at


def _count_runs(stage: Stage, now_s: float) -> None:
    """A month of totals, and what 20 classes did in each minute of the last hour."""
    days = [(datetime.now(UTC) - timedelta(days=n)).date().isoformat() for n in range(30)]
    totals = {"processed": 10**9, "failed": 10**6}
    stage.client.mset({f"stat:{what}": total for what, total in totals.items()})
    stage.client.mset({f"stat:{what}:{day}": total // 100 for what, total in totals.items() for day in days})
    fleet = Fleet(Config(redis=stage.server.url))
    histogram = [0] * 26
    histogram[5] = 10
    classes = {f"Job{number}": Counts(1, 1000, histogram) for number in range(20)}
    for minute in range(60):
        for op in metrics.add(classes, now_s - 60 * minute):
            fleet.storage.run(op)
    fleet.close()


def _beat(stage: Stage) -> None:
    """Processes that have not beaten for a minute would be shown as dead."""
    pipe = stage.client.pipeline(transaction=False)
    for identity in stage.client.smembers("processes"):
        pipe.hset(identity, "beat", str(time.time()))
    pipe.execute()


def _figures(pages: Sequence[str]) -> dict[str, Figure]:
    times = {name: Figure("ms", less_is_better=True, digits=1) for name in pages}
    weight = Figure("KB of HTML", less_is_better=True, digits=0, is_compared=False)
    return times | {_weight(name): replace(weight, row=name) for name in pages}


SCENARIO = Scenario(
    "dashboard",
    "Pages of the dashboard",
    "A million jobs queued, a million to be retried, 10,000 scheduled and as many dead, 50 processes with ten jobs "
    "each. Time from the request to the last byte over one kept-alive connection, the median of five looks after a "
    "first one, and how much HTML comes, before any compression. A look is never served from what an earlier one at "
    "the page left. Pages are as they open from the menu: Pillion groups 10,000 of the retries, or of the dead, by "
    "error; Sidekiq lists 25 of them. Sidekiq's free edition has no search, and Debian's version no metrics.",
    _figures([*PAGES]),
    run,
    who=(PILLION.name, SIDEKIQ.name),
    rounds=1,
    cell_s=85.0,
)

"""A million entries: no page takes more than one round trip, and no command of it holds Redis up for 10 ms.

Redis measures itself (SLOWLOG), and the time for which it had to wait for a processor counts too: of several looks,
the best one counts.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_process import RedisProcess
from web_client import client_of
from web_fleet import NOW_MS, NOW_S, Scene, add_process, count_runs

from pillion.web import User, app
from pillion.web.data.data import Data

MILLION = 1_000_000
LIMIT_US = 10_000
LOOKS = 15

FILL = """
local key, first, count, now = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local pad, batch = string.rep('x', 120), {}
for i = first, first + count - 1 do
  local job = '{"retry":true,"queue":"big","args":[' .. i .. ',"' .. pad .. '"],"class":"Job' .. (i % 20)
    .. '","jid":"' .. string.format('%024x', i) .. '","created_at":' .. now .. ',"enqueued_at":' .. now
  if key == 'queue:big' then
    batch[#batch + 1] = job .. '}'
  else
    batch[#batch + 1] = 1795312020 + i / 100
    batch[#batch + 1] = job .. ',"error_message":"no user ' .. i .. ' in table users","error_class":"KeyError'
      .. (i % 7) .. '","failed_at":' .. now .. ',"retry_count":' .. (i % 5) .. '}'
  end
  if #batch >= 400 or i == first + count - 1 then
    redis.call(key == 'queue:big' and 'LPUSH' or 'ZADD', key, unpack(batch))
    batch = {}
  end
end
"""


@pytest.fixture(scope="module")
def full(redis_binary: str) -> Iterator[RedisProcess]:
    """A Redis with a million jobs in a queue and in the retry set, many dead and scheduled ones, and a fleet."""
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    server = RedisProcess(redis_binary, folder, options=("--save", ""))
    with server.client() as raw:
        fill = raw.register_script(FILL)
        for key, count in (("retry", MILLION), ("queue:big", MILLION), ("dead", 20_000), ("schedule", 20_000)):
            for first in range(0, count, 10_000):
                fill(keys=[key], args=[first, 10_000, NOW_MS - 60_000])
        raw.sadd("queues", "big", *(f"q{number}" for number in range(100)))
        for number in range(100):
            add_process(raw, f"web{number}:1:a", queues=["big", f"q{number}"])
            work = {f"t{thread}": WORK % thread for thread in range(10)}
            raw.hset(f"web{number}:1:a:work", mapping=work)
    scene = Scene(server.url)
    for number in range(20):
        for minute in range(60):
            count_runs(scene.fleet, f"Job{number}", minute, ran=10, failed=1)
    scene.fleet.close()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


WORK = (
    '{"queue":"big","payload":"{\\"class\\":\\"Job1\\",\\"args\\":[1],\\"jid\\":\\"abcdef%d\\",\\"queue\\":\\"big\\"}",'
    f'"run_at":{int(NOW_S)}}}'
)

JID = f"{750_000:024x}"
PAGES: dict[str, Callable[[Any], Any]] = {
    "dashboard": lambda data: data.dashboard(days=180),
    "busy": lambda data: data.busy(count=500),
    "queues": lambda data: data.queues(),
    "queue": lambda data: data.queue("big"),
    "queue, 500 rows in the middle": lambda data: data.queue("big", page=1000, count=500),
    "queue, searched": lambda data: data.queue("big", q="class:Job19 nothing"),
    "queue, searched deep": lambda data: data.queue("big", q="nothing", cursor="l500000", order="newest"),
    "queue, common word": lambda data: data.queue("big", q="Job1", count=100),
    "retries, groups": lambda data: data.retries(),
    "retries, groups of a filter": lambda data: data.retries(q="class:Job7", window="24h"),
    "retries, 500 rows in the middle": lambda data: data.retries(view="list", page=1000, count=500),
    "retries, searched": lambda data: data.retries(view="list", q="nothing like it"),
    "retries, searched without a text": lambda data: data.retries(view="list", q="try>=99"),
    "retries, goes on": lambda data: data.retries(view="list", q="user", cursor="s1795319520.5:1", order="desc"),
    "dead": lambda data: data.dead(),
    "scheduled": lambda data: data.scheduled(),
    "job": lambda data: data.job(JID, place="retries", at=1795312020 + 750_000 / 100),
    "job of a queue": lambda data: data.job(JID, place="queue:big", at=750_001),
    "job that is nowhere": lambda data: data.job("f" * 24),
    "metrics": lambda data: data.metrics(),
    "metrics of 8 hours": lambda data: data.metrics(period="8h"),
    "metrics of a class": lambda data: data.metrics_job("Job1", period="8h"),
    "search": lambda data: data.search("nothing like it"),
    "audit": lambda data: data.audit(),
    "removed": lambda data: data.undoables(),
    "preview": lambda data: data.preview("retries", "retry", q="class:Job7"),
}


def slow_commands(raw: redis.Redis) -> dict[str, int]:
    """The commands that took too long since the last reset, each with its microseconds."""
    entries = [entry for entry in raw.slowlog_get(128) if not entry["command"].startswith((b"SLOWLOG", b"CONFIG"))]
    return {str(entry["command"][:300]): entry["duration"] for entry in entries}


@pytest.mark.parametrize("name", PAGES)
def test_no_command_takes_ten_milliseconds(full: RedisProcess, name: str) -> None:
    """A command is slow if it is so at every look: once it may have been its turn to wait for a processor."""
    scene = Scene(full.url)
    with full.client() as raw:
        raw.config_set("slowlog-log-slower-than", LIMIT_US)
        PAGES[name](scene.data)  # the scripts are known from here on
        raw.slowlog_reset()
        always: dict[str, int] | None = None
        for _ in range(LOOKS):
            scene.data = Data(scene.fleet)  # with nothing in memory
            PAGES[name](scene.data)
            slow = slow_commands(raw)
            raw.slowlog_reset()
            always = slow if always is None else {text: took for text, took in always.items() if text in slow}
            if not always:
                break
    scene.fleet.close()
    assert always == {}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_packet(full: RedisProcess, name: str) -> None:
    scene = Scene(full.url)
    sent: list[int] = []
    storage = scene.fleet.storage
    run_all = storage.run_all

    def counted(ops: Any) -> list[Any]:
        sent.append(len(ops))
        found: list[Any] = run_all(ops)
        return found

    storage.run_all = storage.run = storage.transaction = counted
    PAGES[name](scene.data)
    scene.fleet.close()
    assert len(sent) == 1


def test_what_was_found_in_a_million_is_right(full: RedisProcess) -> None:
    """The budgets would be easy to keep with empty pages."""
    scene = Scene(full.url)
    page = scene.data.retries(view="list", page=1000, count=500)
    assert (page.total, len(page.rows), page.rows[0].jid) == (MILLION, 500, f"{499_500:024x}")
    assert scene.data.job(JID, place="retries", at=1795312020 + 7500).job is not None
    assert scene.data.job(JID, place="queue:big", at=750_001).job is not None
    groups = scene.data.retries().groups
    assert groups is not None
    assert (groups.looked_at, groups.total, len(groups.groups)) == (10_000, MILLION, 30)
    assert groups.more_groups == 20 * 7 - 30
    found = scene.data.queue("big", q="nothing").search
    assert found is not None
    assert (found.searched, found.total) == (20_000, MILLION)
    assert len(scene.data.queue("big", q="Job1", count=100).rows) == 100
    assert len(scene.data.busy(count=500).jobs) == 500
    scene.fleet.close()


# -- whole pages, as a browser gets them ---------------------------------------------------------------------

MOST_BYTES = 100_000
MOST_CPU_S = 0.150
ADDRESSES = {
    "dashboard": "/?days=180",
    "busy": "/busy",
    "queues": "/queues",
    "queue": "/queues/big",
    "queue, searched": "/queues/big?q=class:Job19+nothing",
    "retries, groups": "/retries",
    "retries, list": "/retries?view=list&page=20000",
    "retries, searched": "/retries?view=list&q=nothing",
    "dead": "/dead",
    "scheduled": "/scheduled",
    "job": f"/jobs/{JID}?in=retries&at=1795319520",
    "metrics": "/metrics",
    "metrics of a class": "/metrics/Job1?period=8h",
    "search": "/search?q=nothing",
    "audit": "/audit",
    "removed": "/removed",
}


def redis_cpu_s(raw: redis.Redis) -> float:
    told = raw.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_whole_page_is_small_and_takes_little_of_two_processors(full: RedisProcess, name: str) -> None:
    """Processor time of ours and of Redis together: what a page takes on a machine that does nothing else."""
    scene = Scene(full.url)
    best_s, size = 1e9, 0
    with full.client() as raw:
        raw.mset({"stat:processed": 10**9, "stat:failed": 10**6})  # else the first page greets a newcomer
        for _ in range(LOOKS):
            board = app(auth=lambda visitor: User("ana", "admin"), fleet=scene.fleet, clock=lambda: NOW_S)
            with client_of(board, "http://jobs.test") as client:
                client.get("/nothing")
                before_s = time.process_time() + redis_cpu_s(raw)
                answer = client.get(ADDRESSES[name])
                best_s = min(best_s, time.process_time() + redis_cpu_s(raw) - before_s)
            assert answer.status_code == 200
            size = len(answer.content)
            if best_s < MOST_CPU_S:
                break
    scene.fleet.close()
    assert size < MOST_BYTES
    assert best_s < MOST_CPU_S

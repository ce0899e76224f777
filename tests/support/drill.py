"""Drills: where every job is after a kill, and whether the runs that the jobs wrote down add up.

Two books are kept, and neither can cover up for the other. The jobs of WORK_APP write each step of
each run into a file; what Redis holds is read from outside in one atomic step (`places`). A kill is
made with the process stopped first, so that what it held at that very moment can be read (`Kill`).

With both, "at least once" becomes an equation, for each job and attempt:

    runs begun = 1 + the kills that found it in a process's hands and begun
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import redis
from worker_process import Ledger, Run, wait_until

from pillion.client import Client

# Jitter of up to 9 s would make each round ten seconds longer and show nothing.
WORK_APP = """
import os, time
from pillion import Job
from ledger import note
import pillion.server.retry

pillion.server.retry.JITTER_STEP_S = 1

class Work(Job):
    @staticmethod
    def retry_in(count, exc, payload):
        return 1

    def perform(self, fails_first):
        run = (self.jid, os.getpid(), self.attempt)
        note("start", *run)
        time.sleep(0.005)
        if fails_first and self.attempt == 0:
            note("fail", *run)
            raise RuntimeError("not the first time")
        note("end", *run)
"""

_EVERYTHING = """
local found = {}
local function add(key, values)
  for _, value in ipairs(values) do
    found[#found + 1] = key
    found[#found + 1] = value
  end
end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'list' then add(key, redis.call('LRANGE', key, 0, -1))
  elseif kind == 'hash' then add(key, redis.call('HVALS', key))
  elseif kind == 'zset' then add(key, redis.call('ZRANGE', key, 0, -1)) end
end
return found
"""


def rounds(default: int) -> list[int]:
    """The numbers of the rounds to run: PILLION_DRILL_ROUNDS of them, or `default`."""
    return list(range(1, int(os.environ.get("PILLION_DRILL_ROUNDS", default)) + 1))


def seed_of(number: int) -> int:
    """The seed of a round: PILLION_DRILL_SEED + its number, or a new one. Printed, to be used again."""
    base = os.environ.get("PILLION_DRILL_SEED")
    seed = random.SystemRandom().randrange(10**6) if base is None else int(base)
    print(f"\nround {number}: to repeat it, PILLION_DRILL_SEED={seed}")
    return seed * 1000 + number


# -- where the jobs are ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """One key that holds a job. `attempt` is 0 until the job has failed once."""

    key: str
    jid: str
    attempt: int

    @property
    def kind(self) -> str:
        """What kind of key it is: queue, wait, inflight, retry, schedule, dead."""
        if self.key.startswith("{queue:"):
            return self.key.split("}:")[1].split(":")[0]
        return self.key.split(":")[0]

    @property
    def is_held(self) -> bool:
        """Whether it is in the hands of a process. It may run from either place: see `Leases.adopt`."""
        return self.kind in ("inflight", "wait")

    @property
    def pid(self) -> int:
        """The process whose hands it is in."""
        return int(self.key.rsplit(":", 2)[1])


def places(raw: redis.Redis) -> list[Place]:
    """Every job in Redis and where it is, as of one moment. A job in two keys is listed twice."""
    reply: list[bytes] = raw.eval(_EVERYTHING, 0)  # type: ignore[assignment]
    found: list[Place] = []
    for key, value in zip(reply[::2], reply[1::2], strict=True):
        if key.endswith(b":work"):
            continue  # what a process shows to dashboards: a copy, nobody takes a job from there
        try:
            job = json.loads(value)
        except ValueError:
            continue
        if isinstance(job, dict) and "jid" in job:
            found.append(Place(key.decode(), job["jid"], job.get("retry_count", -1) + 1))
    return found


def where(raw: redis.Redis, jid: str) -> list[str]:
    """The kinds of keys that hold a job: one, unless something is wrong."""
    return [place.kind for place in places(raw) if place.jid == jid]


# -- what the jobs wrote -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One line of the ledger: `what` is start, fail or end."""

    what: str
    jid: str
    pid: int
    attempt: int


def steps_of(ledger: Ledger) -> list[Step]:
    """What the jobs of WORK_APP have written; lines of other jobs are left out."""
    lines = (line.split() for line in ledger.lines)
    return [Step(words[0], words[1], int(words[2]), int(words[3])) for words in lines if len(words) == 4]


# -- kills -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kill:
    """What the killed processes held at the moment of their death."""

    pids: frozenset[int]
    held: tuple[Place, ...]


def freeze(pids: Iterable[int]) -> None:
    """Stop processes where they are, and wait until they have."""
    frozen = list(pids)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(_state(pid) in "TZ" for pid in frozen), "processes to stop")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def settled_places(raw: redis.Redis) -> list[Place]:
    """The places, once Redis has carried out what the victims had sent: a kill does not unsend it.

    Redis serves all sockets that have something to read before it looks for new requests. So what was
    sent before our first PING has been carried out before our second, except for the rest of a request
    that is longer than its buffer.
    """
    raw.ping()
    raw.ping()
    busy = [client for client in raw.client_list() if int(client["qbuf"]) and client["cmd"] != "client|list"]
    return settled_places(raw) if busy else places(raw)


# -- a fleet of workers --------------------------------------------------------------------------------


@dataclass
class Fleet:
    """`pillion run -p 2 -c 10`, started again when it was killed as a whole."""

    start: Callable[..., Run]
    raw: redis.Redis
    ledger: Ledger
    client: Client
    rng: random.Random
    run: Run = field(init=False)
    kills: list[Kill] = field(default_factory=list)
    jids: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.run = self.start("-p", "2", "-c", "10", "-e", "production", app=WORK_APP).wait_ready(times=2)

    def push(self, count: int) -> None:
        """Push jobs, every fifth of which fails at its first attempt."""
        fails = [number % 5 == 0 for number in range(count)]
        jids = self.client.push_bulk({"class": "app.Work", "args": [[fail] for fail in fails]})
        self.jids |= dict(zip(jids, fails, strict=True))  # type: ignore[arg-type]

    def kill(self, *victims: int) -> None:
        """kill -9, noting what was in the victims' hands."""
        self.put_to_sleep(*victims)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)

    def put_to_sleep(self, *victims: int) -> None:
        """Stop processes, noting what is in their hands."""
        held = tuple(place for place in self.check_places(*victims) if place.is_held and place.pid in victims)
        self.kills.append(Kill(frozenset(victims), held))

    def check_places(self, *asleep: int) -> list[Place]:
        """Stop processes, and look: every job that has not ended is in exactly one place."""
        freeze(asleep)
        found = settled_places(self.raw)
        jids = collections.Counter(place.jid for place in found)
        unfinished = set(self.jids) - {step.jid for step in steps_of(self.ledger) if step.what == "end"}
        assert unfinished <= set(jids), f"in no place: {unfinished - set(jids)}\n{self.own_log}"
        assert max(jids.values(), default=1) == 1, f"in two places: {[p for p in found if jids[p.jid] > 1]}"
        return found

    def wake(self, *asleep: int) -> None:
        """Let stopped processes go on."""
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)

    def wait_processed(self, more: int) -> None:
        """Wait until so many more runs have been settled."""
        goal = self.processed + more
        wait_until(lambda: self.processed >= goal, f"{goal} settled runs", lambda: f"{self.processed}\n{self.own_log}")

    def reconnect(self) -> None:
        """After a restart of Redis: what we have open leads nowhere."""
        self.raw.connection_pool.disconnect()

    def learn_of_unanswered_pushes(self) -> int:
        """Count jobs as pushed that were carried out although the pusher was told of an error. How many."""
        unknown = {step.jid for step in steps_of(self.ledger)} - set(self.jids)
        self.jids |= dict.fromkeys(unknown, False)
        return len(unknown)

    @property
    def own_log(self) -> str:
        """The log without the lines about single jobs."""
        return "\n".join(line for line in self.run.log.splitlines() if " class=app.Work " not in line)

    @property
    def processed(self) -> int:
        return int(self.raw.get("stat:processed") or 0)  # type: ignore[arg-type]

    @property
    def failed(self) -> int:
        return int(self.raw.get("stat:failed") or 0)  # type: ignore[arg-type]

    def wait_drained(self) -> None:
        """Wait until no job is left anywhere. None may be found dead: each of them can be run."""

        def drained() -> bool:
            left = places(self.raw)
            dead = [place.jid for place in left if place.kind == "dead"]
            assert not dead, f"{self.raw.zrange('dead', 0, 2)}\n{self.own_log}"
            return not left

        wait_until(drained, "the end of all jobs", lambda: f"{places(self.raw)[:20]}\n{self.own_log}")


@dataclass(frozen=True)
class Balance:
    """What a round came to."""

    jobs: int
    lost: int
    repeated_while_running: int
    repeated_before_acknowledged: int
    unexplained: list[Step]
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, lost {self.lost}, run again: {self.repeated_while_running} that were running,"
            f" {self.repeated_before_acknowledged} finished and not acknowledged, {len(self.unexplained)} unexplained"
        )


def balance(fleet: Fleet) -> Balance:
    """Set what the jobs wrote against what was pushed and what the kills found in flight."""
    steps = steps_of(fleet.ledger)
    ended = {step.jid for step in steps if step.what == "end"}
    written = collections.Counter((s.jid, s.attempt, s.pid) for s in steps if s.what == "start")
    closed = {(s.jid, s.attempt, s.pid) for s in steps if s.what != "start"}
    excused = {(place.jid, place.attempt, place.pid) for kill in fleet.kills for place in kill.held}
    cut_off = excused & set(written)
    settled = collections.Counter(
        (jid, attempt) for jid, attempt, pid in written.elements() if (jid, attempt, pid) not in cut_off
    )
    return Balance(
        jobs=len(fleet.jids),
        lost=len(set(fleet.jids) - ended),
        repeated_while_running=len(cut_off - closed),
        repeated_before_acknowledged=len(cut_off & closed),
        unexplained=[
            step
            for step in steps
            if settled[step.jid, step.attempt] != 1 or written[step.jid, step.attempt, step.pid] > 1
        ],
        failed=sum(fleet.jids.values()),
    )

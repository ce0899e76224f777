"""What each event does. A deed that lasts returns how to end it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import redis

from chaos import diary as causes
from chaos.diary import Diary, Trouble
from chaos.ledger import Writer
from chaos.schedule import Event
from chaos.servers import OneServer, UnderSentinel
from chaos.world import World
from pillion.storage.ops import pause

T = TypeVar("T")
Ending = Callable[[], None]

# No jobs: half of one, a list, and one with NaN. Each with a name of its own, by which the census knows it.
RAW_POISON = {
    "x": '{"class":"ChaosWork","args":["%s"',
    "y": '["ChaosWork","%s"]',
    "z": '{"class":"ChaosWork","args":[NaN],"jid":"%s","retry":true}',
}
WEST = frozenset({"west"})  # the family at the other end of the line
LEASE_S = 30.0
LONG_JOBS = 40
# Forward by no more than a run may take to settle: what fails meanwhile is to be retried by that clock.
STEPS_S = (-3600.0, -45.0, -5.0, 5.0, 45.0, 45.0)


class Deeds:
    """Carries out events. `said` is what there is to tell about the last one."""

    def __init__(self, world: World, diary: Diary) -> None:
        self.world = world
        self.diary = diary
        self.said = ""
        self._ledger = Writer(str(world.ledger))
        self._count = 0
        self._asleep: dict[int, float] = {}  # since when

    def carry_out(self, event: Event) -> Ending | None:
        """Do it. Returns what is to be done when it is over."""
        self.said = ""
        deed = getattr(self, "_" + event.what.replace(" ", "_"))
        return deed(event)

    # -- processes ---------------------------------------------------------------------------------

    def _kill_worker(self, event: Event) -> None:
        for pid in self._one_worker(event):
            self._kill([pid], causes.WORKER_KILLED)

    def _kill_family(self, event: Event) -> Ending:
        self._kill(self.world.families[event.target].processes, causes.FAMILY_KILLED)
        return lambda: self.world.start_family(event.target)

    def _kill_supervisor(self, event: Event) -> None:
        """Its workers see that they are orphans, finish and leave; the next family starts at once."""
        run = self.world.families[event.target]
        self._signal([run.pid], "STOP")  # no worker is born between the look and the end
        self.diary.note(run.workers, causes.STOPPED)
        self._signal([run.pid], "KILL")
        self.world.start_family(event.target)

    def _kill_the_scheduler(self, event: Event) -> None:
        for pid in self._the_scheduler():
            self._kill([pid], causes.WORKER_KILLED)

    def _kill_producer(self, event: Event) -> None:
        self.world.kill_producer(event.target)
        self.world.start_producer(event.target)

    def _stop_worker(self, event: Event) -> None:
        """A supervisor does not replace who was told to stop. With its last worker it is stopped, and started anew."""
        if len(self.world.families[event.target].workers) < 2:
            self._stop_family(event)
            return
        for pid in self._one_worker(event):
            self.diary.note([pid], causes.STOPPED)
            self._signal([pid], "TERM")

    def _stop_family(self, event: Event) -> None:
        run = self.world.families[event.target]
        self.diary.note(run.workers, causes.STOPPED)
        self._signal([run.pid], "TERM")
        self.world.start_family(event.target)

    def _stop_ruby(self, event: Event) -> None:
        if self.world.ruby is not None:
            self._signal([self.world.ruby.pid], "TERM")
            self.world.start_ruby()

    def _kill_web(self, event: Event) -> Ending:
        over = _until_really_over(self.diary.without_web(event.lasts), self.world.start_web)
        self.world.kill_web()
        return over

    def _freeze_web(self, event: Event) -> Ending:
        pids = [self.world.web.pid] if self.world.web is not None else []
        over = _until_really_over(self.diary.without_web(event.lasts), lambda: self._signal(pids, "CONT"))
        self._signal(pids, "STOP")
        return over

    def _freeze_worker(self, event: Event) -> Ending:
        return self._freeze(self._one_worker(event))

    def _freeze_the_scheduler(self, event: Event) -> Ending:
        """For longer than its lock lasts: another has to lead, and this one to see that when it wakes."""
        return self._freeze(self._the_scheduler())

    def _freeze_supervisor(self, event: Event) -> Ending:
        return self._freeze([self.world.families[event.target].pid])

    def _freeze_family(self, event: Event) -> Ending:
        run = self.world.families[event.target]
        if event.lasts >= LEASE_S:
            self.diary.note(run.workers, causes.LEASE_LOST, lasts=event.lasts)
        return self._freeze(run.processes)

    def _lose_host(self, event: Event) -> Ending:
        """Kill a family whose records say that it ran elsewhere: nobody can look at it, its leases must end."""
        run = self.world.families[event.target]
        frozen = run.processes
        self._signal(frozen, "STOP")
        with self.world.server.client() as raw:
            for name, record in raw.hgetall("pl:owners").items():  # type: ignore[union-attr]
                if int(name.split(b":")[1]) in frozen:
                    raw.hset("pl:owners", name, json.dumps(json.loads(record) | {"host": "elsewhere"}))
        self._kill(frozen, causes.HOST_LOST)
        return lambda: self.world.start_family(event.target)

    def _step_clock(self, event: Event) -> Ending:
        """Set the clock of a family, and set it right again: both are steps."""
        off_s = _pick(STEPS_S, event.pick)
        self.said = f"{off_s:+.0f} s"
        self.world.set_clock(event.target, off_s)
        return lambda: self.world.set_clock(event.target, 0.0)

    # -- Redis and the way to it -------------------------------------------------------------------

    def _restart_redis(self, event: Event) -> Ending:
        over = self._trouble(self._one_server.process.start, event.lasts, after_s=2.0)
        self._one_server.process.kill()
        return over

    def _freeze_redis(self, event: Event) -> Ending:
        over = self._trouble(self._one_server.process.resume, event.lasts)
        self._one_server.process.pause()
        return over

    def _fill_memory(self, event: Event) -> Ending:
        over = self._trouble(lambda: self._one_server.process.config_set(maxmemory=0), event.lasts)
        self._one_server.process.config_set(maxmemory=1, maxmemory_policy="noeviction")
        return over

    def _slow_line(self, event: Event) -> Ending:
        over = self._trouble(lambda: self._one_server.line.slow_down(0), event.lasts, whom=WEST)
        delay_s = 0.005 + 0.1 * event.pick
        self._one_server.line.slow_down(delay_s)
        self.said = f"{delay_s * 1000:.0f} ms each way"
        return over

    def _reset_line(self, event: Event) -> None:
        self.diary.trouble(0.5, WEST)
        self.said = f"{self._one_server.line.reset()} connections"

    def _swallow_replies(self, event: Event) -> None:
        self.diary.trouble(1.0, WEST)
        count = 1 + int(event.pick * 5)
        self._one_server.line.swallow_replies(count)
        self.said = f"the next {count}"

    def _kill_connections(self, event: Event) -> None:
        self.diary.trouble(0.5)
        with self.world.server.client() as raw:
            kinds = ["normal", "pubsub"] if event.pick < 0.5 else ["normal"]
            killed = [raw.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes") for kind in kinds]
        self.said = f"{sum(killed)} connections"

    def _fail_over(self, event: Event) -> None:
        assert isinstance(self.world.server, UnderSentinel)
        self._trouble(self.world.server.fail_over, 0.0, after_s=3.0)()

    def _trouble(
        self, ending: Ending, lasts: float, after_s: float = 0.0, whom: frozenset[str] | None = None
    ) -> Ending:
        """A trouble from now on that goes on until its end has really come: the driver may be late."""
        return _until_really_over(self.diary.trouble(lasts + after_s, whom), ending, after_s)

    # -- queues and jobs ---------------------------------------------------------------------------

    def _pause_queue(self, event: Event) -> Ending:
        # A pause that Redis refuses is no pause; the end of one is tried again by `heal`.
        self._set_paused(event.target, paused=True)
        return lambda: self._set_paused(event.target, paused=False)

    def _bulk_retry(self, event: Event) -> Ending:
        process = self.world.start_bulk()
        return lambda: (process.wait(), None)[1]

    def _kill_bulk_retry(self, event: Event) -> Ending:
        process = self.world.start_bulk()

        def end() -> None:
            process.kill()
            process.wait()

        return end

    def _push_long_jobs(self, event: Event) -> None:
        """So many that every thread has one in its hands."""
        for _ in range(LONG_JOBS):
            self._count += 1
            self._push("critical", "ChaosWork", 2000)

    def _push_poison(self, event: Event) -> None:
        """One of each kind, or the one that takes processes with it."""
        self._count += 1
        if event.pick < 0.35:
            self._push("default", "ChaosExit")
            self.said = "os._exit"
            return
        for kind, text in RAW_POISON.items():
            jid = f"{self._count:023d}{kind}"
            self._lpush("low", "ChaosRaw", jid, text % jid)
        self._push("low", "ChaosNobodyKnows")
        self._push("low", "ChaosWork", 1, 0, "x" * 5_000_000)
        self.said = "broken JSON, no job, NaN, unknown class, 5 MB"

    def _push(self, queue: str, name: str, *args: object) -> None:
        """LPUSH of a job that no client would push, entered into the ledger like any other."""
        jid = f"{self._count:023d}{name[5].lower()}"
        job = {"class": name, "jid": jid, "args": args, "retry": 0, "created_at": 0, "enqueued_at": 0}
        self._lpush(queue, name, jid, json.dumps(job))

    def _lpush(self, queue: str, name: str, jid: str, text: str) -> None:
        self._ledger.note("try", jid, queue, name)
        with self.world.server.client() as raw:
            raw.lpush(f"queue:{queue}", text)
        self._ledger.note("ok", jid, queue, name)

    # -- parts -------------------------------------------------------------------------------------

    @property
    def _one_server(self) -> OneServer:
        assert isinstance(self.world.server, OneServer)
        return self.world.server

    def _the_scheduler(self) -> list[int]:
        """The worker that holds the lock, if there is one."""
        with self.world.server.client() as raw:
            holder = raw.get("pl:scheduler")
        pid = int(holder.split(b":")[1]) if holder else 0  # type: ignore[union-attr]
        return [pid] if any(pid in run.workers for run in self.world.families.values()) else []

    def _one_worker(self, event: Event) -> list[int]:
        workers = self.world.families[event.target].workers
        return [_pick(workers, event.pick)] if workers else []

    def _kill(self, pids: Sequence[int], why: str) -> None:
        began = time.monotonic()
        self._signal(pids, "KILL")
        for pid in pids:  # one that sleeps has told Redis nothing since
            self.diary.note([pid], why, since=self._asleep.get(pid, began))

    def _freeze(self, pids: Sequence[int]) -> Ending:
        now = time.monotonic()
        self._asleep |= {pid: now for pid in pids if pid not in self._asleep}
        self._signal(pids, "STOP")
        return lambda: self._wake(pids)

    def _wake(self, pids: Sequence[int]) -> None:
        self._signal(pids, "CONT")
        for pid in pids:
            if pid in self._asleep:
                self.diary.slept(pid, self._asleep.pop(pid))

    def _signal(self, pids: Sequence[int], name: str) -> None:
        self.said = " ".join(map(str, pids))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.Signals[f"SIG{name}"])

    def _set_paused(self, queue: str, *, paused: bool) -> None:
        op = pause.pause(queue) if paused else pause.unpause(queue)
        assert op.script is not None
        with self.world.server.client() as raw, contextlib.suppress(redis.RedisError):
            raw.execute_command("EVAL", op.script.source, *op.args)


def _until_really_over(trouble: Trouble, ending: Ending, after_s: float = 0.0) -> Ending:
    """`ending`, and the trouble goes on until that has been done."""

    def end() -> None:
        try:
            ending()
        finally:
            trouble.end = max(trouble.end, time.monotonic() + after_s)

    return end


def _pick(items: Sequence[T], pick: float) -> T:
    return items[int(pick * len(items))]

"""Every way through the engine's steps, on a real Redis, beside a model in plain lists (engine_model.py).

Hypothesis puts together pushes, fetches, blocking moves, outcomes, promotions, pauses, replies that were lost,
processes that die or sleep past their lease at any point, and reapers that die in the middle. After each step Redis
holds exactly what the model does, byte for byte and in order; so every job is in one place, or finished.

No threads, no clocks: a step is one op of storage/ops.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

import redis
from engine_model import POISON_AT, Model, Owner, jid_of, places
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pillion.storage.ops import pause, promote, push, reap, work
from pillion.storage.ops.base import Op, command
from pillion.storage.sync import Storage

QUEUES = ["high", "low"]
DAY = date(2026, 11, 22)
NOW_S = 1_000.0
STRAY_TOKENS = 1_000_000  # as in server/leases.py: by so much tokens jump after a fetch whose reply was lost
SETTLING = work.settle_script({})

queues = st.sampled_from(QUEUES)
orders = st.sampled_from([["high", "low"], ["low", "high"], ["high"], ["low"]])
picks = st.integers(0, 30)
moments = st.integers(0, 5)
lost = st.booleans()


@dataclass
class Process:
    """What a process knows: the tokens it believes to hold, and what a blocking move told it."""

    owner: Owner
    next_token: int = 1
    held: dict[int, str] = field(default_factory=dict)  # token to queue
    moved: list[tuple[str, bytes]] = field(default_factory=list)
    unsure: bool = False  # a reply was lost: Redis may hold leases for it that it does not know of
    lives: bool = True

    def route(self, queue: str) -> work.Route:
        return work.Route.of(queue, self.owner.identity)

    def pick(self, number: int) -> tuple[int, str]:
        """One of the tokens it holds."""
        return sorted(self.held.items())[number % len(self.held)]


class Engine(RuleBasedStateMachine):
    """Two processes at a time. `storage` and `raw` are set by the test."""

    storage: ClassVar[Storage]
    raw: ClassVar[redis.Redis]

    @initialize()
    def begin(self) -> None:
        self.raw.flushdb()
        self.model = Model()
        self.births = 0
        self.jobs = 0
        self.processes: list[Process] = []
        for _ in range(2):
            self.birth()

    def birth(self) -> None:
        self.births += 1
        owner = Owner(f"host:{self.births}:x")
        self.model.owners[owner.identity] = owner
        self.processes.append(Process(owner))
        self.storage.run(reap.register(owner.identity, b"{}"))

    def do(self, op: Op[Any], expected: Any, *, again: Any = None) -> None:
        """Carry out an op. `again`: its reply was lost, so it is sent a second time, and answers that."""
        assert self.storage.run(op) == expected
        if again is not None:
            assert self.storage.run(op) == again

    def living(self, pick: int) -> Process:
        found = [process for process in self.processes if process.lives]
        return found[pick % len(found)]

    def holder(self, pick: int) -> Process:
        found = [process for process in self.processes if process.lives and process.held]
        return found[pick % len(found)]

    def someone_holds(self) -> bool:
        return any(process.lives and process.held for process in self.processes)

    def new_job(self) -> bytes:
        self.jobs += 1
        return self.model.add(b"%04d-0" % self.jobs)

    # -- clients ---------------------------------------------------------------------------------------

    @rule(queue=queues, count=st.integers(1, 6))
    def push(self, queue: str, count: int) -> None:
        jobs = [self.new_job() for _ in range(count)]
        self.storage.run_all(push.push_now({queue: jobs}))
        self.model.queues[queue] += jobs

    @rule(at=moments)
    def schedule(self, at: int) -> None:
        job = self.new_job()
        self.storage.run_all(push.push_later([(float(at), job)], wake=False))
        self.model.sets["schedule"][job] = float(at)

    @rule(queue=queues, paused=st.booleans())
    def pause(self, queue: str, paused: bool) -> None:
        changes = paused is not (queue in self.model.paused)
        self.do(pause.pause(queue) if paused else pause.unpause(queue), changes, again=False)
        (self.model.paused.add if paused else self.model.paused.discard)(queue)

    # -- workers ---------------------------------------------------------------------------------------

    @rule(who=picks, order=orders, count=st.integers(0, 7), drain=st.booleans(), lost=lost)
    def fetch(self, who: int, order: list[str], count: int, drain: bool, lost: bool) -> None:
        me = self.living(who)
        if me.unsure:
            self.reconcile_all(me)
        routes = [me.route(queue) for queue in order]
        found = self.storage.run(
            work.fetch(routes, count=count, max_bytes=10**6, first_token=me.next_token, drain_wait_lists=drain)
        )
        expected = self.model.fetch(me.owner, order, count, me.next_token, drain=drain)
        assert [(index, payload) for index, payloads in found for payload in payloads] == expected
        assert {order[index] for index in found.paused} == self.model.paused & set(order)
        if drain:
            me.moved = [(queue, payload) for queue, payload in me.moved if queue not in order]
        if lost:
            me.unsure = True
            me.next_token += STRAY_TOKENS
        else:
            me.held |= {me.next_token + at: order[index] for at, (index, _) in enumerate(expected)}
            me.next_token += len(expected)

    @rule(who=picks, queue=queues, count=st.integers(1, 3), lost=lost)
    def wait(self, who: int, queue: str, count: int, lost: bool) -> None:
        """What a blocking move does as soon as there is a job, also that of a process which has just died."""
        me = self.processes[who % len(self.processes)]
        route = me.route(queue)
        for _ in range(count):
            job = self.model.move(me.owner, queue)
            assert self.storage.run(command("LMOVE", route.key, route.wait, "RIGHT", "LEFT")) == job
            if job is not None:
                me.unsure |= lost
                me.moved += [] if lost or not me.lives else [(queue, job)]

    @precondition(lambda self: any(process.lives and process.moved for process in self.processes))
    @rule(who=picks, lost=lost)
    def adopt(self, who: int, lost: bool) -> None:
        """The process runs what a move brought it, and says so."""
        movers = [process for process in self.processes if process.lives and process.moved]
        me = movers[who % len(movers)]
        queue, job = me.moved.pop(0)
        expected = self.model.adopt(me.owner, queue, me.next_token, job)
        self.do(work.adopt(me.route(queue), me.next_token, job), expected, again=expected if lost else None)
        me.held[me.next_token] = queue
        me.next_token += 1

    @precondition(someone_holds)
    @rule(who=picks, which=st.lists(picks, min_size=1, max_size=4), lost=lost)
    def acknowledge(self, who: int, which: list[int], lost: bool) -> None:
        me = self.holder(who)
        tokens = dict({me.pick(number) for number in which})
        mine: dict[str, list[int]] = {}
        released = 0
        for token, queue in tokens.items():
            mine.setdefault(me.route(queue).inflight, []).append(token)
            job = self.model.release(me.owner, queue, token)
            released += job is not None
            self.model.finished |= {jid_of(job)} if job else set()
            del me.held[token]
        self.do(work.acknowledge(mine, DAY), released, again=0 if lost else None)

    @precondition(someone_holds)
    @rule(who=picks, which=picks, outcome=st.sampled_from(["retry", "dead", "discard", "again"]), at=moments, lost=lost)
    def settle(self, who: int, which: int, outcome: str, at: int, lost: bool) -> None:
        me = self.holder(who)
        token, queue = me.pick(which)
        job = me.owner.inflight[queue].get(token, b"gone-0")
        failed = int(outcome != "again")
        payload = b"%s-%d" % (jid_of(job), int(job.split(b"-")[1]) + failed)
        steps = {
            "retry": work.retry_steps(payload, float(at)),
            "dead": work.bury_steps(payload, now_s=NOW_S, max_jobs=10**6, timeout_s=10**6),
            "discard": (),
            "again": work.push_steps(queue, payload),
        }[outcome]
        op = work.settle(SETTLING, me.route(queue), token, steps, processed=1, failed=failed, day=DAY)
        released = self.model.release(me.owner, queue, token, failed=failed) is not None
        if released:
            self._moved_on(outcome, queue, payload, float(at))
        self.do(op, int(released), again=0 if lost else None)
        del me.held[token]

    def _moved_on(self, outcome: str, queue: str, payload: bytes, at: float) -> None:
        if outcome == "again":
            self.model.queues[queue].append(payload)
        elif outcome == "discard":
            self.model.finished.add(jid_of(payload))
        else:
            self.model.sets[outcome][payload] = at if outcome == "retry" else NOW_S

    @precondition(someone_holds)
    @rule(who=picks, which=st.lists(picks, min_size=1, max_size=4), lost=lost)
    def give_back(self, who: int, which: list[int], lost: bool) -> None:
        me = self.holder(who)
        queue = me.pick(which[0])[1]
        tokens = sorted({token for token, name in map(me.pick, which) if name == queue})
        expected = self.model.give_back(me.owner, queue, tokens)
        self.do(work.give_back(me.route(queue), tokens), expected, again=0 if lost else None)
        for token in tokens:
            del me.held[token]

    @rule(who=picks)
    def reconcile(self, who: int) -> None:
        """What a heartbeat does: compare, and hand back what this process does not know of."""
        self.reconcile_all(self.living(who))

    def reconcile_all(self, me: Process) -> None:
        for queue in QUEUES:
            held = {token for token, name in me.held.items() if name == queue}
            expected = self.model.reconcile(me.owner, queue, held, drain=True)
            self.do(work.reconcile(me.route(queue), held, drain=True), expected, again=0)
        me.moved.clear()
        me.unsure = False

    # -- the scheduler -----------------------------------------------------------------------------------

    @rule(queue=queues, limit=st.integers(1, 5), lost=lost)
    def revive(self, queue: str, limit: int, lost: bool) -> None:
        """A person retries the dead by hand: the step is that of the scheduler."""
        self.promote_set("dead", int(NOW_S), queue, limit, lost)

    @rule(set_key=st.sampled_from(["retry", "schedule"]), now=moments, queue=queues, limit=st.integers(1, 5), lost=lost)
    def promote(self, set_key: str, now: int, queue: str, limit: int, lost: bool) -> None:
        self.promote_set(set_key, now, queue, limit, lost)

    def promote_set(self, set_key: str, now: int, queue: str, limit: int, lost: bool) -> None:
        due = self.model.due(set_key, now)[:limit]
        assert self.storage.run(promote.due(set_key, now, limit)) == due
        moves = [promote.Move(member, queue, member) for member in due]
        again = promote.Promoted(0) if lost else None  # also what a second scheduler is told that saw the same
        self.do(promote.promote(set_key, now, moves, refused_until_s=None), promote.Promoted(len(due)), again=again)
        for member in due:
            del self.model.sets[set_key][member]
            self.model.queues[queue].append(member)

    # -- death and what comes after -----------------------------------------------------------------------

    @rule(who=picks)
    def crash(self, who: int) -> None:
        """kill -9 at any point. Somebody else starts."""
        self.living(who).lives = False
        self.birth()

    @rule(who=picks)
    def lease_ends(self, who: int) -> None:
        """Nobody has renewed it: the process is dead, or sleeps and will come back."""
        owner = self.processes[who % len(self.processes)].owner
        self.raw.delete(f"pl:alive:{owner.identity}")
        owner.leased = False

    @rule(who=picks)
    def renew(self, who: int) -> None:
        me = self.living(who)
        self.do(reap.renew(me.owner.identity), me.owner.leased)
        me.owner.leased = True

    @rule(who=picks, order=orders, count=st.integers(1, 3))
    def die_at_work(self, who: int, order: list[str], count: int) -> None:
        """Three of these in a row make a poison pill."""
        victim = self.living(who)
        self.fetch(who, order, count, drain=False, lost=False)
        self.crash(who)
        self.recover_from(victim, 100, force=True)

    @rule(who=picks, most=st.integers(0, 12), forced=st.booleans())
    def recover(self, who: int, most: int, forced: bool) -> None:
        """A reaper takes an owner's jobs back, newest first, and dies after `most` of them."""
        victim = self.processes[who % len(self.processes)]
        # Only who is seen dead loses his jobs in spite of his lease.
        self.recover_from(victim, most, force=forced and not victim.lives)

    @rule(who=picks, queue=queues)
    def move_between_two_recoveries(self, who: int, queue: str) -> None:
        """The first reaper died before it gave anything back, and a move that was under way brings one more job."""
        victim = self.living(who)
        self.wait(who, queue, 1, lost=True)
        self.crash(who)
        self.recover_from(victim, 0, force=True)
        self.wait(self.processes.index(victim), queue, 1, lost=True)
        self.recover_from(victim, 0, force=True)

    def recover_from(self, victim: Process, most: int, *, force: bool) -> None:
        owner, name = victim.owner, victim.owner.identity
        for queue in QUEUES:
            claimed = self.model.claim_waiting(owner, queue, force=force)
            self.do(reap.claim_waiting(queue, name, limit=100, force=force), claimed)
            tokens = sorted(map(int, self.storage.run(reap.tokens(queue, name))), reverse=True)
            assert tokens == sorted(owner.inflight[queue], reverse=True)
            for token in tokens[:most]:
                self.recover_one(owner, queue, token, force=force)
        self.do(reap.retire(name, QUEUES, force=force), self.model.retire(owner, force=force))

    def recover_one(self, owner: Owner, queue: str, token: int, *, force: bool) -> None:
        job = owner.inflight[queue][token]
        jid, key = jid_of(job), jid_of(job).decode()
        answer = self.model.reclaim(owner, queue, token, jid, force=force)
        op = reap.reclaim(queue, owner.identity, b"%d" % token, key, limit=POISON_AT, force=force)
        self.do(op, answer, again=None if answer < 0 else 0)
        if answer == reap.TOO_MANY_RECOVERIES:
            bury = reap.bury_poison(
                queue, owner.identity, b"%d" % token, key, job,
                now_s=NOW_S, max_jobs=10**6, timeout_s=10**6, force=force,
            )  # fmt: skip
            self.do(bury, self.model.bury_poison(owner, queue, token, jid, NOW_S, force=force), again=0)

    # -- what must be true after every step ------------------------------------------------------------------

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        assert places(self.raw) == self.model.places()

    @invariant()
    def every_job_is_in_one_place_or_finished(self) -> None:
        found = self.model.whereabouts()
        assert set(found) == self.model.pushed
        assert max(found.values(), default=1) == 1

    @invariant()
    def recoveries_are_counted(self) -> None:
        names: list[bytes] = self.raw.keys("pl:recovered:*")  # type: ignore[assignment]
        found = {name.rpartition(b":")[2]: int(self.raw.get(name) or 0) for name in names}  # type: ignore[arg-type]
        assert found == dict(self.model.recoveries)

    @invariant()
    def every_settled_run_is_counted_once(self) -> None:
        counted = [int(self.raw.get(f"stat:{what}") or 0) for what in ("processed", "failed")]  # type: ignore[arg-type]
        assert counted == [self.model.processed, self.model.failed]


def test_every_job_is_in_exactly_one_place_after_every_step(storage: Storage, raw: redis.Redis) -> None:
    class OnThisRedis(Engine):
        pass

    OnThisRedis.storage, OnThisRedis.raw = storage, raw
    run_state_machine_as_test(
        OnThisRedis,
        settings=settings(
            max_examples=int(os.environ.get("PILLION_MODEL_EXAMPLES", "150")),
            stateful_step_count=40,
            deadline=None,
            derandomize="CI" in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""A model of the engine in plain lists and dicts: where each job is, and in what order queues run.

It says for each step of storage/ops what Redis must answer and hold afterwards; see tests/redis/test_engine_model.py.
Queues and wait lists are lists with the next job to run first. Nothing here can lose or double a job: a method moves
payloads from one container into another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import redis

AFTER_ALL_TOKENS = 2**52  # tokens of what a dead process's wait list held
POISON_AT = 3

Payload = bytes


def jid_of(payload: Payload) -> bytes:
    """Payloads of the model are b"JID-N": N counts the failures, so that a retry has other bytes."""
    return payload.split(b"-")[0]


@dataclass
class Owner:
    """What Redis holds for one process, by queue, and whether its lease runs."""

    identity: str
    leased: bool = True
    inflight: dict[str, dict[int, Payload]] = field(default_factory=lambda: defaultdict(dict))
    wait: dict[str, list[Payload]] = field(default_factory=lambda: defaultdict(list))

    @property
    def is_empty(self) -> bool:
        return not any(self.inflight.values()) and not any(self.wait.values())


@dataclass
class Model:
    """All of Redis, as the promise has it."""

    queues: dict[str, list[Payload]] = field(default_factory=lambda: defaultdict(list))
    sets: dict[str, dict[Payload, float]] = field(default_factory=lambda: defaultdict(dict))  # member to score
    owners: dict[str, Owner] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    recoveries: Counter[bytes] = field(default_factory=Counter)
    pushed: set[bytes] = field(default_factory=set)
    finished: set[bytes] = field(default_factory=set)
    processed: int = 0
    failed: int = 0

    def add(self, payload: Payload) -> Payload:
        """A job comes into the world."""
        self.pushed.add(jid_of(payload))
        return payload

    def lead(self, queue: str, payloads: list[Payload]) -> None:
        """Put jobs at the head: they run next, in this order."""
        self.queues[queue] = payloads + self.queues[queue]

    # -- a process at work -------------------------------------------------------------------------

    def fetch(
        self, me: Owner, order: list[str], count: int, first_token: int, *, drain: bool
    ) -> list[tuple[int, Payload]]:
        """fetch.lua; returns (index of the queue, payload) in the order of the tokens."""
        got: list[tuple[int, Payload]] = []
        for index, queue in enumerate(order if drain else []):
            waiting, me.wait[queue] = me.wait[queue], []
            if queue in self.paused:
                self.lead(queue, waiting)
            else:
                got += [(index, payload) for payload in waiting]
        for index, queue in enumerate(order):
            while queue not in self.paused and self.queues[queue] and len(got) < count:
                got.append((index, self.queues[queue].pop(0)))
        for token, (index, payload) in enumerate(got, start=first_token):
            me.inflight[order[index]][token] = payload
        return got

    def move(self, me: Owner, queue: str) -> Payload | None:
        """A blocking move: one job into the private list. It does not look at pauses."""
        if not self.queues[queue]:
            return None
        me.wait[queue].append(self.queues[queue].pop(0))
        return me.wait[queue][-1]

    def adopt(self, me: Owner, queue: str, token: int, payload: Payload) -> int:
        """adopt.lua"""
        if token in me.inflight[queue]:
            return 1
        if payload not in me.wait[queue]:
            return 0
        me.wait[queue].remove(payload)
        me.inflight[queue][token] = payload
        return 1

    def release(self, me: Owner, queue: str, token: int, *, failed: int = 0) -> Payload | None:
        """What ack.lua and settle.lua begin with: the job, if the lease is still ours. It counts as processed."""
        payload = me.inflight[queue].pop(token, None)
        if payload is not None:
            self.processed += 1
            self.failed += failed
        return payload

    def give_back(self, me: Owner, queue: str, tokens: list[int]) -> int:
        """give_back.lua"""
        back = [me.inflight[queue].pop(token) for token in sorted(tokens) if token in me.inflight[queue]]
        self.lead(queue, back)
        return len(back)

    def reconcile(self, me: Owner, queue: str, held: set[int], *, drain: bool) -> int:
        """reconcile.lua"""
        drained = me.wait[queue] if drain else []
        if drain:
            me.wait[queue] = []
        self.lead(queue, drained)
        return len(drained) + self.give_back(me, queue, [token for token in me.inflight[queue] if token not in held])

    # -- a process that is given up ------------------------------------------------------------------

    def claim_waiting(self, owner: Owner, queue: str, *, force: bool) -> int:
        """claim_waiting.lua"""
        if owner.leased and not force:
            return -1
        claimed, owner.wait[queue] = owner.wait[queue], []
        token = AFTER_ALL_TOKENS
        for payload in claimed:
            while token in owner.inflight[queue]:
                token += 1
            owner.inflight[queue][token] = payload
        return len(claimed)

    def reclaim(self, owner: Owner, queue: str, token: int, jid: bytes, *, force: bool) -> int:
        """reclaim.lua"""
        if owner.leased and not force:
            return -1
        if token not in owner.inflight[queue]:
            return 0
        if self.recoveries[jid] + 1 >= POISON_AT:
            return -2
        self.recoveries[jid] += 1
        self.lead(queue, [owner.inflight[queue].pop(token)])
        return self.recoveries[jid]

    def bury_poison(self, owner: Owner, queue: str, token: int, jid: bytes, now_s: float, *, force: bool) -> int:
        """poison.lua"""
        if owner.leased and not force:
            return -1
        payload = owner.inflight[queue].pop(token, None)
        if payload is None:
            return 0
        self.sets["dead"][payload] = now_s
        self.recoveries.pop(jid, None)
        return 1

    def retire(self, owner: Owner, *, force: bool) -> int:
        """retire.lua"""
        if owner.leased and not force:
            return -1
        if not owner.is_empty:
            return 0
        owner.leased = False
        return 1

    # -- what must be true -------------------------------------------------------------------------

    def due(self, set_key: str, now_s: float) -> list[Payload]:
        """The members of a set whose time has come, in the order of Redis."""
        return sorted(
            (member for member, score in self.sets[set_key].items() if score <= now_s),
            key=lambda member: (self.sets[set_key][member], member),
        )

    def places(self) -> dict[str, object]:
        """The keys that hold jobs, as Redis must show them."""
        found: dict[str, object] = {f"queue:{name}": jobs for name, jobs in self.queues.items() if jobs}
        found |= {key: members for key, members in self.sets.items() if members}
        for me in self.owners.values():
            for queue, jobs in me.inflight.items():
                if jobs:
                    found[f"{{queue:{queue}}}:inflight:{me.identity}"] = jobs
            for queue, waiting in me.wait.items():
                if waiting:
                    found[f"{{queue:{queue}}}:wait:{me.identity}"] = waiting
        return found

    def whereabouts(self) -> Counter[bytes]:
        """In how many places each job is; a finished one is in the place of the finished."""
        payloads = [payload for jobs in self.queues.values() for payload in jobs]
        payloads += [payload for members in self.sets.values() for payload in members]
        for me in self.owners.values():
            payloads += [payload for jobs in me.inflight.values() for payload in jobs.values()]
            payloads += [payload for jobs in me.wait.values() for payload in jobs]
        return Counter([*map(jid_of, payloads), *self.finished])


_DUMP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'list' then found[#found + 1] = {key, kind, redis.call('LRANGE', key, 0, -1)}
  elseif kind == 'hash' then found[#found + 1] = {key, kind, redis.call('HGETALL', key)}
  elseif kind == 'zset' then found[#found + 1] = {key, kind, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')} end
end
return found
"""


def places(raw: redis.Redis) -> dict[str, object]:
    """The keys that hold jobs: lists with the next to run first, hashes by token, sets with their scores."""
    found: dict[str, object] = {}
    for key, kind, values in raw.eval(_DUMP, 0):  # type: ignore[union-attr]
        name = key.decode()
        if name == "pl:owners":
            continue
        pairs = zip(values[::2], values[1::2], strict=False)
        if kind == b"list":
            found[name] = values[::-1]
        elif kind == b"hash":
            found[name] = {int(token): payload for token, payload in pairs}
        else:
            found[name] = {member: float(score) for member, score in pairs}
    return found

"""The verdict: the ledger, the diary and Redis set against each other.

Each turn of a job (Key: jid, attempt, generation) is to be settled once. So of the runs of one turn, all but one must
be excused: the process that made it died or lost its lease while it ran, or before its acknowledgement left.

    lost              pushed (the push returned), neither come to its end nor in Redis
    in two places     in more than one key, or ended and still somewhere
    unexplained       run again without an excuse
    miscounted        stat:processed or stat:failed other than the settled turns of the ledger

A push whose connection broke was sent twice and may be there twice (docs/design/engine.md): its job may run twice, and
widens the counters by as much. Without such a push the counters must agree exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from chaos import diary as causes
from chaos.census import Census
from chaos.diary import Diary, Fate
from chaos.ledger import Books, Key, Push, Turn
from chaos.world import STOP_TIMEOUT_S

RUBY = "ChaosRuby"
NEVER_ENDS = frozenset({"ChaosDoomed", "ChaosExit", "ChaosNobodyKnows"})
KILLS = frozenset({causes.WORKER_KILLED, causes.FAMILY_KILLED, causes.HOST_LOST, causes.POISONED})
# What a sleeper had fetched and not begun it begins when it wakes.
WAKES_UP_S = 5.0


@dataclass
class Verdict:
    """What a run came to. `faults` is empty if every promise was kept."""

    pushed: int = 0
    perhaps: int = 0
    sent_twice: int = 0
    runs: int = 0
    poisoned: int = 0
    innocent: int = 0  # of these: jobs that only happened to be there each time
    ruby_pushed: int = 0
    ruby_lost: list[str] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # least, found, most


class Excuses:
    """Why a run of a turn need not have been the last."""

    def __init__(self, diary: Diary, books: Books) -> None:
        self._diary = diary
        self._fates = diary.by_pid()
        for turn in books.turns:
            if turn.how == "exit" and turn.closed_at is not None:
                fate = Fate(turn.pid, causes.POISONED, turn.closed_at, turn.closed_at)
                self._fates.setdefault(turn.pid, []).append(fate)

    def of(self, turn: Turn) -> Fate | None:
        """The cause, or None: then this run was settled, or should have been."""
        fates = self._fates.get(turn.pid, [])
        excused = next((fate for fate in fates if self._excuses(fate, turn)), None)
        return excused or next((replace(fate, why=causes.UNHEARD) for fate in fates if self._unheard(fate, turn)), None)

    def _unheard(self, fate: Fate, turn: Turn) -> bool:
        """Whether it had ended when Redis was away already, and still was when the process had to leave."""
        deadline = fate.at + STOP_TIMEOUT_S
        if fate.why != causes.STOPPED or turn.closed_at is None or not self._diary.away(turn.pid, deadline):
            return False
        return self._diary.unsaid_since(turn.pid, deadline) <= turn.closed_at <= deadline

    def _excuses(self, fate: Fate, turn: Turn) -> bool:
        closed_at = float("inf") if turn.closed_at is None or turn.how == "cut" else turn.closed_at
        if fate.why in KILLS:
            return turn.started_at <= fate.until and closed_at >= self._diary.unsaid_since(turn.pid, fate.at)
        if fate.why == causes.STOPPED:
            return closed_at >= fate.at + STOP_TIMEOUT_S - 0.2
        return turn.started_at <= fate.until + WAKES_UP_S and closed_at >= self._diary.unsaid_since(turn.pid, fate.at)


def judge(books: Books, census: Census, diary: Diary, counters: dict[str, int]) -> Verdict:
    """The verdict at the end, when everything has come to rest."""
    verdict = Verdict(runs=len(books.turns))
    _look_for_losses(verdict, books, census)
    _look_for_two_places(verdict, books, census)
    extra = _look_for_repetitions(verdict, books, Excuses(diary, books))
    _compare_counters(verdict, books, census, counters, extra)
    return verdict


def audit(pushed: Books, census: Census, books: Books) -> dict[str, list[str]]:
    """A look while all goes on: `pushed` was read before the census, `books` after it. The faults found."""
    verdict = Verdict()
    there = census.jids
    for push in pushed.pushes.values():
        finished = push.jid in books.ended or push.job in NEVER_ENDS
        if push.ok and push.job != RUBY and not finished and push.jid not in there:
            verdict.faults["lost"].append(_describe(push, books))
    _look_for_two_places(verdict, books, census)
    return {what: found for what, found in verdict.faults.items() if found}


def _look_for_losses(verdict: Verdict, books: Books, census: Census) -> None:
    dead, ended = census.dead, books.ended
    for push in books.pushes.values():
        if push.job == RUBY:
            verdict.ruby_pushed += push.ok
            if push.ok and push.jid not in ended and not census.of(push.jid):
                verdict.ruby_lost.append(push.jid)
            continue
        verdict.pushed += push.ok
        verdict.perhaps += not push.ok
        verdict.sent_twice += push.sent_twice
        if push.jid in ended or (push.jid in dead and _may_be_dead(push, dead[push.jid])):
            continue
        if push.ok or census.of(push.jid) or any(turn.key.jid == push.jid for turn in books.turns):
            what = "not finished" if census.of(push.jid) else "lost"
            verdict.faults[what].append(_describe(push, books) + f" {census.of(push.jid)}")


def _may_be_dead(push: Push, job: dict[str, object]) -> bool:
    return push.job in NEVER_ENDS or job.get("error_class") == "pillion.errors.PoisonPill"


def _look_for_two_places(verdict: Verdict, books: Books, census: Census) -> None:
    for jid, count in census.jids.items():
        push = books.pushes.get(jid)
        if count > 1 and push is not None and push.job != RUBY and not push.sent_twice:
            verdict.faults["in two places"].append(_describe(push, books) + f" {census.of(jid)}")


def _look_for_repetitions(verdict: Verdict, books: Books, excuses: Excuses) -> int:
    """Count repeated runs by cause; returns how many more than once turns may have been settled."""
    by_key: dict[Key, list[Turn]] = defaultdict(list)
    for turn in books.turns:
        push = books.pushes.get(turn.key.jid)
        if push is not None and push.job != RUBY:
            by_key[turn.key].append(turn)
    extra = 0
    for key, turns in by_key.items():
        reasons = [(turn, excuses.of(turn)) for turn in turns]
        whole = [turn for turn, fate in reasons if fate is None]
        again = [(turn, fate) for turn, fate in reasons if fate is not None]
        sent_twice = books.pushes[key.jid].sent_twice
        if len(whole) > 1 and sent_twice:
            verdict.repeated["pushed twice, as the first push was not answered"] += len(whole) - 1
        elif len(whole) > 1:
            verdict.faults["unexplained"].append(_describe(books.pushes[key.jid], books))
        for turn, fate in again[: len(turns) - 1]:
            verdict.repeated[f"{fate.why} ({'finished' if turn.how in ('end', 'fail') else 'running'})"] += 1
        extra += len(turns) - 1 if sent_twice else 0
    return extra


def _compare_counters(verdict: Verdict, books: Books, census: Census, found: dict[str, int], extra: int) -> None:
    settled = {turn.key for turn in books.turns if _is_ours(turn, books)}
    failed = {turn.key for turn in books.turns if turn.how == "fail" and _is_ours(turn, books)}
    unknown = 0
    for jid, job in census.dead.items():
        if job.get("error_class") == "pillion.errors.PoisonPill":
            verdict.poisoned += 1
            verdict.innocent += job["class"] != "ChaosExit"
            buried = Key(jid, int(job["retry_count"]), int(job.get("generation", 0)))
            settled.discard(buried)
            failed.discard(buried)
        elif job.get("error_class") == "pillion.errors.UnknownJobClass":
            unknown += 1
    for what, expected in (("processed", len(settled) + unknown), ("failed", len(failed) + unknown)):
        verdict.counted[what] = (expected, found[what], expected + extra)
        if not expected <= found[what] <= expected + extra or found[what] != found[f"{what} by day"]:
            verdict.faults["miscounted"].append(f"{what}: {expected} to {expected + extra} in the ledger, {found}")


def _is_ours(turn: Turn, books: Books) -> bool:
    push = books.pushes.get(turn.key.jid)
    return push is not None and push.job != RUBY


def _describe(push: Push, books: Books) -> str:
    turns = [
        f"{turn.how or 'begun'} by {turn.pid} (attempt {turn.key.attempt}, generation {turn.key.generation},"
        f" {turn.started_at:.3f} to {turn.closed_at or 0:.3f})"
        for turn in books.turns
        if turn.key.jid == push.jid
    ]
    return f"{push.jid} {push.job} on {push.queue}, tried {push.tried_at:.3f}, sent twice: {push.sent_twice}; {turns}"

"""The verdict: the ledger, the diary and Redis set against each other.

Each turn of a job (Key: jid, attempt, generation) is to be settled once. So of the runs of one turn, all but one must
be excused: the process that made it died or lost its lease while it ran, or before its acknowledgement left.

    lost              pushed (the push returned), neither come to its end nor in Redis
    not finished      still in Redis, other than dead as it should be
    in two places     in more than one key, or ended without an excuse and still somewhere
    unexplained       run again without an excuse, as the same turn or as another one
    buried too soon   a poison pill, though fewer processes than that takes have died since it was pushed
    miscounted        stat:processed or stat:failed other than the settled turns of the ledger

A push whose connection broke was sent twice and may be there twice (docs/design/engine.md): each turn of its job may be
settled twice, and counted twice. Without such a push the counters must agree exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from chaos.census import Census
from chaos.diary import Diary
from chaos.excuses import Excuses
from chaos.ledger import Books, Key, Push, Turn
from pillion.server.give_back import POISON_AT

RUBY = "ChaosRuby"
# ChaosRaw is what no worker can read.
NEVER_ENDS = frozenset({"ChaosDoomed", "ChaosExit", "ChaosNobodyKnows", "ChaosRaw"})
POISON_PILL = "pillion.errors.PoisonPill"
# A push is sent once more at the most.
COPIES = 2


@dataclass
class Verdict:
    """What a run came to. `faults` is empty if every promise was kept."""

    pushed: int = 0
    perhaps: int = 0
    sent_twice: int = 0
    not_done: int = 0  # events that did not happen, as Redis was away
    searched: int = 0  # jobs that only came back by the hourly search for orphans
    runs: int = 0
    poisoned: int = 0
    innocent: int = 0  # of these: jobs that only happened to be there each time
    ruby_pushed: int = 0
    ruby_lost: list[str] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)
    dashboard: dict[str, int] = field(default_factory=dict)  # figures of the visitor
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # least, found, most


def judge(books: Books, census: Census, diary: Diary, counters: dict[str, int]) -> Verdict:
    """The verdict at the end, when everything has come to rest."""
    verdict = Verdict(runs=len(books.turns))
    excuses = Excuses(diary, books)
    ended = {turn.key.jid: turn for turn in reversed(books.turns) if turn.how == "end" and excuses.of(turn) is None}
    _look_for_losses(verdict, books, census, excuses)
    _look_for_two_places(verdict, books, census)
    _look_for_leftovers(verdict, books, census, ended)
    extra = _look_for_repetitions(verdict, books, excuses)
    _look_for_later_turns(verdict, books, ended)
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


def never_pushed(books: Books, kinds: Iterable[str]) -> list[str]:
    """Of these classes, those of which no push returned: a run without them shows nothing of them."""
    return sorted(set(kinds) - {push.job for push in books.pushes.values() if push.ok})


def _look_for_losses(verdict: Verdict, books: Books, census: Census, excuses: Excuses) -> None:
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
        if push.jid in dead and dead[push.jid].get("error_class") == POISON_PILL:
            if excuses.deaths_since(push.tried_at) < POISON_AT:
                verdict.faults["buried too soon"].append(_describe(push, books))
            continue
        if push.jid in ended or (push.jid in dead and push.job in NEVER_ENDS):
            continue
        if push.ok or census.of(push.jid) or any(turn.key.jid == push.jid for turn in books.turns):
            what = "not finished" if census.of(push.jid) else "lost"
            verdict.faults[what].append(_describe(push, books) + f" {census.of(push.jid)}")


def _look_for_two_places(verdict: Verdict, books: Books, census: Census) -> None:
    for jid, count in census.jids.items():
        push = books.pushes.get(jid)
        if count > 1 and push is not None and push.job != RUBY and not push.sent_twice:
            verdict.faults["in two places"].append(_describe(push, books) + f" {census.of(jid)}")


def _look_for_leftovers(verdict: Verdict, books: Books, census: Census, ended: dict[str, Turn]) -> None:
    """What has ended is nowhere. Dead it may be if that end was not told to Redis: then it ran again."""
    for jid, places in census.by_jid.items():
        push = books.pushes.get(jid)
        if push is None or push.job == RUBY or push.sent_twice or jid not in books.ended:
            continue
        if jid in ended and len(places) == 1:  # more than one are two places anyway
            verdict.faults["in two places"].append(_describe(push, books) + f" ended, and in {places}")
        elif jid not in ended and any(place != "dead" for place in places):
            verdict.faults["not finished"].append(_describe(push, books) + f" {places}")


def _look_for_later_turns(verdict: Verdict, books: Books, ended: dict[str, Turn]) -> None:
    """A job that has ended without an excuse is over: no other attempt of it begins, nor another generation."""
    found: set[str] = set()
    for turn in books.turns:
        end, push = ended.get(turn.key.jid), books.pushes.get(turn.key.jid)
        if end is None or push is None or push.job == RUBY or push.sent_twice:
            continue
        if turn.key != end.key and end.closed_at is not None and turn.started_at > end.closed_at:
            found.add(push.jid)
    for jid in sorted(found):
        verdict.faults["unexplained"].append(_describe(books.pushes[jid], books))


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
        if len(whole) == COPIES and sent_twice:
            verdict.repeated["pushed twice, as the first push was not answered"] += 1
        elif len(whole) > 1:
            verdict.faults["unexplained"].append(_describe(books.pushes[key.jid], books))
        for turn, fate in again[: len(turns) - 1]:
            verdict.repeated[f"{fate.why} ({'finished' if turn.how in ('end', 'fail') else 'running'})"] += 1
        extra += sent_twice and len(turns) > 1
    return extra


def _compare_counters(verdict: Verdict, books: Books, census: Census, found: dict[str, int], extra: int) -> None:
    settled = {turn.key for turn in books.turns if _is_ours(turn, books)}
    failed = {turn.key for turn in books.turns if turn.how == "fail" and _is_ours(turn, books)}
    unknown = 0
    for jid, job in census.dead.items():
        if job.get("error_class") == POISON_PILL:
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

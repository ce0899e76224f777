"""Excuses: why a run of a turn need not have been the last, by the diary and the ledger."""

from __future__ import annotations

from dataclasses import replace

from chaos import diary as causes
from chaos.diary import Diary, Fate
from chaos.ledger import Books, Turn
from chaos.world import STOP_TIMEOUT_S

KILLS = frozenset({causes.WORKER_KILLED, causes.FAMILY_KILLED, causes.HOST_LOST, causes.POISONED})
# What a sleeper had fetched and not begun it begins when it wakes.
WAKES_UP_S = 5.0
# What was cut off goes back when all others have been as well (INTERRUPT_GRACE_S of server/launcher.py).
GIVEN_BACK_WITHIN_S = 2.5


class Excuses:
    """Looks for the cause of each run that was not the last of its turn."""

    def __init__(self, diary: Diary, books: Books) -> None:
        self._diary = replace(diary, families=books.families)
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

    def deaths_since(self, moment: float) -> int:
        """How many processes have died or lost their jobs since then: no job can have come back more often."""
        return sum(any(fate.until >= moment for fate in fates) for fates in self._fates.values())

    def _unheard(self, fate: Fate, turn: Turn) -> bool:
        """Whether it had ended when Redis was away already, and still was when the process had to leave."""
        deadline = fate.at + STOP_TIMEOUT_S
        if fate.why != causes.STOPPED or turn.closed_at is None or not self._diary.away(turn.pid, deadline):
            return False
        return self._diary.unsaid_since(turn.pid, deadline) <= turn.closed_at <= deadline

    def _excuses(self, fate: Fate, turn: Turn) -> bool:
        in_hand_until = _in_hand_until(turn)
        if fate.why == causes.STOPPED:
            return in_hand_until >= fate.at + STOP_TIMEOUT_S - 0.2
        began_by = fate.until if fate.why in KILLS else fate.until + WAKES_UP_S
        return turn.started_at <= began_by and in_hand_until >= self._diary.unsaid_since(turn.pid, fate.at)


def _in_hand_until(turn: Turn) -> float:
    """When the process had nothing more to do with it than to tell Redis."""
    if turn.closed_at is None:
        return float("inf")
    return turn.closed_at + (GIVEN_BACK_WITHIN_S if turn.how == "cut" else 0.0)

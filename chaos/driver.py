"""The driver: lets the schedule happen, lets everything settle, and looks at what is left."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import redis

from chaos.browser import Browser
from chaos.census import Census, Place, counters
from chaos.deeds import Deeds, Ending
from chaos.diary import Diary
from chaos.excuses import KILLS
from chaos.ledger import Books
from chaos.remains import left_behind
from chaos.report import Screen
from chaos.schedule import Event
from chaos.servers import PATIENT_S, Server
from chaos.verdict import RUBY, Verdict, audit, judge, never_pushed
from chaos.visitor import walk_once
from chaos.visits import BACK_WITHIN_S, VISITS, Visit, answers_after_all, dashboard_faults, figures, read
from chaos.world import World, wait_until

AUDIT_EVERY_S = 15.0
SETTLES_WITHIN_S = 120.0
STOPS_WITHIN_S = 30.0
# What producers push. In a run of that length each must have come.
KINDS = ("ChaosWork", "ChaosAsyncWork", "ChaosDoomed")
LONG_ENOUGH_S = 60.0


class Driver:
    """One run. `faults` are those found while it goes on; the verdict has the rest."""

    def __init__(self, folder: Path, server: Server, seed: int, screen: Screen, *, dashboard: bool = True) -> None:
        self.world = World(folder, server, seed, dashboard=dashboard)
        self._folder = folder
        self.diary = Diary()
        self._deeds = Deeds(self.world, self.diary)
        self._screen = screen
        self._faults: dict[str, list[str]] = {}
        self._seconds = 0.0
        self._not_done = 0
        self._searched = 0

    def run(self, events: list[Event], seconds: float) -> None:
        """Let everything happen at its time."""
        self._seconds = seconds
        self.world.start()
        if not wait_until(lambda: all(" ready: " in run.log for run in self.world.runs), 60):
            raise RuntimeError(f"the workers do not get ready: {self.world.logs()}")
        agenda: list[tuple[float, int, Callable[[], Ending | None]]] = []
        numbers = itertools.count()
        begin = time.monotonic()

        def put(at: float, action: Callable[[], Ending | None]) -> None:
            heapq.heappush(agenda, (at, next(numbers), action))

        def happen(event: Event) -> None:
            ending = self._carry_out(event)
            if ending is not None:
                put(event.at + event.lasts, lambda: self._end(event, ending))

        for event in events:
            put(event.at, lambda event=event: happen(event))
        put(AUDIT_EVERY_S, _Audit(lambda: self._audit(put, begin)))
        while agenda and agenda[0][0] <= seconds:
            at, _, action = heapq.heappop(agenda)
            self._wait_for(begin + at, begin)
            action()
        self._finish_endings(agenda)

    def settle(self) -> bool:
        """Stop all producers, end all disturbances, and let the workers finish. Whether they did."""
        for kind in list(self.world.producers):
            self.world.kill_producer(kind)
        self.world.server.heal()
        self.world.restart_families()
        with self.world.server.client(PATIENT_S) as raw:
            raw.delete("paused")
            if self._comes_to_rest(raw) or (self._search_for_orphans(raw) and self._comes_to_rest(raw)):
                return True
            left = [f"{place.jid} in {place.key}" for place in _not_dead(Census(raw))]
            self._faults["not at rest"] = [*left, *(name.decode() for name in self._dead_owners(raw))] or [
                "until it was too late"
            ]
            return False

    def verdict(self) -> Verdict:
        """Stop the workers and judge."""
        walked = self._walk_once_more()
        with self.world.server.client(PATIENT_S) as raw:
            orderly = {pid for run in self.world.runs for pid in run.workers}
            self._stop_workers()
            books = Books(self.world.ledger)
            found = judge(books, Census(raw), self.diary, counters(raw))
            killed = {fate.pid for fate in self.diary.fates if fate.why in KILLS}
            killed |= {turn.pid for turn in books.turns if turn.how == "exit"}
            found.faults["left of processes"] += left_behind(
                raw, orderly=orderly - killed, killed=killed, foreign=self.world.ruby_pids
            )
        self._add_own_findings(found, books)
        self._judge_the_dashboard(found, walked)
        found.faults = {what: lines for what, lines in found.faults.items() if lines}
        return found

    def _add_own_findings(self, found: Verdict, books: Books) -> None:
        found.not_done, found.searched = self._not_done, self._searched
        for what, lines in self._faults.items():
            found.faults[what] += lines
        found.faults["producer ended"] += self.world.ended_producers
        if self._seconds >= LONG_ENOUGH_S:
            found.faults["never pushed"] += never_pushed(books, (*KINDS, *([RUBY] if self.world.has_ruby else [])))

    def _walk_once_more(self) -> list[Visit]:
        """Every page of the dashboard, when all is calm and it has had its time to come back; after that it may go."""
        if not self.world.has_web:
            return []
        back_at = BACK_WITHIN_S + max([each.end for each in (*self.diary.troubles, *self.diary.web_away)], default=0.0)
        self._wait_for(back_at, back_at - self._seconds)
        walked = walk_once(Browser(self.world.visitor_environ))
        self.world.kill_web()
        return walked

    def _judge_the_dashboard(self, found: Verdict, walked: list[Visit]) -> None:
        if not self.world.has_web:
            return
        visits, logs = read(self._folder / VISITS), self.world.logs()
        found.dashboard = figures(visits)
        for what, lines in dashboard_faults(visits, self.diary, logs, self._seconds).items():
            found.faults[what] += lines
        found.faults["dashboard failed when all was calm"] += answers_after_all(walked)

    # -- parts -------------------------------------------------------------------------------------

    def _wait_for(self, moment: float, begin: float) -> None:
        while (left := moment - time.monotonic()) > 0:
            self._screen.at(time.monotonic() - begin)
            time.sleep(min(left, 0.2))

    def _carry_out(self, event: Event) -> Ending | None:
        try:
            ending = self._deeds.carry_out(event)
        except (redis.RedisError, OSError) as error:
            self._not_done += 1
            self._screen.say(f"{event}: not done, {type(error).__name__}")
            return None
        self._screen.say(f"{event}  {self._deeds.said}".rstrip())
        return ending

    def _end(self, event: Event, ending: Ending) -> None:
        try:
            ending()
        except (redis.RedisError, OSError) as error:
            self._screen.say(f"        end of {event.what}: {type(error).__name__}")

    def _finish_endings(self, agenda: list[tuple[float, int, Callable[[], Ending | None]]]) -> None:
        """What lasts beyond the end of the run is over now."""
        while agenda:
            action = heapq.heappop(agenda)[2]
            if not isinstance(action, _Audit):
                action()

    def _audit(self, put: Callable[[float, Callable[[], Ending | None]], None], begin: float) -> None:
        """Every job that was pushed and has not ended is in Redis, in one place: also in the midst of it all."""
        put(time.monotonic() - begin + AUDIT_EVERY_S, _Audit(lambda: self._audit(put, begin)))
        before = Books(self.world.ledger)
        try:
            with self.world.server.client() as raw:
                census = Census(raw)
        except redis.RedisError:
            return
        faults = audit(before, census, Books(self.world.ledger))
        for what, lines in faults.items():
            self._faults.setdefault(f"{what} (seen on the way)", []).extend(lines)
            self._screen.say(f"AUDIT: {what}: {len(lines)}, such as {lines[0]}")
        self._screen.say(f"        audit: {len(before.pushes)} jobs so far, {len(census.places)} in Redis")

    def _comes_to_rest(self, raw: redis.Redis) -> bool:
        return wait_until(lambda: self._is_drained(raw) and self._is_swept(raw), SETTLES_WITHIN_S)

    def _search_for_orphans(self, raw: redis.Redis) -> bool:
        """Bring the hourly search for owners that nobody lists forward (server/orphans.py): a new process makes it."""
        self._screen.say("Still not at rest. Bringing forward the hourly search for jobs of owners that nobody lists.")
        self._searched = len({place.jid for place in _not_dead(Census(raw))})
        raw.delete("pl:reaper:search")
        self.world.start_family("west")
        return True

    def _is_drained(self, raw: redis.Redis) -> bool:
        places = _not_dead(Census(raw))
        self._screen.at(0, f"settling: {len(places)} jobs left")
        return not places

    def _is_swept(self, raw: redis.Redis) -> bool:
        """Whether all who may hold jobs are alive."""
        return not self._dead_owners(raw)

    def _dead_owners(self, raw: redis.Redis) -> list[bytes]:
        alive = {pid for run in self.world.runs for pid in run.workers}
        owners: list[bytes] = raw.hkeys("pl:owners")  # type: ignore[assignment]
        return [name for name in owners if int(name.split(b":")[1]) not in alive]

    def _stop_workers(self) -> None:
        for run in self.world.runs:
            if run.pid in run.processes:
                run.signal("TERM")
        wait_until(lambda: not any(run.processes for run in self.world.runs), STOPS_WITHIN_S)


def _not_dead(census: Census) -> list[Place]:
    return [place for place in census.places if place.kind != "dead"]


class _Audit:
    """An audit on the agenda: not to be made up for when the run is over."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action

    def __call__(self) -> None:
        self._action()
